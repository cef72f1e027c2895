"""The pool of buffers: memory that somebody holds is never handed out again."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from netdesc.kernels.cpu import buffers
from netdesc.kernels.cpu.buffers import BufferPool

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
    "what a backward pass keeps": lambda array: (
        torch.ones(4).requires_grad_() * torch.from_numpy(array)
    ),
}


@pytest.fixture(autouse=True)
def all_scratch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "_SCRATCH_KEPT", 0)


def all_buffers(pool: BufferPool) -> list[buffers._Buffer]:
    return [*pool._scratch, *(buffer for each in pool._buffers.values() for buffer in each)]


class Holders(RuleBasedStateMachine):
    """Takes and drops buffers in any order; whatever is held keeps the number written into it."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = BufferPool()
        self.held: list[tuple[object, int, int]] = []
        self.written = 0

    @rule(kind=st.sampled_from(sorted(HOLDERS)), rows=st.integers(1, 3))
    def take(self, kind: str, rows: int) -> None:
        self.hold(self.pool.take((rows, 4), np.float32), kind, rows)

    @rule(kind=st.sampled_from(sorted(HOLDERS)), rows=st.integers(1, 3))
    def scratch(self, kind: str, rows: int) -> None:
        self.hold(self.pool.scratch((rows, 4), np.float32), kind, rows)

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
    def give_back(self) -> None:
        buffers.give_back()
        kept = all_buffers(self.pool)
        assert not any(buffer.is_free() for buffer in kept)
        assert len(kept) == len(self.held)

    @rule()
    def many_requests(self) -> None:
        for _ in range(300):
            self.pool.take((7,), np.int32)

    @invariant()
    def held_memory_is_known_to_the_pool(self) -> None:
        assert len(all_buffers(self.pool)) >= len(self.held)


def test_scratch_memory_is_one_and_as_large_as_the_largest():
    pool = BufferPool()
    for size in 4, 400, 40, 1:
        pool.scratch((size,), np.float32)
    (buffer,) = pool._scratch
    assert 1600 <= buffer.memory.nbytes < 1700
    held = pool.scratch((300,), np.float32)
    other = pool.scratch((5,), np.float32)
    assert not np.shares_memory(held, other)
    assert len(pool._scratch) == 2
    del held, other
    pool.give_back()
    assert not pool._scratch


def test_scratch_memory_that_is_too_small_is_gone_before_there_is_more():
    made: list[weakref.ref[np.ndarray]] = []

    def allocate(size: int) -> np.ndarray:
        assert all(memory() is None for memory in made), "there are two at once"
        memory = np.empty(size, np.uint8)
        made.append(weakref.ref(memory))
        return memory

    pool = BufferPool(allocate)
    for size in 4, 400, 4000:
        pool.scratch((size,), np.float32)
    assert len(made) == 3


def test_scratch_memory_that_is_far_too_large_is_given_back():
    pool = BufferPool()
    pool.scratch((100_000,), np.float32)
    for _ in range(600):
        pool.scratch((100,), np.float32)
    (buffer,) = pool._scratch
    assert buffer.memory.nbytes < 1000
    for _ in range(600):
        pool.take((5,), np.float32)
        pool.scratch((80,), np.float32)
    assert pool._scratch == [buffer], "what is in use was given back"


def test_little_scratch_memory_is_gone_with_who_has_asked_for_it(monkeypatch):
    monkeypatch.setattr(buffers, "_SCRATCH_KEPT", 400)
    made: list[weakref.ref[np.ndarray]] = []

    def allocate(size: int) -> np.ndarray:
        memory = np.empty(size, np.uint8)
        made.append(weakref.ref(memory))
        return memory

    pool = BufferPool(allocate)
    little = pool.scratch((99,), np.float32)
    assert little.shape == (99,)
    assert little.ctypes.data % 64 == 0
    view = little[1:]
    del little
    assert made[0]() is not None
    del view
    assert made[0]() is None
    pool.scratch((100,), np.float32)
    assert made[1]() is not None
    pool.scratch((99,), np.float32)
    assert len(made) == 2, "what is free and large enough serves first"


