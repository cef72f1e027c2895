"""Packed spikes: the tensor in which the CPU engine saves binary spikes, one bit each.

A header precedes the bitmasks [batch, vectors of 32 neurons, steps]. A bitmask holds the spikes of
32 neighbouring neurons in one step of a sample, the first neuron in the lowest bit.
"""

from typing import NamedTuple

from torch import Tensor

NEURONS_PER_BITMASK = 32

HEADER_NUMBERS = 16
"""Number of int32 numbers in the header of packed spikes: 64 bytes, so that bitmasks are aligned.

The first number is 1 if the layer reads these spikes as events, 0 if it computes a matrix product.
With events, the third and fourth number together are the number of spikes, an int64.
"""


class SavedImages(NamedTuple):
    """The input of a convolution, as it is kept for the backward pass."""

    values_TBCHW: Tensor | None
    """None if ``packed`` holds the spikes."""
    packed: Tensor
    shape: tuple[int, int, int]
    """Channels, height and width."""


def packed_size(shape: tuple[int, int, int]) -> int:
    """Returns the length of the int32 tensor for packed spikes [steps, batch, neurons].

    The length depends on the shape alone, so that torch's compiler knows it before there are data.
    """
    steps, batch, neurons = shape
    return HEADER_NUMBERS + batch * -(-neurons // NEURONS_PER_BITMASK) * steps


def holds_spikes(packed: Tensor) -> bool:
    """Whether the backward pass can read the input's spikes from ``packed`` alone.

    ``packed`` was saved by a forward pass. It suffices if its header marks the spikes as events.
    Returns False if the engine does not pack spikes. Also returns False while torch compiles,
    because its compiler uses tensors without data.
    """
    if type(packed) is not Tensor or packed.dim() != 1 or not packed.numel():
        return False
    return bool(packed.numpy()[0])  # numpy reads one number in a tenth of torch's time
