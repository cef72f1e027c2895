"""Memory for the tensors that the engine hands out, used again once nobody holds them.

Fresh memory costs a page fault every 4 kB, as much time as the kernels themselves take. An epoch
asks for the same sizes as the epoch before, so buffers whose tensors are gone serve again.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
import mmap
import sys
import threading
from collections.abc import Callable, Iterator
from sys import getrefcount
from typing import Protocol
from weakref import WeakSet

import numpy as np
import torch

_ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register."""

_FORGET_AFTER = 256
"""A free buffer that this many requests have passed by is given back."""

_LITTLE = 1 << 20
"""Bytes of a request to which a larger buffer is of no use: one of its own stays in a cache."""

_WELL_USED = 4
"""A buffer of more than so many times a request's size does not serve it, or is not kept by it."""

_SCRATCH_KEPT = 1 << 17
"""Bytes of one call's own memory from which on it is kept for the next. Less comes from the heap,
which has it ready; kept, it would be as much as all else that a small network needs."""

_ALWAYS_KEPT = 1 << 28
"""Bytes of free buffers that may wait for a request; or as many as there are in use, if more."""

_BYTES: dict[type[np.generic], int] = {
    kind: np.dtype(kind).itemsize for kind in (np.int16, np.int32, np.int64, np.float32)
}
"""Of the types that kernels work with; numpy takes longer to say."""

_FREE = 2
"""How often a free buffer's memory is held: by our attribute, and while that is counted.

An array that was made of the memory holds it, and so does a view of that array or a tensor.
"""

_OWN_PAGES = 1 << 17
"""Bytes from which on memory is mapped and not a part of the heap. There, what is small and stays
would soon lie in the holes that large buffers leave, and keep them from serving large ones again:
a small network's run would take half as much again, or not, by chance."""

_HUGE = 1 << 22
"""Bytes from which on huge pages are asked for, as numpy does: columns are read faster then."""

Allocate = Callable[[int], np.ndarray]


def mapped(size: int, advice: str | None = None) -> np.ndarray:
    """So many bytes, all 0, that take memory where they are touched, and until nobody holds them.

    They are this process's own: one that forks off would write into the same memory otherwise.
    The system gets the ``advice``, a name in ``mmap``, where it knows such. MemoryError.
    """
    try:
        if sys.platform == "win32":
            memory = mmap.mmap(-1, size)
        else:
            memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError) as error:
        raise MemoryError(f"cannot allocate {size / 2**20:,.1f} MiB") from error
    if advice is not None and hasattr(mmap, advice):
        with contextlib.suppress(OSError):  # a kernel without huge pages knows no advice on them
            memory.madvise(getattr(mmap, advice))
    return np.frombuffer(memory, np.uint8)


def _allocated(size: int) -> np.ndarray:
    if size < _OWN_PAGES:
        return np.empty(size, np.uint8)
    return mapped(size, "MADV_HUGEPAGE" if size >= _HUGE else None)


class _Buffer:
    """Memory for arrays of ``size`` bytes, and the numbers of the first and last request for it.

    And of the call of the engine that has asked for it last, and for how many bytes.
    """

    __slots__ = ("first_request", "last_call", "last_request", "last_size", "memory", "start")

    def __init__(self, size: int, allocate: Allocate, request: int) -> None:
        self.first_request = request
        self.memory = allocate(size + _ALIGNMENT)
        # Torch says in 3 microseconds where memory is, numpy in 8: code that has left the caches.
        self.start = -torch.from_numpy(self.memory).data_ptr() % _ALIGNMENT
        self.last_request = self.last_call = self.last_size = 0

    def is_free(self) -> bool:
        return getrefcount(self.memory) == _FREE


_pools: WeakSet[BufferPool] = WeakSet()


