"""Ranges: proves by intervals that 32 bits hold every integer of a step.

Where they would not, the operands are saturated at ``STATE_LIMIT``; that is then what the neuron
computes, in every engine. Saturation that never acts is removed.

Near arithmetic is the same step without any saturation, and with 32-bit products of states and
shares. Engines use it while states are small, and check afterwards that they were.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace

from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.expressions import PARAMETER_LIMIT, Expression, in_order, make, remake, rewrite
from netdesc.neurons.mistakes import EquationError, Mistake, Place
from netdesc.neurons.operations import GRID, OPERATIONS, SHARE, STATE_LIMIT, STATE_UNIT
from netdesc.neurons.program import Neuron

MAX_INT = (1 << 31) - 1
"""Integers must stay within ± this number, so that they can be negated."""

Interval = tuple[int, int]


def _reach(interval: Interval) -> int:
    return max(-interval[0], interval[1])


def _cut(interval: Interval, limit: int) -> Interval:
    return max(-limit, min(interval[0], limit)), min(limit, max(interval[1], -limit))


_KIND_INTERVALS: dict[ParameterKind, Interval] = {
    "decay": (0, STATE_UNIT),
    "factor": (-STATE_UNIT, STATE_UNIT),
    "threshold": (-PARAMETER_LIMIT, PARAMETER_LIMIT),
    "grid": (-PARAMETER_LIMIT, PARAMETER_LIMIT),
}


class Ranges:
    """Intervals of expressions. States of the step before are within ± ``state_limit``."""

    def __init__(self, parameters: dict[str, ParameterKind], state_limit: int) -> None:
        self.intervals: dict[Expression, Interval] = {}
        self._parameters = parameters
        self._leaves = {"state": (-state_limit, state_limit), "input": (-STATE_LIMIT, STATE_LIMIT)}

    def __getitem__(self, a: Expression) -> Interval:
        """Returns the interval of ``a``, and (0, 0) if it is no integer."""
        if a not in self.intervals:
            is_integer = a.type in (GRID, SHARE)
            self.intervals[a] = self._compute(a) if is_integer else (0, 0)
        return self.intervals[a]

    def _compute(self, a: Expression) -> Interval:
        if a.operation == "constant":
            assert isinstance(a.value, int)
            return a.value, a.value
        if a.operation == "parameter":
            return _KIND_INTERVALS[self._parameters[str(a.value)]]
        if not a.arguments:
            return self._leaves[a.operation]
        arguments = [self[each] for each in a.arguments]
        if a.operation == "with_gradient":
            return arguments[0]
        if a.operation == "where":
            ends = [*arguments[1], *arguments[2]]
        elif a.operation == "scale":
            assert isinstance(a.value, int)
            ends = [a.value * end for end in arguments[0]]
        else:  # Each rises or falls with each of its arguments, but for |a|.
            fold = OPERATIONS[a.operation].fold
            assert fold is not None
            ends = [int(fold(*each)) for each in itertools.product(*arguments)]
        if a.operation == "absolute" and arguments[0][0] < 0 < arguments[0][1]:
            ends.append(0)
        return min(ends), max(ends)


def hold_in_32_bits(neuron: Neuron) -> Neuron:
    """Returns the neuron with saturation where, and only where, a value could be too large.

    Raises EquationError if a number, or a multiple of a value that may be ``STATE_LIMIT``, does not
    fit in 32 bits even so.
    """
    ranges = Ranges(neuron.parameters, STATE_LIMIT)
    too_large: list[Expression] = []

    def saturated(a: Expression) -> Expression:
        return make("saturate", a) if a.type is GRID and _reach(ranges[a]) > STATE_LIMIT else a

    def change(a: Expression, arguments: tuple[Expression, ...]) -> Expression:
        if a.operation == "saturate" and _reach(ranges[arguments[0]]) <= STATE_LIMIT:
            return arguments[0]
        made = remake(a, *arguments)
        if _reach(ranges[made]) > MAX_INT:
            made = remake(a, *map(saturated, arguments))
            if _reach(ranges[made]) > MAX_INT:
                too_large.append(a)
                ranges.intervals[made] = (-MAX_INT, MAX_INT)
        return made

    roots = neuron.roots
    changed = rewrite(roots, change)
    if too_large:  # a multiple of a multiple is reported once
        first = [a for a in too_large if not {*too_large} & {*a.arguments}]
        message = "The result may not fit in 32 bits: limit a state with clip before multiplying."
        raise EquationError(Mistake(_place_of(a, neuron, roots), message) for a in first)
    return replace(
        neuron,
        before_reset={name: changed[a] for name, a in neuron.before_reset.items()},
        after={name: changed[a] for name, a in neuron.after.items()},
        spike=neuron.spike and changed[neuron.spike],
        output=neuron.output and changed[neuron.output],
    )


def _place_of(a: Expression, neuron: Neuron, roots: list[Expression]) -> Place:
    """Returns the place of ``a``, or of the smallest expression around it that has one."""
    around = {a}
    for each in in_order(roots):
        if each in around or not around.isdisjoint(each.arguments):
            around.add(each)
            if each in neuron.places:
                return neuron.places[each]
    return Place("step", 0, 0, 0)


def near_limit(neuron: Neuron, stored: Iterable[Expression]) -> tuple[int, tuple[Expression, ...]]:
    """Returns ``Program.near_limit``, and the ``Forward.products`` that it goes with."""
    order = in_order([*neuron.roots, *stored], with_gradients=False)
    for bits in range(STATE_LIMIT.bit_length() - 1, -1, -1):
        if (products := _products(neuron, order, 1 << bits)) is not None:
            return 1 << bits, products
    raise AssertionError("a step of states 0 and 1 leaves 32 bits")


def _products(neuron: Neuron, order: list[Expression], limit: int) -> tuple[Expression, ...] | None:
    """Returns the values that engines must check beside states, None if ``limit`` is too large.

    A check fails at the first value, in order, that is beyond the limit. All before it were right,
    so that intervals may be cut at the limit after a check.
    """
    ranges = Ranges(neuron.parameters, limit)
    checked = {*neuron.before_reset.values(), *neuron.after.values()}
    multiplied = {a.arguments[0] for a in order if a.operation == "times"}
    saturated = {a.arguments[0] for a in order if a.operation == "saturate" and a not in checked}
    products: list[Expression] = []
    for a in order:
        if a.type is not GRID:
            continue
        if a.operation == "saturate":
            ranges.intervals[a] = ranges[a.arguments[0]]
        factors = [_reach(ranges[each]) for each in a.arguments] if a.operation == "times" else []
        if max(_reach(ranges[a]), math.prod(factors)) > MAX_INT:
            return None
        if a not in checked and (
            (a in multiplied and _reach(ranges[a]) > limit)
            or (a in saturated and _reach(ranges[a]) > STATE_LIMIT)
        ):
            products.append(a)
            checked.add(a)
        if a in checked:
            ranges.intervals[a] = _cut(ranges[a], limit)
    return tuple(products)
