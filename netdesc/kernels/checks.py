"""What the operators ask of their tensors: the fast kernels index memory without looking."""

from __future__ import annotations

import torch
from torch import Tensor


def check_tensor(name: str, value: object) -> None:
    """TypeError where it is none: numpy's arrays, for one, have methods of the same names.

    ValueError where its numbers are complex, or only some of them are there.
    """
    if not isinstance(value, Tensor):
        kind = type(value).__name__
        raise TypeError(f"{name}: a torch tensor is needed, not {kind}; torch.as_tensor makes one")
    if value.is_complex():
        raise ValueError(f"{name} has type {_short(value.dtype)}; real numbers are needed")
    _check_dense(name, value)


def check_float32(name: str, tensor: Tensor) -> None:
    """ValueError where it is not, or only some of its numbers are there."""
    if tensor.dtype != torch.float32:
        raise ValueError(f"{name} has type {_short(tensor.dtype)}; netdesc computes in float32")
    _check_dense(name, tensor)


def _check_dense(name: str, tensor: Tensor) -> None:
    if tensor.layout != torch.strided:
        raise ValueError(
            f"{name} has layout {_short(tensor.layout)}; its to_dense() makes what is needed"
        )


def _short(kind: torch.dtype | torch.layout) -> str:
    return str(kind).removeprefix("torch.")


def check_signal(name: str, signal_TBN: Tensor) -> None:
    """A tensor over time: float32 [steps, batch, neurons], none of them 0."""
    check_float32(name, signal_TBN)
    if signal_TBN.dim() != 3 or not signal_TBN.numel():
        raise ValueError(
            f"{name} has shape {list(signal_TBN.shape)}; "
            "[steps, batch, neurons] is needed, each at least 1"
        )


def check_per_neuron(name: str, values: Tensor, neurons: int, shared: int) -> None:
    """float32 [neurons], or as many numbers for all of them as ``shared`` says."""
    check_float32(name, values)
    if values.dim() > 1 or values.numel() not in (shared, neurons):
        raise ValueError(f"{name} has shape {list(values.shape)}; [{neurons}] is needed")


def check_weight(weight_OI: Tensor, shape: tuple[int, int, int], device: torch.device) -> None:
    """float32 [units, inputs] that fits an input of that shape, on its device."""
    check_float32("a weight", weight_OI)
    if weight_OI.dim() != 2 or weight_OI.shape[1] != shape[2]:
        raise ValueError(
            f"weights of shape {list(weight_OI.shape)} do not fit an input of shape {list(shape)}"
        )
    if weight_OI.device != device:
        raise ValueError(f"weights are on device '{weight_OI.device}', their input on '{device}'")
