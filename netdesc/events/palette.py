"""Colours of spike pictures, which colour-blind readers can distinguish (Okabe and Ito, 2008)."""

Colour = tuple[float, float, float]
"""Red, green and blue, each from 0 to 1."""

INK: Colour = (0.08, 0.08, 0.08)
BLUE: Colour = (0.0, 0.447, 0.698)
ORANGE: Colour = (0.902, 0.624, 0.0)
