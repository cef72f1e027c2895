"""Oracle of spikes and states: runs the text of equations with Python's unbounded integers.

It shares no code with netdesc, and knows no gradients and no ranges. Only assigned states saturate.
"""

import ast
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netdesc.neurons.definition import Definition

LIMIT = 1 << 29


@dataclass(frozen=True)
class Share:
    """A decay or factor in parts of 4096: what the name's value is, not what a decay keeps."""

    parts: int


@dataclass(frozen=True)
class Real:
    """A value of a ``real`` parameter. (A plain float is a number without a type.)"""

    value: float


@dataclass(frozen=True)
class Run:
    """All of a run; [T, N] each, in state units."""

    spikes_TN: np.ndarray
    """bool; False without ``spike``."""
    output_TN: np.ndarray
    """int64: the output. With ``spike`` and ``output``, 0 where the neuron is silent."""
    before_reset_TN: dict[str, np.ndarray]
    after_TN: dict[str, np.ndarray]


def to_grid(kind: str, value: float, unit_bits: int = 12) -> Any:
    """Returns a parameter as its name is read."""
    if kind in ("decay", "factor"):
        return Share(round(4096 * value))
    if kind == "real":
        return Real(value)
    mantissa = 64 * int(64 * value) if kind == "threshold" else int(4096 * value)
    return mantissa << (unit_bits - 12)


def toward_zero(product: int) -> int:
    return abs(product) // 4096 * (1 if product >= 0 else -1)


OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


