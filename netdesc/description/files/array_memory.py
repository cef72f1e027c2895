"""Estimates the memory that training needs for an array of inputs, before it is read (ND324)."""

from __future__ import annotations

import math

from netdesc.description.files.array_source import ArraySource, is_mapped, quote_name
from netdesc.description.models import Arrays, LatencyEncoding, SpikesEncoding

MAX_INPUT_BYTES = 16 << 30
"""The limit for the array in the file, the encoded array and a dense batch together."""

_GIB = 1 << 30
_MAX_INT16_STEPS = 1 << 15
"""A latency is stored in two bytes if a sample has at most this many steps, else in four."""


def memory_problem(
    source: ArraySource, data: Arrays, steps: int, batch: int
) -> tuple[str, str] | None:
    """Returns message and hint if the inputs need more than ``MAX_INPUT_BYTES``, else ``None``.

    The shape of the array of inputs fits the document. ``batch`` is the number of samples in a
    batch. ArrayFileError if the array is damaged.
    """
    header, axes = source.header(data.inputs), len(data.encoding.file_axes)
    inputs = math.prod(header.shape[axes:])
    file = encoded = 0
    if not is_mapped(source, data.inputs):
        file = header.bytes
        encoded = math.prod(header.shape[:axes]) * _encoded_bytes(data, steps, inputs)
    dense = 4 * steps * batch * inputs  # a float32 for each step, sample and input
    if file + encoded + dense <= MAX_INPUT_BYTES:
        return None
    message = (
        f"the array {quote_name(data.inputs)} needs {(file + encoded + dense) / _GIB:,.1f} GiB in "
        f"training: {file / _GIB:,.1f} as in the file, {encoded / _GIB:,.1f} encoded, and "
        f"{dense / _GIB:,.1f} for a batch of {batch:,} samples of {steps:,} steps; "
        f"at most {MAX_INPUT_BYTES >> 30} GiB are possible"
    )
    fits = file + encoded < MAX_INPUT_BYTES and batch > 1
    return message, "use a smaller training.batch_size" if fits else "use fewer samples"


def _encoded_bytes(data: Arrays, steps: int, inputs: int) -> int:
    """Returns the number of bytes in which training stores ``inputs`` encoded values.

    A spike takes a bit, a latency (a step) 2 or 4 bytes, the probability of a spike and a real
    number 4 bytes.
    """
    if isinstance(data.encoding, SpikesEncoding):
        return math.ceil(inputs / 8)
    if isinstance(data.encoding, LatencyEncoding):
        return inputs * (2 if (data.encoding.within_steps or steps) <= _MAX_INT16_STEPS else 4)
    return inputs * 4
