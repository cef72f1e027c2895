"""How much memory training takes for an array of inputs, told before the array is read (ND324)."""

from __future__ import annotations

import math

from netdesc.description.files.npy import Header
from netdesc.description.files.npz import quoted
from netdesc.description.models import Arrays, LatencyEncoding, SpikesEncoding

MOST_ROOM = 16 << 30
"""Bytes for the inputs of a network: as they lie in the file, as they are kept, and one batch."""

_GIB = 1 << 30
_SHORT = 1 << 15
"""Up to so many steps, the steps of latencies are kept in two bytes."""


def too_much(header: Header, data: Arrays, steps: int, batch: int) -> tuple[str, str] | None:
    """Why the inputs need more than ``MOST_ROOM``, and what to do; None where they do not.

    ``header`` is that of the inputs, of a shape that fits; ``batch`` is a number of samples.
    """
    is_spikes = isinstance(data.encoding, SpikesEncoding)
    cells = math.prod(header.shape[2 if is_spikes else 1 :])
    file = header.size * header.item_bytes
    kept = math.prod(header.shape[: 2 if is_spikes else 1]) * _kept_bytes(data, steps, cells)
    dense = 4 * steps * batch * cells  # float32, silent steps included
    if file + kept + dense <= MOST_ROOM:
        return None
    message = (
        f"the array {quoted(data.inputs)} takes {(file + kept + dense) / _GIB:,.1f} GiB in "
        f"training: {file / _GIB:,.1f} as it is in the file, {kept / _GIB:,.1f} as it is kept, and "
        f"{dense / _GIB:,.1f} for a batch of {batch:,} samples of {steps:,} steps; "
        f"{MOST_ROOM >> 30} GiB is the most"
    )
    fits = file + kept < MOST_ROOM and batch > 1
    return message, "make training.batch_size smaller" if fits else "use fewer samples"


def _kept_bytes(data: Arrays, steps: int, cells: int) -> int:
    """Bytes of ``cells``, as ``training.encoding`` keeps them: bits, steps, or probabilities."""
    if isinstance(data.encoding, SpikesEncoding):
        return math.ceil(cells / 8)
    if isinstance(data.encoding, LatencyEncoding):
        return cells * (2 if (data.encoding.within_steps or steps) <= _SHORT else 4)
    return cells * 4
