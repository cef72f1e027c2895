"""How output spikes come from a loss's forward to its backward pass: one bit for each.

Kept as they are, they would take as much memory as all else that a layer keeps. The CPU engine
packs them while it reads them; it hands on words behind a header that says whether all values were
0 or 1. If not, the output itself has to be kept. A loss of spike trains has a word for 32 steps of
a neuron, [blocks of steps, batch, neurons], one that looks at all neurons in every step a word for
32 neurons, [batch, blocks of neurons, steps]; bit ``i`` of a word is the i-th of them.
"""

from __future__ import annotations

from torch import Tensor

WORD_BITS = 32

HEADER = 16
"""Words before the first one of spikes; the first is 1 where spikes follow. 64 bytes align them."""


def packed_size(shape: tuple[int, int, int]) -> int:
    """Length of the int32 tensor for spikes [steps, batch, neurons], a word for 32 steps."""
    steps, batch, neurons = shape
    return HEADER + -(-steps // WORD_BITS) * batch * neurons


def packed_trains_size(shape: tuple[int, int, int]) -> int:
    """The same, a word for 32 neurons."""
    steps, batch, neurons = shape
    return HEADER + batch * -(-neurons // WORD_BITS) * steps


def stand_for_output(kept: Tensor) -> bool:
    """Whether what an engine keeps of a loss of spike trains does without the output.

    Other engines than the CPU's keep the filtered difference.
    """
    return kept.is_floating_point() or hold_output(kept)


def hold_output(kept: Tensor) -> bool:
    """Whether what the CPU engine, or another, keeps of a loss has the output's spikes.

    A compiler's tensors, without data, cannot tell.
    """
    return not kept.is_floating_point() and type(kept) is Tensor and are_packed(kept)


def are_packed(packed: Tensor) -> bool:
    """Whether a forward pass left its output's spikes in ``packed``."""
    # Through numpy, which reads one number in a tenth of torch's time.
    return bool(packed.numpy()[0])
