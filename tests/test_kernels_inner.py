"""What walks through all steps for a kernel counts no references, and cannot make arrays."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.there import SEEN

from netdesc.kernels.cpu import backward, forward, last_layer, last_whole, train_distance
from netdesc.kernels.cpu.inner import inner
from netdesc.kernels.cpu.lanes import LANES

WALKS = [
    backward.walk_back,
    forward._walk_by_events,
    forward._walk_from_input,
    last_layer._there,
    train_distance.distance,
    last_layer._back,
    last_whole._there,
    last_whole._back,
]

EVENTS = Events(
    True, 3, 1, 0, np.array([0, 2, 2, 3]), np.array([0, 1, 1], np.uint16), np.empty(0, np.int64)
)
"""Two events in the first of three steps, one in the last."""


def walked(there: Any) -> tuple[np.ndarray, str]:
    """The voltages after a walk of neurons that keep nothing, and the code that LLVM made."""
    weights = np.arange(2 * LANES, dtype=np.int16)
    none, voltage = np.zeros(LANES, np.int32), np.empty(3 * LANES, np.int32)
    there(
        (EVENTS, 0, weights, LANES, 2), np.empty(3, np.int32), 0, LANES, 3, none, none, none,
        np.int32(1 << 20), 0, voltage, 0, LANES, LANES, False, np.empty(SEEN, np.int32), 0,
    )  # fmt: skip
    (code,) = there.inspect_asm().values()
    of_walk, _of_wrapper = code.split(".size", 1)
    return voltage.reshape(3, LANES), of_walk


def test_a_walk_counts_no_references_and_computes_the_same() -> None:
    function = last_layer._there.py_func
    voltage, code = walked(inner(function))
    of_counting, counting = walked(numba.njit(function))
    lanes = 64 * np.arange(LANES)
    assert np.array_equal(voltage, [2 * lanes + 64 * LANES, 0 * lanes, lanes + 64 * LANES])
    assert np.array_equal(of_counting, voltage)
    assert "NRT_incref" in counting, "Numba leaves it out by itself: it needs no help any more"
    assert "NRT_incref" not in code


def test_a_walk_that_makes_an_array_does_not_compile() -> None:
    @inner
    def makes(count: int) -> float:
        return np.zeros(count).sum()

    with pytest.raises(numba.TypingError, match="Only accept returning of array"):
        makes(3)


@pytest.mark.parametrize(
    "walk", WALKS, ids=lambda walk: f"{walk.py_func.__module__}.{walk.py_func.__name__}"
)
def test_all_walks_through_steps_are_compiled_so(walk: Any) -> None:
    assert walk.targetoptions["_nrt"] is False
