"""Gradients of neurons by finite differences, in numpy and in double precision.

The step is a program's forward step, evaluated twice. The first time, rounding is noted as what it
adds, conditions as what they chose, and surrogates as their slopes. The second time, with inputs or
parameters moved a little, these stay. So differences of the output are the gradients that the
language defines, on any path, with spikes or without. No adjoint and no autograd is read.

Values are in threshold units, shares are fractions. Arrays are time-first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from netdesc.neurons.definition import Definition
from netdesc.neurons.expressions import Expression, expression, in_order
from netdesc.neurons.expressions import Type as T
from netdesc.neurons.program import Program

Values = dict[Expression, np.ndarray]

_LIMIT = 1 << 29


def _choose_first(compare: Callable) -> Callable:
    return lambda a, b, a0, b0: np.where(compare(a0, b0), a, b)


_FREE: dict[str, Callable] = {
    "add": lambda a, b, *_: a + b,
    "subtract": lambda a, b, *_: a - b,
    "negate": lambda a, *_: -a,
    "rest": lambda a, *_: 1 - a,
    "absolute": lambda a, a0: np.where(a0 >= 0, a, -a),
    "minimum": _choose_first(np.less),
    "maximum": _choose_first(np.greater),
    "multiply": lambda a, b, *_: a * b,
    "divide": lambda a, b, *_: a / b,
    "fall": lambda a, *_: np.exp(-np.minimum(a, 60)),
    "times": lambda a, k, *_: a * k,
    "saturate": lambda a, *_: a,
    # The condition is a number, 0 or 1 at first; it moves if it is a spike.
    "where": lambda s, a, b, s0, a0, b0: np.where(s0 != 0, a, b) + (s - s0) * (a0 - b0),
}
"""Operation -> its smooth value, from arguments and from what they were at first."""

_CONDITIONS: dict[str, Callable] = {
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "and": np.logical_and,
    "or": np.logical_or,
}


class MovedNeurons:
    """Runs a program's forward step near a first run, whose arguments these are.

    ``inputs_TBN`` and ``parameters`` are values on the grid, parameters by name.
    """

    def __init__(
        self,
        definition: Definition,
        program: Program,
        inputs_TBN: Sequence[np.ndarray],
        parameters: dict[str, np.ndarray],
    ) -> None:
        self._program = program
        self._unit = 1 << definition.unit_bits
        forward = program.forward
        self._fired = forward.spike or expression("constant", value=0, type=T.BOOL)
        self._out = forward.output or self._fired
        if forward.spike and forward.output:
            nothing = expression("constant", value=0, type=T.GRID)
            self._out = expression("where", forward.spike, self._out, nothing, type=T.GRID)
        self._order = in_order([*forward.after.values(), self._fired, self._out])
        self._first: list[Values] = []
        self._inputs_TBN = dict(zip(program.inputs, inputs_TBN, strict=True))
        self._parameters = parameters
        self._steps, *self._shape = inputs_TBN[0].shape
        self.out_TBN = self.run()

    def run(self, moves: dict[str, np.ndarray] | None = None) -> np.ndarray:
        """Returns the output. ``moves`` are added to the inputs and parameters that they name."""
        moves = moves or {}
        inputs = {name: x + moves.get(name, 0) for name, x in self._inputs_TBN.items()}
        parameters = {name: p + moves.get(name, 0) for name, p in self._parameters.items()}
        zeros = np.zeros(self._shape)
        states, fired = dict.fromkeys(self._program.states, zeros), zeros
        is_first, out = not self._first, []
        for t in range(self._steps):
            named = {("input", name): x[t] for name, x in inputs.items()}
            named |= {("state", name): x for name, x in states.items()}
            named |= {("parameter", name): x for name, x in parameters.items()}
            named["fired_before", None] = fired
            if is_first:
                self._first.append({})
            values = self._step(named, self._first[t], is_first)
            after = self._program.forward.after
            states = {name: values[each] + zeros for name, each in after.items()}
            fired = values[self._fired] + zeros
            out.append(values[self._out] + zeros)
        return np.stack(out)

    def _step(self, named: dict, first: Values, is_first: bool) -> Values:
        values: Values = {}
        for each in self._order:
            if each.operation == "constant":
                units = {T.GRID: self._unit, T.SHARE: 4096}
                value = np.float64(each.value) / units.get(each.type, 1)
            elif not each.arguments:
                value = named[each.operation, each.value]
            else:
                value = self._compute(each, values, first, is_first)
            values[each] = value
            if is_first:
                first[each] = value
        return values

    def _compute(
        self, each: Expression, values: Values, first: Values, is_first: bool
    ) -> np.ndarray:
        arguments = [values[a] for a in each.arguments]
        at_first = [first[a] for a in each.arguments]
        if each.operation in _CONDITIONS:
            return _CONDITIONS[each.operation](*at_first).astype(np.float64)
        if each.operation == "with_gradient":
            pairs = zip(arguments[1::2], at_first[1::2], at_first[2::2], strict=True)
            return at_first[0] + sum(slope * (b - b0) for b, b0, slope in pairs)
        if each.operation == "scale":
            return arguments[0] * each.value
        if each.operation == "to_real":
            return arguments[0] * (self._unit / 4096)
        smooth = _FREE[each.operation]
        value = smooth(*arguments, *at_first)
        if each.operation not in ("times", "saturate"):
            return value
        base = smooth(*at_first, *at_first) * self._unit
        return value + (np.clip(np.trunc(base), -_LIMIT, _LIMIT) - base) / self._unit


def slope(function: Callable[[float], float], step: float = 1e-5) -> float:
    """Returns the derivative of a function of one number at 0."""
    return (function(step) - function(-step)) / (2 * step)
