"""Time loops of kernels count no references, and cannot make arrays."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from netdesc.kernels.cpu.runtime.jit_no_refcount import inner
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


def run(loop: Any) -> tuple[np.ndarray, str]:
    """The voltages of neurons that keep nothing, and the loop's machine code."""
    weights = np.arange(2 * LANES, dtype=np.int16)
    none, voltage = np.zeros(LANES, np.int32), np.empty(3 * LANES, np.int32)
    out, floats = layer_forward.word_output(np.empty(3, np.int32)), np.empty(0, np.float32)
    loop(
        (EVENTS, 0, weights, LANES, 2),
        (out, 0, Strided(floats, 0, LANES, LANES)),
        NeuronParameters(none, none, none, np.int32(1 << 20), 0, 1.0, 1.0),
        Span(0, LANES, 3),
        Strided(voltage, 0, LANES, LANES),
        np.empty(NOTES_PER_VECTOR, np.int32),
        0,
    )
    (code,) = loop.inspect_asm().values()
    of_loop, _of_wrapper = code.split(".size", 1)
    return voltage.reshape(3, LANES), of_loop


def test_a_loop_counts_no_references_and_computes_the_same() -> None:
    function = layer_forward._loop_by_events.py_func
    voltage, code = run(inner(function))
    of_counting, counting = run(numba.njit(function))
    lanes = 64 * np.arange(LANES)
    assert np.array_equal(voltage, [2 * lanes + 64 * LANES, 0 * lanes, lanes + 64 * LANES])
    assert np.array_equal(of_counting, voltage)
    assert "NRT_incref" in counting, "Numba leaves it out by itself: it needs no help any more"
    assert "NRT_incref" not in code


def test_a_loop_that_makes_an_array_does_not_compile() -> None:
    @inner
    def makes(count: int) -> float:
        return np.zeros(count).sum()

    with pytest.raises(numba.TypingError, match="Only accept returning of array"):
        makes(3)


@pytest.mark.parametrize("name", LOOPS)
def test_all_time_loops_are_compiled_so(name: str) -> None:
    assert LOOPS[name].targetoptions["_nrt"] is False
