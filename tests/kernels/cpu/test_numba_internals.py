"""Functions run on all threads, and compile only without arrays of their own."""

import numba
import numpy as np
import pytest

from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount, on_threads_of
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.runtime.tiles import next_position


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


def test_a_loop_that_creates_an_array_does_not_compile() -> None:
    @jit_no_refcount
    def create(count: int) -> float:
        return np.zeros(count).sum()

    with pytest.raises(numba.TypingError, match="Only accept returning of array"):
        create(3)
