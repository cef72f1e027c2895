"""A memory pool for the arrays that the engine returns, and conversions of tensors to arrays.

New memory costs a page fault every 4 kB, which takes as long as the kernels themselves. Each
training step needs arrays of the same sizes, so the pool reuses a buffer as soon as no array or
tensor uses it any more.
"""

import math
import threading
from sys import getrefcount

import numpy as np
import torch

from netdesc.machine import return_freed_memory

_ALIGNMENT = 64
"""Bytes of a cache line, and of the widest vector register."""

_MAX_IDLE_BYTES = 1 << 28
"""Number of bytes that free buffers may take.

If used buffers take more bytes than this, free buffers may take as many as the used buffers.
"""

_SHRINK_INTERVAL = 1 << 25
"""The pool frees old buffers whenever it has allocated this number of bytes in new buffers."""

_MAX_NUMPY_BYTES = 1 << 13
"""Arrays up to this size are allocated by numpy, which is faster for small arrays."""

_KINDS = (np.int16, np.int32, np.int64, np.float32, np.float64)
_ITEM_BYTES: dict[type[np.generic], int] = {kind: np.dtype(kind).itemsize for kind in _KINDS}
"""Item size of each type that kernels use; ``np.dtype`` would take longer at each call."""

_FREE_REFCOUNT = 2
"""Reference count of a free buffer's memory.

The references are the buffer's attribute and the argument of ``getrefcount``. Each array, view or
tensor of the memory adds 1.
"""


class _Buffer:
    __slots__ = ("last_request", "memory", "start")

    def __init__(self, size: int) -> None:
        self.memory = np.empty(size + _ALIGNMENT, np.uint8)
        # Reading the address takes torch 3 microseconds, numpy 8.
        self.start = -torch.from_numpy(self.memory).data_ptr() % _ALIGNMENT
        self.last_request = 0

    @property
    def is_free(self) -> bool:
        return getrefcount(self.memory) == _FREE_REFCOUNT


class MemoryPool:
    """Buffers for arrays; a free buffer is reused for the next array of the same size."""

    def __init__(self) -> None:
        self._buffers: dict[int, list[_Buffer]] = {}
        self._requests = 0
        self._new_bytes = 0
        self._lock = threading.Lock()

    def allocate(
        self, shape: tuple[int, ...], dtype: type[np.generic], is_aligned: bool = False
    ) -> np.ndarray:
        """Returns an array with arbitrary contents, in memory that no other array uses.

        Arrays of more than ``_MAX_NUMPY_BYTES`` are aligned to 64 bytes anyway.
        """
        size = math.prod(shape) * _ITEM_BYTES[dtype]
        if size <= _MAX_NUMPY_BYTES and not is_aligned:
            return np.empty(shape, dtype)
        with self._lock:
            self._requests += 1
            for buffer in self._buffers.get(size, ()):
                if getrefcount(buffer.memory) == _FREE_REFCOUNT:  # a property call costs more
                    break
            else:
                self._new_bytes += size
                if self._new_bytes > _SHRINK_INTERVAL:
                    self._shrink()
                buffer = _Buffer(size)
                self._buffers.setdefault(size, []).append(buffer)
            buffer.last_request = self._requests
            return np.ndarray(shape, dtype, buffer.memory, buffer.start)

    def allocate_per_thread(
        self, threads: int, numbers: int, dtype: type[np.generic]
    ) -> np.ndarray:
        """Returns scratch memory with arbitrary contents: a row of ``numbers`` for each thread.

        Rows are aligned to 64 bytes, and longer if ``numbers`` do not fill their last cache line:
        cores that write to the same line at the same time slow each other down.
        """
        per_line = _ALIGNMENT // _ITEM_BYTES[dtype]
        return self.allocate((threads, -(-numbers // per_line) * per_line), dtype, True)

    def allocate_scratch(
        self, threads: int, sizes: tuple[int, ...], dtype: type[np.generic]
    ) -> list[np.ndarray]:
        """Returns what ``allocate_per_thread`` does for each of ``sizes``, in one buffer."""
        per_line, arrays, start = _ALIGNMENT // _ITEM_BYTES[dtype], list[np.ndarray](), 0
        rows = [-(-size // per_line) * per_line for size in sizes]
        numbers = self.allocate((threads * sum(rows),), dtype, True)
        for row in rows:
            end = start + threads * row
            arrays.append(numbers[start:end].reshape(threads, row))
            start = end
        return arrays

    def release(self) -> None:
        """Frees all buffers that no array uses."""
        with self._lock:
            for size, buffers in self._buffers.items():
                self._buffers[size] = [buffer for buffer in buffers if not buffer.is_free]
        return_freed_memory()

    def _shrink(self) -> None:
        """Frees the buffers that were unused longest, so that the pool does not keep old sizes."""
        self._new_bytes = 0
        sized = [(b, size) for size, buffers in self._buffers.items() for b in buffers]
        free = [(b, size) for b, size in sized if b.is_free]
        idle_bytes = sum(size for _, size in free)
        used_bytes = sum(size for _, size in sized) - idle_bytes
        for buffer, size in sorted(free, key=lambda pair: pair[0].last_request):
            if idle_bytes <= max(_MAX_IDLE_BYTES, used_bytes):
                break
            self._buffers[size].remove(buffer)
            idle_bytes -= size
        self._buffers = {size: buffers for size, buffers in self._buffers.items() if buffers}


_pool = MemoryPool()
allocate = _pool.allocate
release = _pool.release
allocate_per_thread = _pool.allocate_per_thread
allocate_scratch = _pool.allocate_scratch


def array_of(tensor: torch.Tensor) -> np.ndarray:
    """Returns a C-contiguous array of a tensor's numbers: a view if possible, else a copy."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.is_contiguous():
        return tensor.numpy()
    strided = tensor.numpy()
    array = allocate(strided.shape, strided.dtype.type)
    array[:] = strided
    return array


def as_rows(array_TBN: np.ndarray) -> np.ndarray:
    """Returns a view of an array [steps, batch, neurons] as rows [steps · batch, neurons]."""
    return array_TBN.reshape(-1, array_TBN.shape[2])
