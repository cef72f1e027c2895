"""Turns the printed source of neurons into functions of Triton."""

from __future__ import annotations

import functools
import linecache
from typing import Any, NamedTuple

from netdesc.kernels.cuda.printer import print_program
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition


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
