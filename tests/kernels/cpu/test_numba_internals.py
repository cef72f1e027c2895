"""Functions run on all threads, and give the same bits by ``numba.njit`` alone."""

import numba
import numpy as np
import pytest
from support.cli_process import run_python

from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount, on_threads_of
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.runtime.tiles import next_position

COMPUTED = """
import hashlib, sys
import numba
if sys.argv[1] == "plain":
    import numba.core.codegen
    del numba.core.codegen.JITCodeLibrary
import torch
import netdesc
from netdesc.kernels.cpu.runtime.numba_internals import IS_PLAIN

assert IS_PLAIN == (sys.argv[1] == "plain")
cuba = {"type": "cuba", "threshold": 0.5, "current_decay": 0.25, "voltage_decay": 0.05}
compiled = netdesc.compile({
    "format": 1, "name": "plain", "time": {"steps": 40},
    "input": {"shape": [30]}, "neurons": {"cuba": cuba},
    "layers": [
        {"type": "dense", "units": 70, "neuron": "cuba", "name": "first"},
        {"type": "dense", "units": 9, "neuron": "cuba", "name": "last"},
    ],
    "loss": {"type": "spike_time", "time_constant_ms": 5.0},
    "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.001}},
})
digest = hashlib.sha256()
for density in (0.05, 0.8):
    random = torch.Generator().manual_seed(0)
    spikes = (torch.rand(40, 3, 30, generator=random) < density).float()
    output = compiled.model(spikes)
    assert output.any()
    compiled.loss(output, spikes[:, :, :9]).backward()
    for tensor in (output.detach(), *(each.grad for each in compiled.model.parameters())):
        assert tensor.any()
        digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""
"""Prints a hash of outputs and gradients; with "plain", without a name inside of Numba."""


@jit_no_refcount
def _count(calls, numbers, floats, add, queue, thread):
    calls[thread] += add
    floats[thread] *= np.float32(0.5)
    while True:
        position = next_position(queue)
        if position >= len(numbers):
            break
        numbers[position] = position


_count_on_threads = on_threads_of(_count)


@numba.njit(nogil=True)
def _run(threads, calls, numbers, floats, queue):
    _count_on_threads(threads, (calls, numbers, floats, 2, queue))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_number_is_called_once(threads: int) -> None:
    calls, numbers = np.zeros(8, np.int64), np.zeros(1000, np.int64)
    smallest = np.full(8, np.finfo(np.float32).tiny)
    floats = smallest.copy()

    @on_threads
    def run() -> None:
        _run(threads, calls, numbers, floats, np.zeros(1, np.int64))

    run()
    assert calls.tolist() == [2] * threads + [0] * (8 - threads)
    assert numbers.tolist() == list(range(1000))
    assert not floats[:threads].any(), "denormal floats are rounded to 0"
    assert (smallest * np.float32(0.5)).all(), "but not in the thread that has called"


def test_without_numbas_inner_names_outputs_and_gradients_are_the_same() -> None:
    plain, other = (run_python(COMPUTED, kind).stdout for kind in ("plain", "with inner names"))
    assert plain == other


def test_a_loop_that_creates_an_array_does_not_compile() -> None:
    @jit_no_refcount
    def create(count: int) -> float:
        return np.zeros(count).sum()

    with pytest.raises(numba.TypingError, match="Only accept returning of array"):
        create(3)