TestHolders = Holders.TestCase
TestHolders.settings = settings(max_examples=40, stateful_step_count=30)


@pytest.mark.parametrize("own_pages", [0, 1 << 17])
@pytest.mark.parametrize("kind", sorted(HOLDERS))
def test_each_kind_of_holder_keeps_the_memory_and_gives_it_back(kind, own_pages, monkeypatch):
    monkeypatch.setattr(buffers, "_OWN_PAGES", own_pages)
    pool = BufferPool()
    array = pool.take((2, 4), np.float32)
    at = array.ctypes.data
    holder = HOLDERS[kind](array)
    del array
    assert pool.take((2, 4), np.float32).ctypes.data != at
    del holder
    assert pool.take((2, 4), np.float32).ctypes.data == at


FORKED = """
import os
import numpy as np
from netdesc.kernels.cpu.buffers import take

array = take((1 << 17,), np.float32)
array[:] = 1
child = os.fork()
if child == 0:
    array[:] = 2
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert (array == 1).all()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_process_that_forks_off_has_memory_of_its_own():
    subprocess.run([sys.executable, "-c", FORKED], check=True)


def test_where_there_is_not_enough_memory_that_is_said():
    with pytest.raises(MemoryError, match=r"cannot allocate 4,398,046,511,104\.0 MiB"):
        buffers.mapped(1 << 62)
    with pytest.raises(MemoryError):
        BufferPool().take((1 << 62,), np.float32)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory there is")
def test_large_memory_goes_back_to_the_system():
    def resident() -> int:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * mmap.PAGESIZE

    np.empty(1 << 24, np.uint8)[:] = 1  # the heap of GNU's C library learns of large ones
    pool, size, number = BufferPool(), 1 << 18, 32
    arrays, among_them = list[np.ndarray](), list[np.ndarray]()
    for _ in range(number):
        arrays.append(pool.take((size,), np.float32))
        arrays[-1][:] = 1
        among_them.append(np.zeros(1 << 16, np.uint8))  # what stays keeps a heap from shrinking
    before = resident()
    arrays.clear()
    pool.give_back()
    assert resident() < before - 0.9 * number * size * 4
    assert len(among_them) == number


def test_what_is_much_is_kept_where_that_is_told():
    pool = BufferPool()
    held = pool.take((50_000,), np.float32)
    pool.take((100, 100), np.float32)
    size = pool._buffers[40_000][0].memory.nbytes
    pool.give_back(size - 1)
    assert set(pool._buffers) == {40_000, 200_000}
    pool.give_back(size)
    assert set(pool._buffers) == {200_000}
    del held


def test_what_is_held_to_be_quicker_is_let_go_before_work_that_stands_alone_and_after_it():
    class Quicker:
        def __init__(self) -> None:
            self.held: np.ndarray | None = None
            buffers.register(self)

        def let_go(self) -> None:
            self.held = None

    quicker, gone = Quicker(), Quicker()
    del gone
    quicker.held = buffers.take((999,), np.int64)
    memory = weakref.ref(quicker.held)
    with buffers.set_aside():
        assert quicker.held is memory() is None
        assert 999 * 8 not in buffers._pool._buffers
        quicker.held = buffers.take((999,), np.int64)
    assert quicker.held is None
    assert 999 * 8 not in buffers._pool._buffers


def test_memory_that_nobody_wants_is_given_back():
    pool = BufferPool()
    pool.take((1000,), np.float32)
    for _ in range(600):
        pool.take((5,), np.float32)
    assert list(pool._buffers) == [20]


def test_memory_serves_any_shape_and_type_of_its_size():
    pool = BufferPool()
    first = pool.take((6, 4), np.float32)
    at = first.ctypes.data
    del first
    second = pool.take((3, 2, 2), np.int64)
    assert second.ctypes.data == at
    assert second.shape == (3, 2, 2)
    assert second.flags.c_contiguous


def test_ever_new_shapes_do_not_pile_up(monkeypatch):
    """Free memory stays within a limit, or within what is in use; the newest is kept."""
    monkeypatch.setattr(buffers, "_ALWAYS_KEPT", 1 << 20)
    pool = BufferPool()

    def kept() -> int:
        return sum(b.memory.nbytes for each in pool._buffers.values() for b in each)

    for length in range(1000, 1100):
        pool.take((length, 50), np.float32)
    assert 1 << 19 < kept() < 2 << 20
    assert 4 * 1099 * 50 in pool._buffers
    held = [pool.take((10_000 + n, 50), np.float32) for n in range(5)]
    in_use = sum(array.nbytes for array in held)
    for length in range(2000, 2100):
        pool.take((length, 50), np.float32)
    assert 1.5 * in_use < kept() < 2.5 * in_use


def test_threads_get_memory_of_their_own():
    pool = BufferPool()
    faults = []

    def work(number: int) -> None:
        kept = []
        for turn in range(400):
            array = pool.take((64,), np.int64)
            mark = number * 1000 + turn
            array[:] = mark
            kept.append((torch.from_numpy(array), mark))
            del array
            if len(kept) > turn % 5:
                tensor, mark = kept.pop(0)
                if not (tensor == mark).all():
                    faults.append(mark)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not faults


def test_what_passes_leaves_nothing_that_was_not_there_before():
    pool = BufferPool()
    pool.take((4,), np.float32)
    before = all_buffers(pool)
    with pool.passing():
        again, other = pool.take((4,), np.float32), pool.take((5,), np.float32)
        kept = pool.take((6,), np.float32)
        pool.scratch((7,), np.float32)
        del again, other
        assert len(all_buffers(pool)) == 4
    sizes = [buffer.memory.nbytes for buffer in all_buffers(pool)]
    assert sizes == [before[0].memory.nbytes, kept.nbytes + buffers._ALIGNMENT]
    assert all_buffers(pool)[0] is before[0]


def test_a_part_has_the_memory_of_the_part_before(monkeypatch):
    """In one call, too, where neither is as large as what earlier ones took."""
    monkeypatch.setattr(buffers, "_LITTLE", 20)
    pool = BufferPool()
    pool.begin()
    pool.take((100,), np.float32)
    pool.begin()
    first = pool.take((60,), np.float32)
    place = first.ctypes.data
    del first
    second = pool.take((60,), np.float32)
    assert second.ctypes.data == place
    assert pool.take((60,), np.float32).ctypes.data != place, "it is held"
    del second
    assert pool.take((50,), np.float32).ctypes.data != place, "this call may ask for that again"


def test_what_earlier_calls_took_serves_something_smaller(monkeypatch):
    """A smaller batch in between takes no memory of its own, and the larger one finds its own."""
    monkeypatch.setattr(buffers, "_LITTLE", 20)
    pool = BufferPool()
    pool.begin()
    large, middle = pool.take((100,), np.float32), pool.take((80,), np.float32)
    places = large.ctypes.data, middle.ctypes.data
    del large, middle
    other = pool.take((60,), np.float32)
    assert other.ctypes.data not in places, "this call may ask for that again"
    del other
    for _ in range(2):
        pool.begin()
        small = pool.take((70,), np.float32), pool.take((71,), np.float32)
        assert [each.ctypes.data for each in small] == [places[1], places[0]]
        pool.take((14,), np.float32)  # for which they would be far too large
        pool.take((3,), np.float32)  # and this is too little
        del small
        pool.begin()
        large, middle = pool.take((100,), np.float32), pool.take((80,), np.float32)
        assert (large.ctypes.data, middle.ctypes.data) == places
        del large, middle
    sizes = sorted(buffer.memory.nbytes for buffer in all_buffers(pool))
    assert sizes == [4 * number + buffers._ALIGNMENT for number in (3, 14, 60, 80, 100)]
