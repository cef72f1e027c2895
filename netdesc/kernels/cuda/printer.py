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

import functools
import linecache
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netdesc.kernels.printing import (
    TEXTS,
    Leaf,
    Lines,
    invariants_read,
    write_function,
    write_tuple,
)
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition, ParameterKind
from netdesc.neurons.expressions import Expression, constant, where
from netdesc.neurons.operations import GRID, REAL, STATE_UNIT
from netdesc.neurons.program import Program

_IMPORTS = """\
import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import (
    fall, fill, load_decay, load_factor, load_grid, load_threshold, multiply_share, saturate,
)
"""

_TEXTS = {
    **TEXTS,
    "negate": "-{}",
    "absolute": "tl.abs({})",
    # In a tie, and for NaN, the second. The compiler knows that these are minimum and maximum.
    "minimum": "tl.where({0} < {1}, {0}, {1})",
    "maximum": "tl.where({0} > {1}, {0}, {1})",
    "where": "tl.where({}, {}, {})",
    "times": "multiply_share({}, {})",
    "scale": "{} * {value}",
    "to_real": f"{{}}.to(tl.float32) * {1 / STATE_UNIT!r}",
    "unless_first": "tl.where(not_first, {0}, tl.zeros_like({0}))",
}

_LOADS: dict[ParameterKind, str] = {
    "decay": "load_decay({at})",
    "factor": "load_factor({at})",
    "threshold": "load_threshold({at}, {unit})",
    "grid": "load_grid({at}, {unit})",
    "real": "tl.load({at})",
}
"""Kind of a parameter -> the text that loads it and rounds it to the grid."""

Roots = Sequence[Sequence[Expression] | Expression]
"""What a function returns: values, and tuples of values."""


def print_program(program: Program, state_unit: int) -> str:
    """Returns the source of the four functions.

    ``state_unit`` is the number of state units in a threshold unit.
    """
    forward = program.forward
    nothing = constant(0, GRID)
    fired = nothing if forward.spike is None else where(forward.spike, constant(1, GRID), nothing)
    out = forward.output or fired
    if forward.output is not None and forward.spike is not None:
        out = where(forward.spike, forward.output, nothing)
    before_reset = [*forward.before_reset.values()]
    step: Roots = [[*forward.after.values()], fired, out, before_reset, forward.stored]
    back = "stored, stored_before, not_first, carries, grad_out"
    return "".join(
        [
            _IMPORTS,
            *_functions(program, state_unit, "", "states, fired, inputs", step),
            *_functions(program, state_unit, "_back", back, program.backward.roots),
        ]
    )


def _functions(
    program: Program, state_unit: int, suffix: str, arguments: str, roots: Roots
) -> list[str]:
    flat = [a for root in roots for a in ([root] if isinstance(root, Expression) else root)]
    fixed = invariants_read(flat)
    names = list(program.parameters)

    def fill(a: Expression) -> str:
        kind = "tl.float32" if a.type is REAL else "tl.int32"
        return prepare.add(f"fill({a.value!r}, {kind}, neuron)")

    def load(a: Expression) -> str:
        place = names.index(str(a.value))
        at = f"parameters[{place}] + neuron * strides[{place}]"
        text = _LOADS[program.parameters[str(a.value)]]
        return prepare.add(text.format(at=at, unit=state_unit))

    prepare = Lines({}, _TEXTS, {"constant": fill, "parameter": load})
    leaves: Mapping[str, Leaf] = {
        "state": lambda a: f"states[{program.states.index(str(a.value))}]",
        "input": lambda a: f"inputs[{program.inputs.index(str(a.value))}]",
        "fired_before": lambda _: "(fired != 0)",
        "stored": lambda a: f"stored[{a.value}]",
        "stored_before": lambda a: f"stored_before[{a.value}]",
        "carry": lambda a: f"carries[{a.value}]",
        "output_gradient": lambda _: "grad_out",
    }
    step = Lines({a: f"fixed[{place}]" for place, a in enumerate(fixed)}, _TEXTS, leaves)
    return [
        _function(f"prepare{suffix}", "parameters, strides, neuron", prepare, fixed),
        _function(f"step{suffix}", f"fixed, {arguments}", step, roots),
    ]


def _function(name: str, arguments: str, printed: Lines, roots: Roots) -> str:
    results = [
        printed.compute([root])[0]
        if isinstance(root, Expression)
        else write_tuple(printed.compute(root))
        for root in roots
    ]
    lines = [*printed.lines, f"return {write_tuple(results)}"]
    return write_function("triton.jit", name, arguments, lines)


class GeneratedSteps(NamedTuple):
    """The functions that ``printer`` describes."""

    prepare: Any
    step: Any
    prepare_back: Any
    step_back: Any


@functools.lru_cache(maxsize=256)
def generate_steps(definition: Definition, learn: bool) -> GeneratedSteps:
    """Returns the functions of a neuron. The same arguments return the same objects."""
    program = compile_neuron(definition, learn)
    source = print_program(program, 1 << definition.unit_bits)
    # Triton reads the source of a function from this cache, as if it were a file.
    name = f"<neuron {program.key}>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    functions: dict[str, Any] = {"__name__": f"{__name__}.{program.key}"}
    exec(compile(source, name, "exec"), functions)
    return GeneratedSteps(*(functions[each] for each in GeneratedSteps._fields))
