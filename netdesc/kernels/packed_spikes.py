"""How output spikes come from a loss's forward to its backward pass: one bit for each.

Kept as they are, they would take as much memory as all else that a layer keeps. The CPU engine
packs them while it reads them; it hands on [blocks of 32 steps, batch, neurons] words, in which bit
``t % 32`` of word ``t // 32`` is the spike of step t, behind a header that says whether all values
were 0 or 1. If not, the output itself has to be kept.
"""

from __future__ import annotations

from torch import Tensor

WORD_BITS = 32

HEADER = 16
"""Words before the first one of spikes; the first is 1 where spikes follow. 64 bytes align them."""


def packed_size(shape: tuple[int, int, int]) -> int:
    """Length of the int32 tensor for spikes [steps, batch, neurons]."""
    steps, batch, neurons = shape
    return HEADER + -(-steps // WORD_BITS) * batch * neurons


def stand_for_output(kept: Tensor) -> bool:
    """Whether what an engine keeps of a loss's forward pass does without the output.

    Other engines than the CPU's keep the filtered difference. A compiler's tensors, without data,
    cannot tell.
    """
    return kept.is_floating_point() or (type(kept) is Tensor and are_packed(kept))


def are_packed(packed: Tensor) -> bool:
    """Whether a forward pass left its output's spikes in ``packed``."""
    # Through numpy, which reads one number in a tenth of torch's time.
    return bool(packed.numpy()[0])
