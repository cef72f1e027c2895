"""Runs programs in plain Python, one neuron at a time, without any engine.

Forward, the integers are unbounded. Forward-mode derivatives of the same expressions, by a table of
their own, are the oracle of the step back, which goes in reverse.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netdesc.neurons.expressions import GRID, STATE_LIMIT, Expression, in_order
from netdesc.neurons.program import Program

Leaves = Mapping[tuple[str, Any], Any]
"""(operation, value) of a leaf -> its value."""


def toward_zero(product: int) -> int:
    return abs(product) // 4096 * (1 if product >= 0 else -1)


VALUES: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "negate": operator.neg,
    "absolute": abs,
    "minimum": lambda a, b: a if a < b else b,
    "maximum": lambda a, b: a if a > b else b,
    "where": lambda a, b, c: b if a else c,
    "times": lambda a, k: toward_zero(a * k),
    "saturate": lambda a: max(-STATE_LIMIT, min(STATE_LIMIT, a)),
    "rest": lambda k: 4096 - k,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "fall": lambda a: math.exp(-min(a, 60.0)),
    "to_real": lambda a: a / 4096,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "with_gradient": lambda a, *_: a,
}
SMOOTH = VALUES | {"times": lambda a, k: a * k / 4096, "saturate": lambda a: a}
"""Nothing is rounded, so that finite differences are exact."""


def evaluate(
    order: Sequence[Expression], leaves: Leaves, operations: Mapping[str, Any] = VALUES
) -> dict[Expression, Any]:
    """Returns the values of expressions ``in_order``, with or without gradients."""
    values: dict[Expression, Any] = {}
    for a in order:
        has_gradient = a.operation == "with_gradient"
        arguments = [values[each] for each in a.arguments[: 1 if has_gradient else None]]
        if a.operation == "constant":
            values[a] = a.value
        elif not arguments:
            values[a] = leaves[a.operation, a.value]
        elif a.operation == "scale":
            values[a] = arguments[0] * a.value
        elif a.operation == "unless_first":
            values[a] = type(arguments[0])(0) if leaves["first", None] else arguments[0]
        else:
            values[a] = operations[a.operation](*arguments)
    return values


def on_grid(program: Program, parameters: Mapping[str, float], unit: int) -> dict[Any, Any]:
    """Returns the parameter leaves. ``parameters`` are real, as a user writes them."""
    convert = {
        "decay": lambda p: 4096 - round(4096 * p),
        "factor": lambda p: round(4096 * p),
        "threshold": lambda p: int(64 * p) * (unit // 64),
        "grid": lambda p: int(4096 * p) * (unit // 4096),
        "real": float,
    }
    kinds = program.parameters.items()
    return {("parameter", name): convert[kind](parameters[name]) for name, kind in kinds}


@dataclass
class Step:
    """What a forward step read and computed."""

    leaves: dict[tuple[str, Any], Any]
    values: dict[Expression, Any]
    stored: list[Any]


def forward(
    program: Program,
    fixed: Leaves,
    inputs: Sequence[Sequence[float]],
    operations: Mapping[str, Any] = VALUES,
) -> list[Step]:
    """Returns the steps of a run; ``inputs`` has the input values of each step, in state units."""
    step = program.forward
    roots = [*step.before_reset.values(), *step.after.values(), *step.stored, *step.products]
    roots += [each for each in (step.spike, step.output) if each is not None]
    order = in_order(roots)
    states, fired = dict.fromkeys(program.states, 0), False
    steps = []
    for now in inputs:
        leaves = {**fixed, ("fired_before", None): fired}
        leaves |= {("state", name): value for name, value in states.items()}
        leaves |= {("input", name): x for name, x in zip(program.inputs, now, strict=True)}
        values = evaluate(order, leaves, operations)
        states = {name: values[a] for name, a in step.after.items()}
        fired = step.spike is not None and values[step.spike]
        steps.append(Step(leaves, values, [values[a] for a in step.stored]))
    return steps


def backward(
    program: Program,
    fixed: Leaves,
    stored: Sequence[Sequence[Any]],
    output_gradients: Sequence[float],
    operations: Mapping[str, Any] = VALUES,
) -> tuple[list[dict[str, float]], dict[str, float]]:
    """Returns the gradients of the inputs of each step, and those of the parameters."""
    step = program.backward
    roots = [*step.inputs.values(), *step.carries, *step.parameters.values()]
    order = in_order(roots)
    carries = [0.0] * len(step.carries)
    of_inputs: list[dict[str, float]] = []
    of_parameters = dict.fromkeys(step.parameters, 0.0)
    for t in reversed(range(len(stored))):
        leaves = {**fixed, ("output_gradient", None): output_gradients[t], ("first", None): t == 0}
        leaves |= {("carry", index): value for index, value in enumerate(carries)}
        # What stands before the first step is arbitrary, and must not be used.
        before = stored[t - 1] if t else [987_654_321] * len(stored[0])
        leaves |= {("stored", slot): value for slot, value in enumerate(stored[t])}
        leaves |= {("stored_before", slot): value for slot, value in enumerate(before)}
        values = evaluate(order, leaves, operations)
        of_inputs.insert(0, {name: values[a] for name, a in step.inputs.items()})
        carries = [values[a] for a in step.carries]
        for name, a in step.parameters.items():
            of_parameters[name] += values[a]
    return of_inputs, of_parameters


class ForwardMode:
    """Derivatives along a direction of inputs and parameters, in threshold units."""

    def __init__(self, program: Program, unit: int) -> None:
        self.program = program
        self.unit = unit

    def real(self, a: Expression, value: float) -> float:
        return value / self.unit if a.type is GRID else value

    def slope(self, a: Expression, values: Mapping[Expression, Any], slopes: list[float]) -> float:
        """Returns the slope of ``a``, from those of its arguments."""
        of = [values[each] for each in a.arguments]
        s = slopes
        match a.operation:
            case "add":
                return s[0] + s[1]
            case "subtract":
                return s[0] - s[1]
            case "negate" | "rest":
                return -s[0]
            case "absolute":
                return s[0] if of[0] >= 0 else -s[0]
            case "minimum":
                return s[0] if of[0] < of[1] else s[1]
            case "maximum":
                return s[0] if of[0] > of[1] else s[1]
            case "where":
                jump = self.real(a, of[1]) - self.real(a, of[2])
                return (s[1] if of[0] else s[2]) + s[0] * jump
            case "times":
                return s[0] * of[1] / 4096 + s[1] * of[0] / self.unit
            case "scale":
                return s[0] * a.value
            case "saturate":
                return s[0]
            case "to_real":
                return s[0] * (self.unit / 4096 if a.arguments[0].type is GRID else 1)
            case "with_gradient":
                return sum(x * y for x, y in zip(s[1::2], of[2::2], strict=True))
        # Conditions have no slope, and surrogates are not differentiated.
        return 0.0

    def run(
        self,
        steps: Sequence[Step],
        input_slopes: Sequence[Sequence[float]],
        parameter_slopes: Mapping[str, float],
    ) -> list[float]:
        """Returns the slope of what is handed on in each step. Slopes are those of real values."""
        program, forward = self.program, self.program.forward
        signs = {"decay": -1.0, "real": 0.0}
        fixed = {
            ("parameter", name): parameter_slopes.get(name, 0.0) * signs.get(kind, 1.0)
            for name, kind in program.parameters.items()
        }
        states, fired, handed_on = dict.fromkeys(program.states, 0.0), 0.0, []
        for step, now in zip(steps, input_slopes, strict=True):
            leaves = {**fixed, ("fired_before", None): fired}
            leaves |= {("state", name): value for name, value in states.items()}
            leaves |= {("input", name): x for name, x in zip(program.inputs, now, strict=True)}
            slopes: dict[Expression, float] = {}
            for a in step.values:
                if a.arguments:
                    slopes[a] = self.slope(a, step.values, [slopes[each] for each in a.arguments])
                else:
                    slopes[a] = leaves.get((a.operation, a.value), 0.0)
            states = {name: slopes[a] for name, a in forward.after.items()}
            spike, output = forward.spike, forward.output
            fired = slopes[spike] if spike is not None else 0.0
            if output is None:
                handed_on.append(fired)
            elif spike is None:
                handed_on.append(slopes[output])
            else:
                payload = slopes[output] if step.values[spike] else 0.0
                handed_on.append(payload + fired * self.real(output, step.values[output]))
        return handed_on
