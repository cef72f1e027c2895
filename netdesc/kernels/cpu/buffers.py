"""Memory for the tensors that the engine hands out, used again once nobody holds them.

Fresh memory costs a page fault every 4 kB, as much time as the kernels themselves take. An epoch
asks for the same sizes as the epoch before, so buffers whose tensors are gone serve again.
"""

from __future__ import annotations

import math
import sys
import threading

import numpy as np
import torch

_ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register."""

_FORGET_AFTER = 256
"""A free buffer that this many requests have passed by is given back."""


class BufferPool:
    """Buffers by size in bytes, each with the number of the request that last took it."""

    def __init__(self) -> None:
        self._buffers: dict[int, list[list]] = {}
        self._requests = 0
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        """An array with arbitrary contents, aligned to 64 bytes, whose buffer nobody else holds."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        with self._lock:
            self._requests += 1
            if self._requests % _FORGET_AFTER == 0:
                self._forget()
            raw = self._free(size)
            start = -raw.ctypes.data % _ALIGNMENT
            return raw[start : start + size].view(dtype).reshape(shape)

    def _free(self, size: int) -> np.ndarray:
        slots = self._buffers.setdefault(size, [])
        # The buffer used last is the likeliest to be in the cache still.
        for slot in reversed(slots):
            if _unused(slot):
                slot[1] = self._requests
                return slot[0]
        slots.append([np.empty(size + _ALIGNMENT, np.uint8), self._requests])
        return slots[-1][0]

    def _forget(self) -> None:
        oldest = self._requests - _FORGET_AFTER
        for size, slots in list(self._buffers.items()):
            slots[:] = [slot for slot in slots if slot[1] > oldest or not _unused(slot)]
            if not slots:
                del self._buffers[size]


def _unused(slot: list) -> bool:
    # Held by the slot and by the call's argument: every tensor made of it would add one.
    return sys.getrefcount(slot[0]) == 2


_pool = BufferPool()
take = _pool.take


def matmul(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """``left [..., k] @ right [k, n]``, float32, into a buffer of the pool."""
    flat = left.reshape(-1, left.shape[-1])
    out = torch.from_numpy(take((flat.shape[0], right.shape[1]), np.float32))
    torch.mm(flat, right, out=out)
    return out.reshape(*left.shape[:-1], right.shape[1])
