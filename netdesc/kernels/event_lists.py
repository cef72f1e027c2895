"""How the events of a layer's input come from its forward to its backward pass: in one tensor.

Its size follows from the input's shape alone, so that a compiler knows it without data. What is
reserved and not needed is never touched, and so takes no memory; it reads as 0, so that equal
inputs give equal tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor

HEADER = 6
"""Numbers before the list: whether it holds anything, rows and columns of the input, a spare one;
then how many numbers were written, these included, in 64 bits."""

SHORT = 1 << 16
"""Columns whose numbers 16 bits can tell apart."""


def list_size(device: torch.device, rows: int, columns: int) -> int:
    """Length of the int32 tensor; 0 on devices whose engine has no use for events.

    After the header comes, in 64 bits, where the events of each row begin, and where the last row's
    end; then the events. They take 16 bits each where the input has no more columns than that can
    tell apart, else 32.
    """
    if device.type != "cpu":
        return 0
    events = rows * columns
    return HEADER + 2 * (rows + 1) + ((events + 1) // 2 if columns <= SHORT else events)


def no_lists(input_TBI: Tensor) -> Tensor:
    """The tensor of a pass that listed no events of its input."""
    steps, batch, inputs = input_TBI.shape
    size = list_size(input_TBI.device, steps * batch, inputs)
    if not size:
        return torch.empty(0, dtype=torch.int32, device=input_TBI.device)
    return torch.zeros(size, dtype=torch.int32)


def fake_lists(input_TBI: Tensor) -> Tensor:
    """The same for tracing without data."""
    steps, batch, inputs = input_TBI.shape
    size = list_size(input_TBI.device, steps * batch, inputs)
    return input_TBI.new_empty(size, dtype=torch.int32)


def needed(input_TBI: Tensor, lists: Tensor) -> Tensor | None:
    """The input, if a backward pass needs it beside its ``lists``.

    Once listed it need not be kept; a compiler, whose tensors hold no data, cannot tell.
    """
    return None if type(lists) is Tensor and are_listed(lists) else input_TBI


def listed(lists: Tensor) -> Tensor:
    """``are_listed`` of lists that are not empty as an int64 tensor [1], for tracing, too."""
    return lists[:1].to(torch.int64)


def are_listed(lists: Tensor) -> bool:
    """Whether a forward pass left its input's events in ``lists``."""
    # Through numpy, which reads one number in a tenth of torch's time.
    return lists.numel() > 0 and bool(lists.numpy()[0])
