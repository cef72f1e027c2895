"""The memory pool never reuses memory that an object still holds."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from netdesc.kernels.cpu.runtime import memory_pool as memory
from netdesc.kernels.cpu.runtime.memory_pool import MemoryPool

HOLDERS = {
    "the array": lambda array: array,
    "a slice": lambda array: array[1:],
    "a reversed view": lambda array: array[::-1],
    "a view of another type": lambda array: array.view(np.uint8),
    "a tensor": torch.from_numpy,
    "a part of a tensor": lambda array: torch.from_numpy(array)[1:].unsqueeze(0),
    "a tensor's array": lambda array: torch.from_numpy(array).numpy(),
    "a detached tensor": lambda array: torch.from_numpy(array).detach(),
    "a storage": lambda array: torch.from_numpy(array).untyped_storage(),
    "a buffer": memoryview,
    "a tensor saved for backward": lambda array: (
        torch.ones(4).requires_grad_() * torch.from_numpy(array)
    ),
}


@pytest.fixture(autouse=True)
def small_arrays_come_from_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MAX_NUMPY_BYTES", -1)


def all_buffers(pool: MemoryPool) -> list[memory._Buffer]:
    return [buffer for each in pool._buffers.values() for buffer in each]


class Holders(RuleBasedStateMachine):
    """Allocates and drops arrays in any order; held memory keeps the number written into it."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = MemoryPool()
        self.held: list[tuple[object, int, int]] = []
        self.written = 0

    @rule(kind=st.sampled_from(sorted(HOLDERS)), rows=st.integers(1, 3))
    def take(self, kind: str, rows: int) -> None:
        self.hold(self.pool.allocate((rows, 4), np.float32), kind, rows)

    def hold(self, array: np.ndarray, kind: str, rows: int) -> None:
        assert array.shape == (rows, 4)
        assert array.ctypes.data % 64 == 0
        at, size = array.ctypes.data, array.nbytes
        self.written += 1
        array[:] = self.written
        for _, other, length in self.held:
            assert at + size <= other or other + length <= at
        self.held.append((HOLDERS[kind](array), at, size))

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        if self.held:
            del self.held[data.draw(st.integers(0, len(self.held) - 1))]

    @rule()
    def many_requests(self) -> None:
        for _ in range(300):
            self.pool.allocate((7,), np.int32)

    @invariant()
    def held_memory_is_known_to_the_pool(self) -> None:
        assert len(all_buffers(self.pool)) >= len(self.held)


TestHolders = Holders.TestCase
TestHolders.settings = settings(max_examples=40, stateful_step_count=30)


@pytest.mark.parametrize("kind", sorted(HOLDERS))
def test_each_kind_of_holder_keeps_the_memory_until_it_is_dropped(kind):
    pool = MemoryPool()
    array = pool.allocate((2, 4), np.float32)
    at = array.ctypes.data
    holder = HOLDERS[kind](array)
    del array
    assert pool.allocate((2, 4), np.float32).ctypes.data != at
    del holder
    assert pool.allocate((2, 4), np.float32).ctypes.data == at


def test_arrays_of_ever_new_sizes_do_not_accumulate():
    pool = MemoryPool()
    for size in range(1, 40):
        pool.allocate((size << 18,), np.float32)
    assert sum(buffer.memory.nbytes for buffer in all_buffers(pool)) < 700 << 20


def test_too_large_an_array_raises_memory_error():
    with pytest.raises(MemoryError):
        MemoryPool().allocate((1 << 60,), np.float32)


def test_threads_get_different_memory():
    pool, found = MemoryPool(), list[np.ndarray]()
    threads = [
        threading.Thread(
            target=lambda: found.extend(pool.allocate((3,), np.int32) for _ in range(50))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({array.ctypes.data for array in found}) == 200


@given(
    threads=st.integers(1, 8),
    numbers=st.integers(1, 100),
    kind=st.sampled_from([np.int32, np.float32, np.float64]),
)
def test_threads_write_to_different_cache_lines(threads, numbers, kind):
    rows = MemoryPool().allocate_per_thread(threads, numbers, kind)
    assert len(rows) == threads
    assert rows.shape[1] >= numbers
    lines = [
        line
        for row in rows
        for line in range(row.ctypes.data // 64, (row.ctypes.data + row.nbytes - 1) // 64 + 1)
    ]
    assert len(lines) == len(set(lines))
