"""Spikes with their surrogate gradients.

``peak`` and ``width`` are real parameters. A distance d is in threshold units. Between shapes only
the bell differs, which is 1 at d = 0 and falls to 0 over about one ``width``.
"""

from __future__ import annotations

from collections.abc import Callable

from netdesc.neurons.arithmetic import (
    ONE,
    ZERO,
    absolute,
    add,
    both,
    compare,
    constant,
    divide,
    fall,
    maximum,
    multiply,
    negate,
    parameter,
    subtract,
    to_real,
    where,
)
from netdesc.neurons.definition import SurrogateShape
from netdesc.neurons.expressions import GRID, REAL, STATE_UNIT, Expression

_NOTHING = constant(0, GRID)
_HALF = constant(0.5, REAL)
PEAK = parameter("peak", REAL)
WIDTH = parameter("width", REAL)


def _fast_sigmoid(widths: Expression) -> Expression:
    root = divide(ONE, add(ONE, widths))
    return multiply(root, root)


_BELLS: dict[SurrogateShape, Callable[[Expression], Expression]] = {
    "exponential": fall,
    "fast_sigmoid": _fast_sigmoid,
    "atan": lambda widths: divide(ONE, add(ONE, multiply(widths, widths))),
    "triangle": lambda widths: maximum(subtract(ONE, widths), ZERO),
}


Pairs = tuple[Expression, ...]
"""What gets a gradient, its factor, and so on: arguments of ``with_gradient``."""


class Surrogate:
    """The surrogate of one neuron: its shape, and the unit of its states."""

    def __init__(self, shape: SurrogateShape, unit_bits: int) -> None:
        self._bell_of = _BELLS[shape]
        self._to_threshold_units = constant(STATE_UNIT / 2**unit_bits, REAL)

    def _bell(self, distance: Expression) -> Expression:
        """Returns the bell at a GRID difference."""
        real = multiply(to_real(absolute(distance)), self._to_threshold_units)
        return self._bell_of(divide(real, WIDTH))

    def of_comparison(self, larger: Expression, smaller: Expression) -> Pairs:
        """Returns the gradients of a spike that fires where ``larger`` exceeds ``smaller``.

        They are peak · bell of the difference, as pairs of an expression and its factor.
        """
        slope = multiply(PEAK, self._bell(subtract(larger, smaller)))
        return larger, slope, smaller, negate(slope)

    def of_phase(self, re: Expression, im: Expression, threshold: Expression) -> Pairs:
        """Returns the gradients of a spike that ``phase_condition`` describes.

        They are those of lava-dl's phase neurons (``neuron/rf.py``), in which width is tau and
        peak is scale / (2 · tau). The threshold gets a gradient, too::

            bell_re, bell_im = bell(re - threshold), bell(im)
            to re:  peak / (2 · width) · bell_re · bell_im
            to im:  -sign(im) · peak / width · bell_im · (1 - bell_re / 2 if re > threshold
                                                          else bell_re / 2)
        """
        above = subtract(re, threshold)
        bell_re, bell_im = self._bell(above), self._bell(im)
        height = divide(PEAK, WIDTH)
        slope_re = multiply(multiply(bell_re, bell_im), multiply(height, _HALF))
        half = multiply(bell_re, _HALF)
        step = where(compare("greater", above, _NOTHING), subtract(ONE, half), half)
        size_im = multiply(multiply(bell_im, step), height)
        falling = where(compare("less", im, _NOTHING), size_im, ZERO)
        slope_im = where(compare("greater", im, _NOTHING), negate(size_im), falling)
        return re, slope_re, im, slope_im, threshold, negate(slope_re)


def phase_condition(
    re: Expression, im: Expression, im_before: Expression, threshold: Expression
) -> Expression:
    """Returns whether ``re`` has reached the threshold while ``im`` rises through 0."""
    rises = both(compare("less", im_before, _NOTHING), compare("greater_equal", im, _NOTHING))
    return both(compare("greater_equal", re, threshold), rises)
