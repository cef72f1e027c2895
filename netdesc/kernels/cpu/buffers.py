"""Memory for the tensors that the engine hands out, used again once nobody holds them.

Fresh memory costs a page fault every 4 kB, as much time as the kernels themselves take. An epoch
asks for the same sizes as the epoch before, so buffers whose tensors are gone serve again.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable

import numpy as np

_ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register."""

_FORGET_AFTER = 256
"""A free buffer that this many requests have passed by is given back."""

_ALWAYS_KEPT = 1 << 28
"""Bytes of free buffers that may wait for a request; or as many as there are in use, if more."""

_Key = tuple[tuple[int, ...], type[np.generic]]
Allocate = Callable[[int, type[np.uint8]], np.ndarray]


class _Buffer:
    """Memory, the one array that is handed out of it, and the number of the last request for it."""

    __slots__ = ("array", "last_request", "memory")

    def __init__(self, shape: tuple[int, ...], dtype: type[np.generic], allocate: Allocate) -> None:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        self.memory = allocate(size + _ALIGNMENT, np.uint8)
        start = -self.memory.ctypes.data % _ALIGNMENT
        self.array = self.memory[start : start + size].view(dtype).reshape(shape)
        self.last_request = 0

    def is_free(self) -> bool:
        # A tensor made of the array holds the array; a view of the array holds the memory. Beside
        # them, getrefcount counts our attribute, its own argument, and the array's hold on memory.
        return sys.getrefcount(self.array) == 2 and sys.getrefcount(self.memory) == 3


class BufferPool:
    """Buffers by shape and type; ``allocate`` makes the memory of a new one."""

    def __init__(self, allocate: Allocate = np.empty) -> None:
        self._allocate = allocate
        self._buffers: dict[_Key, list[_Buffer]] = {}
        self._requests = 0
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """An array with arbitrary contents, aligned to 64 bytes, whose buffer nobody else holds."""
        with self._lock:
            self._requests += 1
            if self._requests % _FORGET_AFTER == 0:
                self._forget()
            buffer = self._free_buffer(shape, dtype)
            buffer.last_request = self._requests
            return buffer.array

    def _free_buffer(self, shape: tuple[int, ...], dtype: type[np.generic]) -> _Buffer:
        buffers = self._buffers.setdefault((shape, dtype), [])
        for buffer in buffers:
            if buffer.is_free():
                return buffer
        self._shrink()
        buffers.append(_Buffer(shape, dtype, self._allocate))
        return buffers[-1]

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

    def _forget(self) -> None:
        oldest = self._requests - _FORGET_AFTER
        for key, buffers in list(self._buffers.items()):
            buffers[:] = [b for b in buffers if b.last_request > oldest or not b.is_free()]
            if not buffers:
                del self._buffers[key]


_pool = BufferPool()
take = _pool.take
