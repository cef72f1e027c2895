"""Time loops of kernels count no references, and cannot create arrays."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from support.neuron_definitions import DEFINITIONS

from netdesc.kernels.cpu.runtime.jit_no_refcount import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.simd_tuple import load_tuple
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.synapses.weights import integer_sums
from netdesc.kernels.cpu.walk.generated import kernels_of
from netdesc.kernels.cpu.walk.layer_forward import ForwardActivity, float_output
from netdesc.kernels.cpu.walk.tiles import Run, layer_shape, place_of
from netdesc.neurons.compile import compile_neuron

PROGRAM = compile_neuron(DEFINITIONS["lif"], learn=False)
KERNELS = kernels_of(PROGRAM, 12, "forward")
SHAPE = layer_shape((3, 1, LANES), delay=0, threads=1, max_tile=1)
EVENTS = Events(3, 1, np.array([0, 2, 2, 3]), np.array([0, 1, 1], np.int32))
"""Two events in the first of three steps, one in the last."""


def run(loop: Any) -> tuple[np.ndarray, str]:
    """The output of neurons whose voltage is the input of a step, and the loop's machine code."""
    values = {"threshold": 64 * LANES, "voltage_decay": 0, "bias": 0}
    parameters = tuple(
        np.full(LANES, values.get(name, 1), np.float32 if kind == "real" else np.int32)
        for name, kind in PROGRAM.parameters.items()
    )
    constants_of, carried, lanes = KERNELS.constants_of, KERNELS.CARRIED, 2 * LANES

    @numba.njit  # time loops have no wrapper for Python
    def call(parameters: Any, memory: Any, source: Any, activity: Any) -> None:
        constants, place = constants_of(parameters, 0, LANES), place_of(SHAPE, 0, 0)
        states = load_tuple(memory, 0, carried)
        loop(source, constants, activity, SHAPE, place, Run(0, 3), states)

    out, stored = float_output((3, 1, LANES)), np.empty(3 * KERNELS.STORED * LANES, np.int32)
    empty = np.empty(0, np.int32)
    activity = ForwardActivity(*out, stored, 3, 1, empty, empty, empty)
    weight_VIN = np.arange(lanes, dtype=np.int16).reshape(1, 2, LANES)
    source = EVENTS, weight_VIN, integer_sums(12)
    call(parameters, np.zeros(carried * LANES, np.int32), source, activity)
    (code,) = loop.inspect_asm().values()
    loop_code, _wrapper_code = code.split(".size", 1)
    return out.values.reshape(3, LANES), loop_code


def test_a_time_loop_counts_no_references_and_computes_the_same() -> None:
    time_loop = KERNELS._loop_of(KERNELS.step_near, KERNELS._arrive_by_events)
    out, code = run(time_loop)
    counting_out, counting_code = run(numba.njit(time_loop.py_func))
    lanes = np.arange(LANES)
    assert np.array_equal(out, [2 * lanes + LANES > LANES, 0 * lanes, lanes + LANES > LANES])
    assert np.array_equal(counting_out, out)
    assert "NRT_incref" in counting_code, "Numba omits reference counts by itself now"
    assert "NRT_incref" not in code


def test_a_loop_that_creates_an_array_does_not_compile() -> None:
    @jit_no_refcount
    def create(count: int) -> float:
        return np.zeros(count).sum()

    with pytest.raises(numba.TypingError, match="Only accept returning of array"):
        create(3)
