"""Runs programs in numpy, all neurons at once, without any engine.

Forward, integers have 64 bits. Forward-mode derivatives of the same expressions, by a table of
their own, are the oracle of every adjoint, which goes in reverse. Values have any one shape.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from support.equations import Case

from netdesc.neurons.expressions import Expression, in_order
from netdesc.neurons.operations import GRID, STATE_LIMIT
from netdesc.neurons.program import Program

Leaves = Mapping[tuple[str, Any], Any]
"""(operation, value) of a leaf -> its value."""


def toward_zero(product: Any) -> Any:
    return np.sign(product) * (np.abs(product) // 4096)


VALUES: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "negate": operator.neg,
    "absolute": np.abs,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "where": np.where,
    "times": lambda a, k: toward_zero(a * k),
    "saturate": lambda a: np.clip(a, -STATE_LIMIT, STATE_LIMIT),
    "rest": lambda k: 4096 - k,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "fall": lambda a: np.exp(-np.minimum(a, 60.0)),
    "to_real": lambda a: a / 4096,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "and": np.logical_and,
    "or": np.logical_or,
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
            values[a] = np.zeros_like(arguments[0]) if leaves["first", None] else arguments[0]
        else:
            values[a] = operations[a.operation](*arguments)
    return values


def on_grid(program: Program, parameters: Mapping[str, Any], unit: int) -> dict[Any, Any]:
    """Returns the parameter leaves. ``parameters`` are real, as a user writes them."""
    convert: dict[str, Callable[[Any], Any]] = {
        "decay": lambda p: 4096 - np.rint(4096 * p).astype(np.int64),
        "factor": lambda p: np.rint(4096 * p).astype(np.int64),
        "threshold": lambda p: (64 * p).astype(np.int64) * (unit // 64),
        "grid": lambda p: (4096 * p).astype(np.int64) * (unit // 4096),
        "real": lambda p: p,
    }
    kinds = program.parameters.items()
    return {("parameter", name): convert[kind](np.array(parameters[name])) for name, kind in kinds}


@dataclass
class Step:
    """What a forward step read and computed."""

    leaves: dict[tuple[str, Any], Any]
    values: dict[Expression, Any]
    stored: list[Any]


def forward(
    program: Program,
    fixed: Leaves,
    inputs: Sequence[Sequence[Any]],
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


def run_case(program: Program, case: Case) -> tuple[dict[Any, Any], list[Step]]:
    """Returns the parameter leaves and the steps of a run."""
    fixed = on_grid(program, case.parameters, 1 << case.definition.unit_bits)
    return fixed, forward(program, fixed, list(zip(*case.inputs_TN, strict=True)))


def backward(
    program: Program,
    fixed: Leaves,
    steps: Sequence[Step],
    output_gradients: Sequence[Any],
    operations: Mapping[str, Any] = VALUES,
) -> dict[str, Any]:
    """Returns the gradients of inputs, by step, and those of the parameters."""
    step, stored = program.adjoint, [each.stored for each in steps]
    order = in_order([*step.inputs.values(), *step.carries, *step.parameters.values()])
    carries = [0.0] * len(step.carries)
    found: dict[str, Any] = {name: [] for name in step.inputs} | dict.fromkeys(step.parameters, 0)
    for t, gradient in reversed([*enumerate(output_gradients)]):
        leaves = {**fixed, ("output_gradient", None): gradient, ("first", None): t == 0}
        leaves |= {("carry", index): value for index, value in enumerate(carries)}
        # What stands before the first step is arbitrary, and must not be used.
        before = stored[t - 1] if t else [987_654_321] * len(stored[0])
        leaves |= {("stored", slot): value for slot, value in enumerate(stored[t])}
        leaves |= {("stored_before", slot): value for slot, value in enumerate(before)}
        values = evaluate(order, leaves, operations)
        for name, a in step.inputs.items():
            found[name].insert(0, np.broadcast_to(values[a], np.shape(gradient)))
        carries = [values[a] for a in step.carries]
        for name, a in step.parameters.items():
            found[name] = found[name] + np.broadcast_to(values[a], np.shape(gradient))
    return {name: np.array(each) for name, each in found.items()}


class ForwardMode:
    """Derivatives along a direction of inputs and parameters, in threshold units."""

    def __init__(self, program: Program, unit: int) -> None:
        self.program = program
        self.unit = unit

    def real(self, a: Expression, value: Any) -> Any:
        return value / self.unit if a.type is GRID else value

    def slope(self, a: Expression, values: Mapping[Expression, Any], slopes: list[Any]) -> Any:
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
                return np.where(of[0] >= 0, s[0], -s[0])
            case "minimum":
                return np.where(of[0] < of[1], s[0], s[1])
            case "maximum":
                return np.where(of[0] > of[1], s[0], s[1])
            case "where":
                jump = self.real(a, of[1]) - self.real(a, of[2])
                return np.where(of[0], s[1], s[2]) + s[0] * jump
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

    def run(self, steps: Sequence[Step], along: Mapping[str, Any]) -> np.ndarray:
        """Returns the slope of the output of each step. ``along`` has directions: of inputs by
        step, of parameters as a user writes them."""
        program, forward = self.program, self.program.forward
        signs = {"decay": -1.0, "real": 0.0}
        fixed = {
            ("parameter", name): along.get(name, 0.0) * signs.get(kind, 1.0)
            for name, kind in program.parameters.items()
        }
        states, fired = dict.fromkeys(program.states, 0.0), 0.0
        none, outputs = [0.0] * len(steps), []
        for t, step in enumerate(steps):
            leaves = {**fixed, ("fired_before", None): fired}
            leaves |= {("state", name): value for name, value in states.items()}
            leaves |= {("input", name): along.get(name, none)[t] for name in program.inputs}
            slopes: dict[Expression, Any] = {}
            for a in step.values:
                if a.arguments:
                    slopes[a] = self.slope(a, step.values, [slopes[each] for each in a.arguments])
                else:
                    slopes[a] = leaves.get((a.operation, a.value), 0.0)
            states = {name: slopes[a] for name, a in forward.after.items()}
            spike, output = forward.spike, forward.output
            fired = slopes[spike] if spike is not None else 0.0
            slope = fired if output is None else slopes[output]
            if spike is not None and output is not None:
                payload = np.where(step.values[spike], slope, 0.0)
                slope = payload + fired * self.real(output, step.values[output])
            outputs.append(
                np.broadcast_to(slope, np.shape(step.leaves["input", program.inputs[0]]))
            )
        return np.array(outputs)
