"""Loops through all steps count no references, and cannot make arrays."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from numba import types

from netdesc.kernels.cpu import layer_backward, layer_forward
from netdesc.kernels.cpu.cuba_step import CubaAdjoint, LeakAdjoint, NeuronParameters
from netdesc.kernels.cpu.events import Events
from netdesc.kernels.cpu.forward_loop import Span
from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import Floats, Ints
from netdesc.kernels.cpu.layer_forward import SpikesOut
from netdesc.kernels.cpu.strided import Strided

INTS, FLOATS = np.empty(0, np.int32), np.empty(0, np.float32)
OF_INTS, OF_FLOATS = (numba.typeof(Strided(numbers, 0, 1, 1)) for numbers in (INTS, FLOATS))
EVENTS = Events(1, 1, np.zeros(2, np.int64), INTS)

FORWARD = (
    (SpikesOut(INTS, FLOATS), 0, Strided(FLOATS, 0, 1, 1)),
    NeuronParameters(INTS, INTS, INTS, np.int32(0), 0, 0.0, 0.0), Span(0, 1, 1), OF_INTS, INTS, 0,
)  # fmt: skip
CUBA = types.NamedTuple(
    [Floats, Floats, Ints, Ints, types.int32, types.float64, types.float64, types.boolean, OF_INTS],
    CubaAdjoint,
)
LEAK = types.NamedTuple([Floats, types.boolean, OF_FLOATS], LeakAdjoint)

LOOPS = {
    "by events": (
        layer_forward._loop_by_events, (EVENTS, 0, np.empty(0, np.int16), 1, 1), *FORWARD
    ),
    "from the current": (layer_forward._loop_from_current, OF_FLOATS, *FORWARD),
    "back": (
        layer_backward._loop, OF_FLOATS, CUBA, OF_FLOATS, (0, 1), 0, Floats,
        types.UniTuple(Floats, 4),
    ),
    "the current back": (
        layer_backward._leak_loop, OF_FLOATS, LEAK, OF_FLOATS, (0, 1), 0, Floats,
        types.UniTuple(Floats, 2),
    ),
}  # fmt: skip
"""Each with the types of what kernels call it with, or something of that type."""


def code(loop: Any, given: list[Any]) -> str:
    """What LLVM makes of a loop, without what Python would call it by."""
    signature = tuple(x if isinstance(x, types.Type) else numba.typeof(x) for x in given)
    loop.compile(signature)
    return loop.inspect_asm(signature).split(".size", 1)[0]


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_counts_no_references(name: str) -> None:
    loop, *given = LOOPS[name]
    assert "NRT_incref" not in code(loop, given)


def test_numba_would_count_them() -> None:
    loop, *given = LOOPS["by events"]
    assert "NRT_incref" in code(numba.njit(loop.py_func), given), "it needs no help any more"


def test_a_loop_that_makes_an_array_does_not_compile() -> None:
    @inner
    def makes(count: int) -> float:
        return np.zeros(count).sum()

    with pytest.raises(numba.TypingError, match="Only accept returning of array"):
        makes(3)
