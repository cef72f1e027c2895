"""Checks the operators' tensors, because kernels index memory without bounds checks."""

from collections.abc import Sequence

import torch
from torch import Tensor


def check_tensor(name: str, value: object) -> None:
    """Raises TypeError if ``value`` is not a torch tensor, ValueError if it is complex or sparse.

    Numpy arrays must be rejected, too: many of their methods have the names of a tensor's methods.
    """
    if not isinstance(value, Tensor):
        kind = type(value).__name__
        raise TypeError(f"{name}: a torch tensor is needed, not {kind}; use torch.as_tensor")
    if value.is_complex():
        raise ValueError(f"{name} has type {_short(value.dtype)}; real numbers are needed")
    _check_dense(name, value)


def check_target(target: object, output: Tensor) -> None:
    """Raises what ``check_tensor`` does, and ValueError if output and target are on two devices."""
    check_tensor("the target", target)
    assert isinstance(target, Tensor)
    check_device("the target", target, output.device)


def check_same_shape(target: Tensor, output: Tensor) -> None:
    """Raises ValueError unless output and target have one shape."""
    if output.shape != target.shape:
        raise ValueError(
            f"the output has shape {list(output.shape)}, its target {list(target.shape)}"
        )


def check_float32(name: str, tensor: Tensor) -> None:
    """Raises ValueError if ``tensor`` is not float32, or is sparse."""
    if tensor.dtype != torch.float32:
        raise ValueError(f"{name} has type {_short(tensor.dtype)}; netdesc computes in float32")
    _check_dense(name, tensor)


def _check_dense(name: str, tensor: Tensor) -> None:
    if tensor.is_quantized or tensor.is_nested:
        raise ValueError(f"{name} is quantized or nested; a dense tensor of numbers is needed")
    if tensor.layout != torch.strided:
        raise ValueError(
            f"{name} has layout {_short(tensor.layout)}; a dense tensor is needed: call to_dense()"
        )


def _short(kind: torch.dtype | torch.layout) -> str:
    return str(kind).removeprefix("torch.")


def check_signal(name: str, signal_TBN: Tensor) -> None:
    """Raises ValueError unless the signal is float32 [steps, batch, neurons] and not empty."""
    check_float32(name, signal_TBN)
    if signal_TBN.dim() != 3 or not signal_TBN.numel():
        raise ValueError(
            f"{name} has shape {list(signal_TBN.shape)}; "
            "[steps, batch, neurons] is needed, each at least 1"
        )


def check_weight(weight_OI: Tensor, shape: Sequence[int], device: torch.device) -> None:
    """Raises ValueError unless ``weight_OI`` is float32 [units, inputs] and on ``device``.

    ``shape`` is the shape [steps, batch, inputs] of the layer's input.
    """
    check_float32("a weight", weight_OI)
    if weight_OI.dim() != 2 or weight_OI.shape[1] != shape[2]:
        raise ValueError(
            f"weights of shape {list(weight_OI.shape)} do not fit an input of shape {list(shape)}"
        )
    check_device("a weight", weight_OI, device)


def check_device(name: str, tensor: Tensor, device: torch.device) -> None:
    """Raises ValueError unless ``tensor`` is on ``device``."""
    if tensor.device != device:
        raise ValueError(f"{name} is on device '{tensor.device}'; it must be on '{device}'")
