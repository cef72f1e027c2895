"""Time loops of kernels count no references, and cannot create arrays."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.layout import Strided
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.walk import layer_backward, layer_forward
from netdesc.kernels.cpu.walk.cuba_step import NeuronParameters
from netdesc.kernels.cpu.walk.forward_loop import NOTES_PER_VECTOR, Span

LOOPS = {
    "forward by events": layer_forward._loop_by_events,
    "forward from a current": layer_forward._loop_from_current,
    "backward": layer_backward._loop,
    "backward through a leak": layer_backward._leak_loop,
}

EVENTS = Events(3, 1, np.array([0, 2, 2, 3]), np.array([0, 1, 1], np.int32))
"""Two events in the first of three steps, one in the last."""


def _call(loop: Any) -> Any:
    """Loops have no wrapper for Python."""
    return numba.njit(lambda *arguments: loop(*arguments))


def run(loop: Any) -> tuple[np.ndarray, str]:
    """The voltages of neurons that decay fully in each step, and the loop's machine code."""
    weights = np.arange(2 * LANES, dtype=np.int16)
    zeros, voltage = np.zeros(LANES, np.int32), np.empty(3 * LANES, np.int32)
    out, floats = layer_forward.bitmask_output(np.empty(3, np.int32)), np.empty(0, np.float32)
    _call(loop)(
        (EVENTS, 0, weights, LANES, 2),
        (out, 0, Strided(floats, 0, LANES, LANES)),
        NeuronParameters(zeros, zeros, zeros, np.int32(1 << 20), 0, 1.0, 1.0),
        Span(0, LANES, 3),
        Strided(voltage, 0, LANES, LANES),
        np.empty(NOTES_PER_VECTOR, np.int32),
        0,
    )
    (code,) = loop.inspect_asm().values()
    loop_code, _wrapper_code = code.split(".size", 1)
    return voltage.reshape(3, LANES), loop_code


def test_a_loop_counts_no_references_and_computes_the_same() -> None:
    function = layer_forward._loop_by_events.py_func
    voltage, code = run(jit_no_refcount(function))
    counting_voltage, counting_code = run(numba.njit(function))
    lanes = 64 * np.arange(LANES)
    assert np.array_equal(voltage, [2 * lanes + 64 * LANES, 0 * lanes, lanes + 64 * LANES])
    assert np.array_equal(counting_voltage, voltage)
    assert "NRT_incref" in counting_code, "Numba omits reference counts by itself now"
    assert "NRT_incref" not in code


def test_a_loop_that_creates_an_array_does_not_compile() -> None:
    @jit_no_refcount
    def create(count: int) -> float:
        return np.zeros(count).sum()

    with pytest.raises(numba.TypingError, match="Only accept returning of array"):
        create(3)


@pytest.mark.parametrize("name", LOOPS)
def test_no_time_loop_counts_references(name: str) -> None:
    assert LOOPS[name].targetoptions["_nrt"] is False
