"""Writes the step of a neuron, and its adjoint, as source text for Numba.

``walk.neuron_step`` describes the functions that are written. Their values are SIMD vectors of
neurons.
"""

from collections.abc import Iterator
from dataclasses import replace

from netdesc.kernels.printing import (
    TEXTS,
    Printer,
    adjoint_results,
    step_results,
    value_of,
    write_functions,
)
from netdesc.neurons.expressions import Expression
from netdesc.neurons.operations import GRID, REAL, SHARE, STATE_UNIT
from netdesc.neurons.program import Program

_IMPORTS = """\
from netdesc.kernels.cpu.runtime.numba_internals import step_function
from netdesc.kernels.cpu.runtime.simd import as_floats, broadcast, where, zeros_like
from netdesc.kernels.cpu.runtime.simd_memory import load
from netdesc.kernels.cpu.runtime.state_arithmetic import (
    decay_near, decay_state, fall, magnitude, maximum, minimum, saturate, scale_to_state,
)

"""

_TEXTS = {
    **TEXTS,
    "constant": "broadcast(np.{type}({value!r}))",
    "parameter": "load(parameters[{index}], first, count)",
    "fired_before": "states[{index}] != zeros_like(states[{index}])",
    "negate": "zeros_like({0}) - {0}",
    "absolute": "magnitude({})",
    "minimum": "minimum({}, {})",
    "maximum": "maximum({}, {})",
    "where": "where({}, {}, {})",
    "times": "decay_state({}, {})",
    "scale": "{} * broadcast(np.int32({value}))",
    "rest": f"broadcast(np.int32({STATE_UNIT})) - {{}}",
    "to_real": f"as_floats({{}}) * broadcast(np.float32({1 / STATE_UNIT!r}))",
    "unless_first": "zeros_like({0}) if is_first else {0}",
}

_NEAR_TEXTS = {**_TEXTS, "times": "decay_near({}, {})", "saturate": "{}"}
"""The texts for states and products that are within the near limit."""

_STEP_ARGUMENTS = "constants, inputs, states, extents"

_PRINTER = Printer(
    _TEXTS,
    {GRID: "int32", SHARE: "int32", REAL: "float32"},
    "step_function",
    {
        "constants_of": "parameters, first, count",
        "to_states": "values",
        "to_values": "output",
        "step_near": _STEP_ARGUMENTS,
        "step_far": _STEP_ARGUMENTS,
        "adjoint": ("constants, stored, stored_before, is_first, output_gradient, carries, sums"),
    },
    {"extents": "maximum(extents[{index}], magnitude({}))", "sums": "sums[{index}] + {}"},
)

_OUTPUT_BITS = 12
"""A graded output is in units of ``2^-12`` of a threshold unit."""


def forward_source(program: Program, unit_bits: int) -> str:
    """Returns the constants and functions of ``neuron_step`` that a forward pass needs.

    A state's unit is ``2^-unit_bits`` of a threshold unit.
    """
    forward, printer, output_unit = program.forward, _PRINTER, 1.0
    if forward.output is not None:
        shift = f"{{}} >> broadcast(np.int32({unit_bits - _OUTPUT_BITS}))"
        printer = replace(_PRINTER, results={**_PRINTER.results, "output": shift})
        output_unit = 2.0**-_OUTPUT_BITS
    watched = [*_enlarged_by_reset(program), *forward.products]
    unit = f"broadcast(np.float32({2.0**unit_bits!r}))"
    inputs = [f"scale_to_state(values[{index}], {unit})" for index in range(len(program.inputs))]
    values = f"as_floats(output) * broadcast(np.float32({output_unit!r}))"
    states, stored = len(program.states), len(forward.stored)
    numbers = f"STATES, EXTENTS, STORED = {states}, {states + len(watched)}, {stored}\n"
    to_states = printer.function("to_states", [], {"states": inputs})
    to_values = printer.function("to_values", [], {"values": values})
    printers = {"step_near": replace(printer, texts=_NEAR_TEXTS), "step_far": printer}
    steps = write_functions(program, step_results(program, watched), printers)
    limit = f"NEAR_LIMIT = {program.near_limit}\n"
    return _IMPORTS + numbers + limit + to_states + to_values + steps


def _enlarged_by_reset(program: Program) -> Iterator[Expression]:
    """Yields the states after a reset that may be beyond the near limit though none was before."""
    forward = program.forward
    for name in program.states:
        after, before = value_of(forward.after[name]), value_of(forward.before_reset[name])
        branches = [*map(value_of, after.arguments)][1:] if after.operation == "where" else (after,)
        if not all(
            a is before
            or (a.operation == "constant" and abs(int(a.value or 0)) <= program.near_limit)
            for a in branches
        ):
            yield after


def backward_source(program: Program) -> str:
    """Returns the constants and functions of ``neuron_step`` that a backward pass needs."""
    _, carries, sums = map(len, program.adjoint.roots)
    numbers = f"CARRIES, SUMS, STORED = {carries}, {sums}, {len(program.forward.stored)}\n"
    functions = write_functions(program, adjoint_results(program), {"adjoint": _PRINTER})
    return _IMPORTS + numbers + functions
