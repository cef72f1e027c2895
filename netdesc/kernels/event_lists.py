"""How the events of a layer's input come from its forward to its backward pass: in one tensor.

Its size follows from the input's shape alone, so that a compiler knows it without data. What is
reserved and not needed is never touched, and so takes no memory; it reads as 0, so that equal
inputs give equal tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor

PARTS = 64
"""Runs of rows that are listed independently, each into its own stretch of the list."""

HEADER = 4 + 2 * PARTS
"""Numbers before the lists: whether they hold anything, rows and columns of the input, a spare one;
then for each part the place after the last entry that was written, in 64 bits."""


def list_size(device: torch.device, rows: int, columns: int) -> int:
    """Length of the int32 tensor; 0 on devices whose engine has no use for events.

    After the header come the first and the last place of every row's events, in 64 bits, then the
    events with a spare one for each part. They take 16 bits each where the input has no more
    columns than that can tell apart; the rest of the room is then never touched.
    """
    return HEADER + 4 * rows + rows * columns + PARTS if device.type == "cpu" else 0


def no_lists(input_TBI: Tensor) -> Tensor:
    """The tensor of a pass that listed no events of its input."""
    steps, batch, inputs = input_TBI.shape
    size = list_size(input_TBI.device, steps * batch, inputs)
    if not size:
        return torch.empty(0, dtype=torch.int32, device=input_TBI.device)
    return torch.zeros(size, dtype=torch.int32)


def are_listed(lists: Tensor) -> bool:
    """Whether a forward pass left its input's events in ``lists``."""
    # Through numpy, which reads one number in a tenth of torch's time.
    return lists.numel() > 0 and bool(lists.numpy()[0])
