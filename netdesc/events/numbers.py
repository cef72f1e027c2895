"""Converts the numbers that a Python program passes, such as tensors and lists, to numpy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


def number_array(values: object) -> NDArray[Any]:
    """Returns an array, a tensor, or a list of numbers or of these, as an array of real numbers.

    Tensors need not be on the CPU, and may have gradients. ValueError if ``values`` is no array of
    real numbers, such as lists of unequal lengths, or if it has a mask, which would be lost.
    """
    is_list = isinstance(values, list | tuple) and len(values) > 0
    first = cast("list[object]", values)[0] if is_list else values
    hint = records_hint(first)
    if hint or hasattr(first, "to_tensor"):
        way = "to_tensor(shape, steps, step_ms) of an Event makes an array"
        raise ValueError("; ".join(filter(None, ("events are no array", hint, way))))
    plain = _without_tensors(values)
    try:
        array = np.asarray(plain)
    except (TypeError, ValueError, RuntimeError) as error:
        is_ragged = "inhomogeneous" in str(error)
        kind = "lists of unequal lengths" if is_ragged else type(values).__name__
        raise ValueError(f"{kind} cannot be an array: all elements need the same shape") from error
    if array.dtype.kind not in "biuf":
        what = f"{array.dtype} of shape {list(array.shape)}"
        raise ValueError(f"an array of numbers is needed, not {what}")
    return array


def records_hint(values: object) -> str:
    """Returns the call that makes an Event of an array of records; empty for other values."""
    names = getattr(getattr(values, "dtype", None), "names", None) or ()
    if not {"x", "t"}.issubset(names):
        return ""
    columns = ", ".join(f'{name}=a["{name}"]' for name in "xyp" if name in names)
    return f'of records a with t in µs, Event({columns}, t=a["t"] / 1000) makes events'


def _without_tensors(values: object) -> object:
    if np.ma.isMaskedArray(values):
        raise ValueError("the mask of a masked array would be ignored; give .filled(0), or no mask")
    if hasattr(values, "detach"):  # so that torch is imported only if there is a tensor
        return _tensor_array(cast("torch.Tensor", values))
    if isinstance(values, list | tuple):
        elements = cast("list[object]", values)
        if any(hasattr(each, "detach") or hasattr(each, "mask") for each in elements):
            return [_without_tensors(each) for each in elements]
    return values


def _tensor_array(tensor: torch.Tensor) -> NDArray[Any]:
    """Returns the values of a tensor. Floats of less than 32 bits become float32.

    ValueError if it is sparse or quantised, or on the device "meta".
    """
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized:
        raise ValueError("a plain tensor is needed, not a sparse or quantized one: .to_dense()")
    if tensor.device.type == "meta":
        raise ValueError('a tensor on the device "meta" holds no numbers')
    values = tensor.detach().cpu().resolve_conj().resolve_neg()
    if values.dtype.is_floating_point and values.dtype.itemsize < 4:
        values = values.to(torch.float32)  # numpy lacks some of the short types
    return values.numpy()
