"""The tensor in which the CPU engine keeps binary spikes for the backward pass: one bit each.

An int32 header, whose first number is 1 if the spikes are taken as events (``cpu.events`` says how
many there are), and then [batch, vectors, steps] words: a
word holds 32 neighbouring neurons in one step of a sample, the first of them in the lowest bit. The
length follows from the shape alone, so that a compiler knows it without data.
"""

from __future__ import annotations

from torch import Tensor

WORD_BITS = 32

HEADER = 16
"""Numbers before the words: they begin at a multiple of 64 bytes, as vectors want it."""


def packed_size(shape: tuple[int, int, int]) -> int:
    """Length of the int32 tensor for spikes [steps, batch, neurons]."""
    steps, batch, neurons = shape
    return HEADER + batch * -(-neurons // WORD_BITS) * steps


def holds_spikes(packed: Tensor) -> bool:
    """Whether a forward pass left all spikes of its input in the flat tensor that it kept.

    Other engines than the CPU's keep none, and a compiler, whose tensors hold no data, cannot tell.
    """
    if type(packed) is not Tensor or packed.dim() != 1 or not packed.numel():
        return False
    return bool(packed.numpy()[0])  # numpy reads one number in a tenth of torch's time
