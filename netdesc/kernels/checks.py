"""Checks of the operators' tensors, as the kernels index memory without bounds checks."""

from __future__ import annotations

import torch
from torch import Tensor


def check_tensor(name: str, value: object) -> None:
    """Raises TypeError for other objects, such as numpy arrays, whose methods have equal names.

    Raises ValueError for complex and for sparse tensors.
    """
    if not isinstance(value, Tensor):
        kind = type(value).__name__
        raise TypeError(f"{name}: a torch tensor is needed, not {kind}; use torch.as_tensor")
    if value.is_complex():
        raise ValueError(f"{name} has type {_short(value.dtype)}; real numbers are needed")
    _check_dense(name, value)


def check_float32(name: str, tensor: Tensor) -> None:
    """Raises ValueError for tensors of other types and for sparse tensors."""
    if tensor.dtype != torch.float32:
        raise ValueError(f"{name} has type {_short(tensor.dtype)}; netdesc computes in float32")
    _check_dense(name, tensor)


def _check_dense(name: str, tensor: Tensor) -> None:
    if tensor.layout != torch.strided:
        raise ValueError(
            f"{name} has layout {_short(tensor.layout)}; a dense tensor is needed: call to_dense()"
        )


def _short(kind: torch.dtype | torch.layout) -> str:
    return str(kind).removeprefix("torch.")


def check_signal(name: str, signal_TBN: Tensor) -> None:
    """Raises ValueError unless it is float32 [steps, batch, neurons], each at least 1."""
    check_float32(name, signal_TBN)
    if signal_TBN.dim() != 3 or not signal_TBN.numel():
        raise ValueError(
            f"{name} has shape {list(signal_TBN.shape)}; "
            "[steps, batch, neurons] is needed, each at least 1"
        )


def check_per_neuron(name: str, values: Tensor, neurons: int, shared: int) -> None:
    """Raises ValueError unless it is float32 and holds ``neurons`` or ``shared`` numbers."""
    check_float32(name, values)
    if values.dim() > 1 or values.numel() not in (shared, neurons):
        raise ValueError(f"{name} has shape {list(values.shape)}; [{neurons}] is needed")


def check_weight(weight_OI: Tensor, shape: tuple[int, int, int], device: torch.device) -> None:
    """Raises ValueError unless it is float32 [units, inputs] and fits an input on ``device``.

    ``shape`` is the input's: steps, batch and inputs.
    """
    check_float32("a weight", weight_OI)
    if weight_OI.dim() != 2 or weight_OI.shape[1] != shape[2]:
        raise ValueError(
            f"weights of shape {list(weight_OI.shape)} do not fit an input of shape {list(shape)}"
        )
    if weight_OI.device != device:
        raise ValueError(f"weights are on device '{weight_OI.device}', their input on '{device}'")
