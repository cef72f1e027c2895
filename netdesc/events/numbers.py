"""Checks what a Python program passes: arrays, tensors and lists of numbers, and single numbers.

The options of ``netdesc.cli.events`` repeat the limits, because ``--help`` does not load numpy.
"""

import math
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from netdesc.events.binning import MAX_STEP_MS, MAX_TIME_MS

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
        import torch

        tensor = cast("torch.Tensor", values)
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise ValueError("a plain tensor is needed, not a sparse or quantized one: .to_dense()")
        if tensor.device.type == "meta":
            raise ValueError('a tensor on the device "meta" holds no numbers')
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        is_short = plain.dtype.is_floating_point and plain.dtype.itemsize < 4
        return (plain.float() if is_short else plain).numpy()  # numpy lacks some short types
    if isinstance(values, list | tuple):
        elements = cast("list[object]", values)
        if any(hasattr(element, "detach") or hasattr(element, "mask") for element in elements):
            return [_without_tensors(element) for element in elements]
    return values


MAX_FRAMES = 500
"""The largest number of frames of an animation."""


class _Limit(NamedTuple):
    low: float
    high: float
    is_whole: bool = False
    is_open: bool = False
    """Whether ``low`` itself is not allowed."""

    @property
    def text(self) -> str:
        kind = "a whole number" if self.is_whole else "a number"
        low = f"above {self.low:g}" if self.is_open else f"from {self.low:g}"
        return f"{kind} {low}" + (f" to {self.high:,.10g}" if math.isfinite(self.high) else "")


LIMITS = {
    "step_ms": _Limit(0.001, MAX_STEP_MS),
    "until_ms": _Limit(0, MAX_TIME_MS, is_open=True),
    "neurons": _Limit(1, math.inf, is_whole=True),
    "frames": _Limit(1, MAX_FRAMES, is_whole=True),
    "fps": _Limit(0.1, 50),
    "steps": _Limit(0, 1_000_000, is_whole=True),
}


def within_limits(**values: object) -> dict[str, Any]:
    """Returns the arguments as Python numbers; None stays None.

    ValueError, which names the limits, if an argument is no number or beyond them.
    """
    return {name: None if value is None else _number(name, value) for name, value in values.items()}


def shape_sizes(shape: Iterable[Any]) -> tuple[int, ...]:
    """Returns the sizes of a shape as integers. ValueError if one is no whole number from 0."""
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError:
        sizes = (-1,)
    if any(size < 0 for size in sizes):
        raise ValueError(f"a shape is a tuple of whole numbers such as (200,), not {shape!r}")
    return sizes


def _number(name: str, value: Any) -> float:
    limit = LIMITS[name]
    try:
        number = operator.index(value) if limit.is_whole else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not limit.low <= number <= limit.high or (limit.is_open and number == limit.low):
        raise ValueError(f"{name} must be {limit.text}, not {value!r}")
    return number