class Interpreter:
    """One neuron: its states, and the values of the names in the equation that is read."""

    def __init__(self, definition: Definition, parameters: Mapping[str, float]) -> None:
        self.definition = definition
        kinds = {"bias": "grid", **dict(definition.parameters)}
        self.unit = 1 << definition.unit_bits
        self.parameters = {
            name: to_grid(kinds[name], float(value), definition.unit_bits)
            for name, value in parameters.items()
            if name in kinds
        }
        assigned = [text.split("=")[0].strip() for text in definition.step + definition.reset]
        self.states: dict[str, int] = dict.fromkeys(assigned, 0)
        self.before = dict(self.states)
        self.has_fired = False
        self.inputs: dict[str, int] = {}

    def step(self, inputs: Mapping[str, int]) -> tuple[bool, int, dict[str, int], dict[str, int]]:
        """Returns spike, output, states before and after the reset."""
        self.inputs = dict(inputs)
        self.before = dict(self.states)
        for text in self.definition.step:
            name, value = self._assigned(text)
            self.states[name] = value
        before_reset = dict(self.states)
        spike, output = self.definition.spike, self.definition.output
        fires = spike is not None and self.value(ast.parse(spike.strip(), mode="eval").body)
        handed_on = self.unit if fires else 0
        if output is not None and (fires or spike is None):
            handed_on = self.grid(self.value(ast.parse(output.strip(), mode="eval").body))
        if fires:
            self.states |= dict([self._assigned(text) for text in self.definition.reset])
        self.has_fired = fires
        return fires, handed_on, before_reset, dict(self.states)

    def _assigned(self, text: str) -> tuple[str, int]:
        name, expression = text.split("=", 1)
        value = self.grid(self.value(ast.parse(expression.strip(), mode="eval").body))
        return name.strip(), self.held(name.strip(), value)

    def held(self, state: str, value: int) -> int:
        """Returns what a state becomes that a value is assigned to."""
        return max(-LIMIT, min(LIMIT, value))

    def grid(self, value: Any) -> int:
        """Returns a state. A number is in threshold units."""
        result = round(value * self.unit) if isinstance(value, float) else value
        assert type(result) is int
        return result

    def share(self, value: Any) -> int:
        return round(4096 * value) if isinstance(value, float) else value.parts

    def alike(self, *values: Any) -> list[Any]:
        """Returns plain values of one type, for what compares or chooses."""
        if any(isinstance(each, Real) for each in values):
            return [each.value if isinstance(each, Real) else each for each in values]
        return [self.grid(each) for each in values]

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=number):
                return float(number)
            case ast.Name(id=name):
                return {**self.parameters, **self.inputs, **self.states}[name]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.product(-1.0, self.value(inner))
            case ast.UnaryOp(operand=inner):
                return self.value(inner)
            case ast.BoolOp(op=op, values=values):
                return (all if isinstance(op, ast.And) else any)([self.value(v) for v in values])
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return OPERATORS[type(op)](*self.alike(self.value(left), self.value(right)))
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self.product(self.value(left), self.value(right))
            case ast.BinOp(left=left, op=op, right=right):
                return self.sum(OPERATORS[type(op)], self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id="before"), args=[ast.Name(id=name)]):
                return self.has_fired if name == "spike" else self.before[name]
            case ast.Call(func=ast.Name(id="phase_spike"), args=[re, ast.Name(id=im), threshold]):
                reaches = self.grid(self.value(re)) >= self.grid(self.value(threshold))
                return reaches and self.before[im] < 0 <= self.states[im]
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return getattr(self, f"call_{name}")(*(self.value(each) for each in arguments))
        raise AssertionError(ast.dump(node))

    def sum(self, compute: Any, a: Any, b: Any) -> Any:
        if isinstance(b, Share):
            assert (compute, a) == (operator.sub, 1.0)
            return Share(4096 - b.parts)
        if isinstance(a, float) and isinstance(b, float):
            return compute(a, b)
        result = compute(*self.alike(a, b))
        return Real(result) if isinstance(a, Real) or isinstance(b, Real) else result

    def product(self, a: Any, b: Any) -> Any:
        if isinstance(b, int) or (isinstance(b, Real) and isinstance(a, float)):
            a, b = b, a
        if isinstance(a, Real):
            return Real(a.value * (b.value if isinstance(b, Real) else b))
        if isinstance(b, Share):
            return toward_zero(a * b.parts)
        return a * int(b) if isinstance(a, int) else a * b

    def call_decay(self, state: Any, lost: Any) -> int:
        return toward_zero(self.grid(state) * (4096 - self.share(lost)))

    def call_scaled(self, state: Any, factor: Any) -> int:
        return toward_zero(self.grid(state) * self.share(factor))

    def call_where(self, condition: bool, a: Any, b: Any) -> Any:
        return self.wrapped(a if condition else b, a, b)

    def call_abs(self, a: Any) -> Any:
        a = self.wrapped(a, a)
        return a if self.alike(a)[0] >= 0 else self.product(-1.0, a)

    def call_min(self, a: Any, b: Any) -> Any:
        first, second = self.alike(a, b)
        return self.wrapped(a if first < second else b, a, b)

    def call_max(self, a: Any, b: Any) -> Any:
        first, second = self.alike(a, b)
        return self.wrapped(a if first > second else b, a, b)

    def call_clip(self, a: Any, low: Any, high: Any) -> Any:
        return self.call_min(self.call_max(a, low), high)

    def call_stop(self, a: Any) -> Any:
        return self.wrapped(a, a)

    def call_straight_through(self, value: Any, a: Any) -> Any:
        return self.grid(value)

    def call_norm(self, a: Any) -> int:
        return self.grid(a) + self.parameters.get("bias", 0)

    def wrapped(self, chosen: Any, *among: Any) -> Any:
        """Returns a chosen value with the type of all between which the choice was."""
        if any(isinstance(each, Real) for each in among):
            return Real(chosen) if isinstance(chosen, float) else chosen
        return self.grid(chosen)


def run_equations(
    definition: Definition,
    parameters: Mapping[str, Sequence[float] | np.ndarray],
    inputs_TN: Sequence[np.ndarray],
    interpreter: type[Interpreter] = Interpreter,
) -> Run:
    """Returns what neurons compute.

    ``parameters`` are real, as a user writes them, one value a neuron; ``peak`` and ``width`` are
    ignored. ``inputs_TN`` has int64 [T, N] for each input, in state units.
    """
    T, N = inputs_TN[0].shape
    spikes_TN, output_TN = np.zeros((T, N), bool), np.zeros((T, N), np.int64)
    before_reset_TN: dict[str, np.ndarray] = {}
    after_TN: dict[str, np.ndarray] = {}
    for n in range(N):
        neuron = interpreter(definition, {name: parameters[name][n] for name in parameters})
        for t in range(T):
            values = (int(each_TN[t, n]) for each_TN in inputs_TN)
            found = neuron.step(dict(zip(definition.inputs, values, strict=True)))
            spikes_TN[t, n], output_TN[t, n], before_reset, after = found
            for states_TN, states in ((before_reset_TN, before_reset), (after_TN, after)):
                for name, value in states.items():
                    states_TN.setdefault(name, np.zeros((T, N), np.int64))[t, n] = value
    return Run(spikes_TN, output_TN, before_reset_TN, after_TN)
