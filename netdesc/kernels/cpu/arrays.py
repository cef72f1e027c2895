"""Tensors as the arrays that kernels take."""

from __future__ import annotations

import numpy as np
import torch

from netdesc.kernels.cpu.buffers import take


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
