"""Writes the step of a neuron, and its adjoint, as source text for Triton.

``kernels.printing`` describes the functions. Their values are blocks [BLOCK] of columns.
``parameters`` are pointers to float32 [neurons] (``strides`` 1) or [] (0), which ``constants_of``
rounds to the grid. A graded output is in units of 1/4096. ``extents`` and ``sums`` are those of
the step alone.
"""

import functools
import linecache
from typing import Any, Literal

from netdesc.kernels.printing import TEXTS, Printer, adjoint_results, step_results, write_functions
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition
from netdesc.neurons.operations import GRID, REAL, SHARE, STATE_UNIT
from netdesc.neurons.program import Program

_IMPORTS = """\
import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import (
    fall, load_decay, load_factor, load_grid, load_real, load_threshold, multiply_share, saturate,
)
"""

_TEXTS = {
    **TEXTS,
    "constant": "tl.full((BLOCK,), {value!r}, tl.{type})",
    "absolute": "tl.abs({})",
    # In a tie, and for NaN, the second. The compiler knows that these are minimum and maximum.
    "minimum": "tl.where({0} < {1}, {0}, {1})",
    "maximum": "tl.where({0} > {1}, {0}, {1})",
    "where": "tl.where({}, {}, {})",
    "times": "multiply_share({}, {})",
    "to_real": f"{{}}.to(tl.float32) * {1 / STATE_UNIT!r}",
    "unless_first": "tl.where(is_first, tl.zeros_like({0}), {0})",
}

Function = Literal["step", "adjoint"]

_RESULTS = {"step": step_results, "adjoint": adjoint_results}


def function_source(program: Program, state_unit: int, function: Function) -> str:
    """Returns the source of ``constants_of`` and of a function.

    ``state_unit`` is the number of state units in a threshold unit.
    """
    load = "load_{kind}(parameters[{index}] + neuron * strides[{index}], "
    shift = f"{{}} >> {(state_unit // STATE_UNIT).bit_length() - 1}"
    printer = Printer(
        {**_TEXTS, "parameter": f"{load}{state_unit})"},
        {GRID: "int32", SHARE: "int32", REAL: "float32"},
        "triton.jit",
        {
            "constants_of": "parameters, strides, neuron, BLOCK: tl.constexpr",
            "step": "constants, inputs, states, BLOCK: tl.constexpr",
            "adjoint": (
                "constants, stored, stored_before, is_first, output_gradient, carries, "
                "BLOCK: tl.constexpr"
            ),
        },
        {} if program.forward.output is None else {"output": shift},
    )
    return _IMPORTS + write_functions(program, _RESULTS[function](program), {function: printer})


@functools.lru_cache(maxsize=512)
def generate(definition: Definition, learn: bool, function: Function) -> tuple[Any, Any]:
    """Returns ``constants_of`` and a function; the same arguments return the same objects."""
    program = compile_neuron(definition, learn)
    source = function_source(program, 1 << definition.unit_bits, function)
    # Triton reads the source of a function from this cache, as if it were a file.
    name = f"<{function} of neuron {program.key}>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    names: dict[str, Any] = {"__name__": f"{__name__}.{function}.{program.key}"}
    exec(compile(source, name, "exec"), names)
    return names["constants_of"], names[function]
