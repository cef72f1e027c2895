"""Writes the step of a neuron, and the step back, as source text for Triton.

The text has four functions. Their values are blocks [BLOCK] of columns, and they return tuples::

    prepare(parameters, strides, neuron) -> fixed
    step(fixed, states, fired, inputs) -> after, fired, out, before_reset, stored
    prepare_back(parameters, strides, neuron) -> fixed
    step_back(fixed, stored, stored_before, not_first, carries, grad_out)
        -> grad_inputs, carries, grad_parameters

``prepare`` loads parameters from pointers [BLOCK] or [] (stride 0), and computes once what is the
same in all steps. States, inputs, stored values and parameters are in the order of the program.
``out`` is 0 or 1, or the graded output in state units. Values are numbered in the order of the
lines, so that equal programs give the same text in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from netdesc.kernels.printing import invariants_read, value_of, values_in_order, write_tuple
from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.expressions import Expression, constant, where
from netdesc.neurons.operations import BOOL, GRID, REAL, STATE_UNIT
from netdesc.neurons.program import Program

_IMPORTS = """\
import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import (
    fall, fill, load_decay, load_factor, load_grid, load_real, load_threshold, multiply_share,
    saturate,
)
"""

_TEXTS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "negate": "-{}",
    "absolute": "tl.abs({})",
    # In a tie, and for NaN, the second. The compiler knows that these are minimum and maximum.
    "minimum": "tl.where({0} < {1}, {0}, {1})",
    "maximum": "tl.where({0} > {1}, {0}, {1})",
    "where": "tl.where({}, {}, {})",
    "times": "multiply_share({}, {})",
    "scale": "{} * {value}",
    "saturate": "saturate({})",
    "rest": f"{STATE_UNIT} - {{}}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "fall": "fall({})",
    "to_real": f"{{}}.to(tl.float32) * {1 / STATE_UNIT!r}",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "and": "{} & {}",
    "or": "{} | {}",
    "unless_first": "tl.where(not_first, {}, 0)",
}
"""Operation -> its text, whose arguments are names. ``with_gradient`` is its first argument."""

_CONDITION_TEXTS = {"unless_first": "not_first & {}"}
"""The texts of conditions, where they differ."""

_LOADS: dict[ParameterKind, str] = {
    "decay": "load_decay({at})",
    "factor": "load_factor({at})",
    "threshold": "load_threshold({at}, {unit})",
    "grid": "load_grid({at}, {unit})",
    "real": "load_real({at})",
}
"""Kind of a parameter -> the text that loads it and rounds it to the grid."""

_LEAVES = {
    "stored": "stored[{}]",
    "stored_before": "stored_before[{}]",
    "carry": "carries[{}]",
    "output_gradient": "grad_out",
    "fired_before": "(fired != 0)",
}
"""Leaf of a step -> its text. States and inputs have names instead of numbers."""

Roots = Sequence[Sequence[Expression] | Expression]
"""What a function returns: values, and tuples of values."""


def print_program(program: Program, state_unit: int) -> str:
    """Returns the source of the four functions.

    ``state_unit`` is the number of state units in a threshold unit.
    """
    forward, backward = program.forward, program.backward
    nothing = constant(0, GRID)
    fired = nothing if forward.spike is None else where(forward.spike, constant(1, GRID), nothing)
    out = forward.output or fired
    if forward.output is not None and forward.spike is not None:
        out = where(forward.spike, forward.output, nothing)
    before_reset = [*forward.before_reset.values()]
    step: Roots = [[*forward.after.values()], fired, out, before_reset, forward.stored]
    step_back: Roots = [
        [*backward.inputs.values()],
        backward.carries,
        [*backward.parameters.values()],
    ]
    back = "stored, stored_before, not_first, carries, grad_out"
    return "".join(
        [
            _IMPORTS,
            *_functions(program, state_unit, "", "states, fired, inputs", step),
            *_functions(program, state_unit, "_back", back, step_back),
        ]
    )


class _Lines:
    """The lines of a function, and the names of its values."""

    def __init__(self, names: dict[Expression, str]) -> None:
        self._names = names
        self.lines: list[str] = []

    def compute(self, order: Iterable[Expression], leaf: Callable[[Expression], str]) -> None:
        """Adds lines for values whose arguments come before them. ``leaf`` names the leaves."""
        for a in order:
            if a.arguments:
                arguments = [self[each] for each in a.arguments]
                self._names[a] = self.add(_text(a).format(*arguments, value=a.value))
            else:
                self._names[a] = leaf(a)

    def add(self, text: str) -> str:
        """Adds a line that computes ``text``, and returns the name of the value."""
        name = f"e{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name

    def __getitem__(self, a: Expression) -> str:
        return self._names[value_of(a)]

    def result(self, roots: Roots) -> str:
        """Returns the text of all values of ``roots``."""
        return write_tuple(
            self[root] if isinstance(root, Expression) else write_tuple(self[each] for each in root)
            for root in roots
        )


def _text(a: Expression) -> str:
    texts = _CONDITION_TEXTS if a.type is BOOL and a.operation in _CONDITION_TEXTS else _TEXTS
    return texts[a.operation]


def _functions(
    program: Program, state_unit: int, suffix: str, arguments: str, roots: Roots
) -> list[str]:
    """Returns the source of the function that computes ``roots``, and of what it prepares."""
    flat = [a for root in roots for a in ([root] if isinstance(root, Expression) else root)]
    fixed = invariants_read(flat)
    names = list(program.parameters)

    prepare = _Lines({})

    def load(a: Expression) -> str:
        if a.operation == "constant":
            kind = "tl.float32" if a.type is REAL else "tl.int32"
            return prepare.add(f"fill({a.value!r}, {kind}, neuron)")
        place = names.index(str(a.value))
        at = f"parameters[{place}] + neuron * strides[{place}]"
        text = _LOADS[program.parameters[str(a.value)]]
        return prepare.add(text.format(at=at, unit=state_unit))

    prepare.compute(values_in_order(fixed), load)
    places = {"state": program.states, "input": program.inputs}

    def leaf(a: Expression) -> str:
        if a.operation in places:
            return f"{a.operation}s[{places[a.operation].index(str(a.value))}]"
        return _LEAVES[a.operation].format(a.value)

    step = _Lines({a: f"fixed[{place}]" for place, a in enumerate(fixed)})
    step.compute((a for a in values_in_order(flat) if not a.is_invariant), leaf)
    return [
        _function(f"prepare{suffix}", "parameters, strides, neuron", prepare, fixed),
        _function(f"step{suffix}", f"fixed, {arguments}", step, roots),
    ]


def _function(name: str, arguments: str, body: _Lines, roots: Roots) -> str:
    lines = [*body.lines, f"return {body.result(roots)}"]
    head = f"\n\n@triton.jit\ndef {name}({arguments}):\n"
    return head + "".join(f"    {each}\n" for each in lines)
