"""Tensors as the arrays that kernels take, and memory for those that the engine hands out.

Memory is used again once nobody holds it. Fresh memory costs a page fault every 4 kB, as much time
as the kernels themselves take. A training step asks for the same sizes as the step before, so that
buffers whose tensors are gone serve again.
"""

from __future__ import annotations

import math
import threading
from sys import getrefcount

import numpy as np
import torch

_ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register."""

_MAX_IDLE_BYTES = 1 << 28
"""Bytes of free buffers that may wait for a request; or as many as there are in use, if more."""

_SMALL_BYTES = 1 << 13
"""Of an array that the heap has ready sooner than the pool."""

_ITEM_BYTES: dict[type[np.generic], int] = {
    kind: np.dtype(kind).itemsize for kind in (np.int16, np.int32, np.int64, np.float32)
}
"""Of the types that kernels work with; numpy takes longer to say."""

_REFERENCES_OF_FREE = 2
"""How often a free buffer's memory is held: by our attribute, and while that is counted.

An array that was made of the memory holds it, and so does a view of that array or a tensor.
"""


class _Buffer:
    __slots__ = ("last_request", "memory", "start")

    def __init__(self, size: int) -> None:
        self.memory = np.empty(size + _ALIGNMENT, np.uint8)
        # Torch says in 3 microseconds where memory is, numpy in 8.
        self.start = -torch.from_numpy(self.memory).data_ptr() % _ALIGNMENT
        self.last_request = 0

    @property
    def is_free(self) -> bool:
        return getrefcount(self.memory) == _REFERENCES_OF_FREE


class MemoryPool:
    """Buffers by their size in bytes."""

    def __init__(self) -> None:
        self._buffers: dict[int, list[_Buffer]] = {}
        self._requests = 0
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """An array with arbitrary contents, whose memory nobody else holds.

        A large one is aligned to 64 bytes.
        """
        size = math.prod(shape) * _ITEM_BYTES[dtype]
        if size <= _SMALL_BYTES:
            return np.empty(shape, dtype)
        with self._lock:
            self._requests += 1
            for buffer in self._buffers.get(size, ()):
                if getrefcount(buffer.memory) == _REFERENCES_OF_FREE:
                    break
            else:
                self._shrink()
                buffer = _Buffer(size)
                self._buffers.setdefault(size, []).append(buffer)
            buffer.last_request = self._requests
            return np.ndarray(shape, dtype, buffer.memory, buffer.start)

    def _shrink(self) -> None:
        """Frees what has waited longest: tensors of ever new shapes would pile up."""
        everything = [(b, size) for size, buffers in self._buffers.items() for b in buffers]
        free = [(b, size) for b, size in everything if b.is_free]
        waiting = sum(size for _, size in free)
        used = sum(size for _, size in everything) - waiting
        for buffer, size in sorted(free, key=lambda pair: pair[0].last_request):
            if waiting <= max(_MAX_IDLE_BYTES, used):
                break
            self._buffers[size].remove(buffer)
            waiting -= size

    def free(self) -> None:
        """Frees all buffers that nobody holds."""
        with self._lock:
            for size, buffers in list(self._buffers.items()):
                self._buffers[size] = [buffer for buffer in buffers if not buffer.is_free]


_pool = MemoryPool()
take = _pool.take
free = _pool.free


def array_of(tensor: torch.Tensor) -> np.ndarray:
    """A C-contiguous array with the numbers of a tensor, and its memory where that can be."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.is_contiguous():
        return tensor.numpy()
    given = tensor.numpy()
    array = take(given.shape, given.dtype.type)
    array[:] = given
    return array


def flat(tensor: torch.Tensor) -> np.ndarray:
    """The same in one dimension."""
    return array_of(tensor).reshape(-1)


def rows_of(tensor_TBN: torch.Tensor) -> np.ndarray:
    """The same as rows [steps · batch, neurons]."""
    return as_rows(array_of(tensor_TBN))


def as_rows(array_TBN: np.ndarray) -> np.ndarray:
    return array_TBN.reshape(-1, array_TBN.shape[2])


def over_time(rows: np.ndarray, like_TBN: torch.Tensor) -> torch.Tensor:
    """Rows [steps · batch, neurons] with the steps and the batch of a tensor."""
    return torch.from_numpy(rows.reshape(*like_TBN.shape[:2], -1))


def scalar(value: float) -> torch.Tensor:
    # Through numpy, which makes so small a tensor in a tenth of torch's time.
    with np.errstate(over="ignore"):  # training says it in its own words
        return torch.from_numpy(np.array(value, np.float32))
