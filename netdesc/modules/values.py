"""Initial values: a number, numbers drawn from a range or spaced over it, and dither."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


def initial_value(
    given: float | tuple[float, float],
    count: int | None,
    generator: torch.Generator | None,
    *,
    is_log_spaced: bool = False,
) -> Tensor:
    """Returns a value of neurons, float32 [count], or [] if ``count`` is None.

    ``given`` is a number, or a range (low, high), from which each neuron draws its own. With
    ``is_log_spaced``, the values divide the range by equal ratios, from high to low.
    """
    low, high = given if isinstance(given, tuple) else (given, given)
    value = torch.full(() if count is None else (count,), low, dtype=torch.float32)
    if low == high:
        return value
    if is_log_spaced:
        part = torch.linspace(0, 1, value.numel(), dtype=torch.float64).view(value.shape)
        return (high * (low / high) ** part).float().clamp(low, high)
    return value.uniform_(low, high, generator=generator)


def replace_value(neurons: nn.Module, name: str, value: Tensor) -> None:
    """Puts ``value`` in the place of a value of neurons, and leaves attributes of its name alone.

    Raises TypeError unless both or none is a parameter.
    """
    tensors = neurons._parameters if name in neurons._parameters else neurons._buffers
    is_learnt = tensors is neurons._parameters
    if isinstance(value, nn.Parameter) != is_learnt:
        hint = "" if is_learnt else f': name it in "learn" of the document to learn {name}'
        kind = "a Parameter" if is_learnt else "a tensor"
        raise TypeError(f"{name} is {kind}, not {type(value).__name__}{hint}")
    cast("dict[str, Tensor]", tensors)[name] = value


def places(values: Tensor, generator: torch.Generator) -> Tensor:
    """Returns random places within rounding cells of size 1, from −0.49 to 0.49, like ``values``.

    The generator is one of the CPU.
    """
    drawn = torch.rand(values.shape, generator=generator, dtype=torch.float32)
    return (0.98 * drawn - 0.49).to(values.device)
