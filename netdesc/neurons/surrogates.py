"""Spikes with their surrogate gradients.

``peak`` and ``width`` are real parameters. A distance d is in threshold units. A shape is a bell: 1
at d = 0, and falling toward 0 on the scale of ``width``. ``models.fields.Surrogate`` has the bells.
"""

from collections.abc import Callable

from netdesc.neurons.definition import SurrogateShape
from netdesc.neurons.expressions import (
    GRID_ZERO,
    ONE,
    ZERO,
    Expression,
    constant,
    make,
    parameter,
    to_real,
    where,
)
from netdesc.neurons.operations import REAL, STATE_UNIT

_HALF = constant(0.5, REAL)
PEAK = parameter("peak", REAL)
WIDTH = parameter("width", REAL)

_BELLS: dict[SurrogateShape, Callable[[Expression], Expression]] = {
    "exponential": lambda widths: make("fall", widths),
    "fast_sigmoid": lambda widths: (root := ONE / (ONE + widths)) * root,
    "atan": lambda widths: ONE / (ONE + widths * widths),
    "triangle": lambda widths: make("maximum", ONE - widths, ZERO),
}

Pairs = tuple[Expression, ...]
"""What gets a gradient, its factor, and so on: arguments of ``with_gradient``."""


class SurrogateGradient:
    """The surrogate gradient of one neuron: its shape, and the unit of the neuron's states."""

    def __init__(self, shape: SurrogateShape, unit_bits: int) -> None:
        self._bell_of = _BELLS[shape]
        self._to_threshold_units = constant(STATE_UNIT / 2**unit_bits, REAL)

    def _bell(self, distance: Expression) -> Expression:
        return self._bell_of(to_real(abs(distance)) * self._to_threshold_units / WIDTH)

    def of_comparison(self, larger: Expression, smaller: Expression) -> Pairs:
        """Returns ± peak · bell for a spike that fires where ``larger`` exceeds ``smaller``."""
        slope = PEAK * self._bell(larger - smaller)
        return larger, slope, smaller, -slope

    def of_phase(self, re: Expression, im: Expression, threshold: Expression) -> Pairs:
        """Returns the gradients of a spike that ``phase_condition`` describes.

        They are those of lava-dl's phase neurons (``neuron/rf.py``), in which width is tau and
        peak is scale / (2 · tau). The threshold gets a gradient, too::

            bell_re, bell_im = bell(re - threshold), bell(im)
            to re:  peak / (2 · width) · bell_re · bell_im
            to im:  -sign(im) · peak / width · bell_im · (1 - bell_re / 2 if re > threshold
                                                          else bell_re / 2)
        """
        above = re - threshold
        bell_re, bell_im = self._bell(above), self._bell(im)
        height = PEAK / WIDTH
        slope_re = (bell_re * bell_im) * (height * _HALF)
        half = bell_re * _HALF
        size_im = bell_im * where(make("greater", above, GRID_ZERO), ONE - half, half) * height
        falling = where(make("less", im, GRID_ZERO), size_im, ZERO)
        slope_im = where(make("greater", im, GRID_ZERO), -size_im, falling)
        return re, slope_re, im, slope_im, threshold, -slope_re


def phase_condition(
    re: Expression, im: Expression, im_before: Expression, threshold: Expression
) -> Expression:
    """Returns whether ``re`` has reached the threshold while ``im`` rises through 0."""
    rises = make("and", make("less", im_before, GRID_ZERO), make("greater_equal", im, GRID_ZERO))
    return make("and", make("greater_equal", re, threshold), rises)