class BufferPool:
    """Buffers by size; ``allocate`` makes the memory of a new one."""

    def __init__(self, allocate: Allocate = _allocated) -> None:
        self._allocate = allocate
        self._buffers: dict[int, list[_Buffer]] = {}
        self._scratch: list[_Buffer] = []
        self._requests = self._calls = 0
        self._lock = threading.Lock()
        _pools.add(self)

    def begin(self) -> None:
        """A call of the engine begins: what earlier ones took, and this one does not, is idle."""
        self._calls += 1

    def take(self, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """An array with arbitrary contents, aligned to 64 bytes, whose buffer nobody else holds."""
        size = math.prod(shape) * _BYTES[dtype]
        with self._lock:
            self._count_request()
            for buffer in self._buffers.get(size, ()):
                if getrefcount(buffer.memory) == _FREE:
                    break
            else:
                buffer = self._idle(size) or self._new_buffer(size)
            buffer.last_request, buffer.last_call = self._requests, self._calls
            buffer.last_size = size
            return np.ndarray(shape, dtype, buffer.memory, buffer.start)

    def scratch(self, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """As ``take``, for one call's own use: one buffer serves all sizes, unless it is held."""
        size = math.prod(shape) * _BYTES[dtype]
        with self._lock:
            self._count_request()
            free = [buffer for buffer in self._scratch if buffer.is_free()]
            fits = [buffer for buffer in free if len(buffer.memory) >= size + _ALIGNMENT]
            if not fits and size < _SCRATCH_KEPT:
                fits.append(_Buffer(size, self._allocate, self._requests))
            elif not fits:
                self._scratch[:] = [b for b in self._scratch if b not in free]
                free.clear()  # their memory goes before there is more
                fits.append(_Buffer(size, self._allocate, self._requests))
                self._scratch += fits
            (buffer, *_) = fits
            if _WELL_USED * (size + _ALIGNMENT) >= len(buffer.memory):
                buffer.last_request = self._requests
            return np.ndarray(shape, dtype, buffer.memory, buffer.start)

    def _idle(self, size: int) -> _Buffer | None:
        """A larger one that is idle: an epoch's last batch is often smaller than the others.

        So is one that has served as many bytes in this call, as where parts come one by one.
        """
        if size < _LITTLE:
            return None
        for key in sorted(key for key in self._buffers if size < key <= _WELL_USED * size):
            for buffer in self._buffers[key]:
                is_idle = buffer.last_call < self._calls or buffer.last_size == size
                if is_idle and buffer.is_free():
                    return buffer
        return None

    def _count_request(self) -> None:
        self._requests += 1
        if self._requests % _FORGET_AFTER == 0:
            self._forget(self._requests - _FORGET_AFTER)

    def _new_buffer(self, size: int) -> _Buffer:
        self._shrink()
        buffer = _Buffer(size, self._allocate, self._requests)
        self._buffers.setdefault(size, []).append(buffer)
        return buffer

    def _shrink(self) -> None:
        """Give back what has waited longest: tensors of ever new shapes would pile up."""
        everything = [(b, key) for key, buffers in self._buffers.items() for b in buffers]
        free = [(b, key) for b, key in everything if b.is_free()]
        waiting = sum(b.memory.nbytes for b, _ in free)
        used = sum(b.memory.nbytes for b, _ in everything) - waiting
        for buffer, key in sorted(free, key=lambda pair: pair[0].last_request):
            if waiting <= max(_ALWAYS_KEPT, used):
                break
            self._buffers[key].remove(buffer)
            waiting -= buffer.memory.nbytes

    def give_back(self, most: float = math.inf) -> None:
        """Frees all buffers that nobody holds, unless they have more than so many bytes."""
        with self._lock:
            everything = itertools.chain(self._scratch, *self._buffers.values())
            if sum(b.memory.nbytes for b in everything if b.is_free()) <= most:
                self._requests += 1
                self._forget(self._requests)

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """What the block asks for is freed at its end, unless it was there before, or is held."""
        with self._lock:
            before = self._requests
        try:
            yield
        finally:
            with self._lock:
                self._keep(lambda buffer: buffer.first_request <= before)

    def _forget(self, oldest: int) -> None:
        """Frees what was last asked for before that request, or in it."""
        self._keep(lambda buffer: buffer.last_request > oldest)

    def _keep(self, is_wanted: Callable[[_Buffer], bool]) -> None:
        """Frees all that nobody holds and that is not wanted."""
        for buffers in (self._scratch, *self._buffers.values()):
            buffers[:] = [b for b in buffers if is_wanted(b) or not b.is_free()]
        self._buffers = {size: buffers for size, buffers in self._buffers.items() if buffers}


class Holder(Protocol):
    """What holds memory of the pool only to be quicker the next time."""

    def let_go(self) -> None: ...


_pool = BufferPool()
begin = _pool.begin
take = _pool.take
scratch = _pool.scratch
passing = _pool.passing

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
"""Of GNU's C library, whose heap keeps what it may need again."""

_holders: WeakSet[Holder] = WeakSet()
_among_holders = threading.Lock()


def register(holder: Holder) -> None:
    """Has ``holder`` let go of its memory whenever all is given back, as long as it lives."""
    with _among_holders:
        _holders.add(holder)


def give_back(most: float = math.inf) -> None:
    """Frees all memory that waits to be used again, and has the system get what the heap can spare.

    That takes a fifth of a millisecond, and to touch as much anew one for every few megabytes. So
    more than ``most`` bytes are kept.
    """
    with _among_holders:
        holders = list(_holders)
    for holder in holders:
        holder.let_go()
    for pool in _pools:
        pool.give_back(most)
    if _trim is not None:
        _trim(0)


@contextlib.contextmanager
def set_aside(most: float = math.inf) -> Iterator[None]:
    """Around the block memory is given back (see there): so it does not add to what others need."""
    give_back(most)
    try:
        yield
    finally:
        give_back(most)
