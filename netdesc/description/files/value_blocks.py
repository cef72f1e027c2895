"""Checks the values of a large array in blocks, without numpy.

Python's integers may be long, and compute with long integers natively. So a block is read as one
integer, each value of the array a lane of its bits. One subtraction then compares all lanes with a
bound, at about 2.5 s/GiB, where ``min`` and ``max`` take 20 s/GiB.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, TypeVar

from netdesc.description.files.array_values import join_shape
from netdesc.description.files.npy import Header, numbers, read_header
from netdesc.description.files.npz import MAX_READ_BYTES

MAX_CHECKED_BYTES = 1 << 30
"""The values of larger arrays are not checked. This many take a few seconds."""

Problem = TypeVar("Problem")
BlockTest = Callable[[bytes], bool]
"""Whether all values of a block are certainly correct. It may miss that they are."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive values of an array. ``first`` is the position of the first one."""

    header: Header
    values: Sequence[float]
    first: int

    @property
    def is_whole(self) -> bool:
        """Whether these are all values of the array."""
        return len(self.values) == self.header.size

    @property
    def end(self) -> str:
        """The number of values up to the end of the block, such as "the first 1024" or "24"."""
        end = self.first + len(self.values)
        return f"the first {end}" if end < self.header.size else str(end)

    def bad_values(self, name: str, is_bad: Callable[[float], bool]) -> tuple[str, float, int]:
        """Returns the place of the first bad value, this value, and the number of bad values.

        ``name`` is the array's. The place is a text such as ``inputs[0, 3]``. At least one value
        must be bad.
        """
        bad = [position for position, value in enumerate(self.values) if is_bad(value)]
        index = self.header.index(self.first + bad[0])
        return f"{name}[{join_shape(index)}]", self.values[bad[0]], len(bad)


def check_blocks(
    member: IO[bytes], is_correct: BlockTest, find_problem: Callable[[Block], Problem | None]
) -> Problem | None:
    """Reads an .npy file up to the first block that has a problem, and returns this problem.

    ``find_problem`` is called only if ``is_correct`` is not certain. EOFError or ValueError if the
    file ends early.
    """
    header, _ = read_header(member)
    first = 0
    while raw := member.read(MAX_READ_BYTES):
        if not is_correct(raw):
            problem = find_problem(Block(header, numbers(header, raw), first))
            if problem is not None:
                return problem
        first += len(raw) // header.item_bytes
    if first != header.size:
        raise EOFError
    return None


def spike_test(header: Header) -> BlockTest:
    """Returns the test whether all values of a block are 0 or 1."""
    one = int.from_bytes(struct.pack(f"<{header.code}", 1), "little")
    shift = (one & -one).bit_length() - 1

    def are_spikes(raw: bytes) -> bool:
        block = _as_integer(header, raw)
        spikes = block >> shift & _lanes(len(raw), header.item_bytes)
        return spikes * (one >> shift) << shift == block

    return are_spikes


def range_test(header: Header, low: float, high: float) -> BlockTest:
    """Returns the test whether all values of a block lie between ``low`` and ``high``.

    It is never certain about a range without 0, or about integers that are negative or use the
    highest bit. Both ends must be numbers of the array's type.
    """
    if not low <= 0 <= high:
        return lambda raw: False
    is_float, sign_bit = header.kind == "f", 8 * header.item_bytes - 1
    lowest, highest = (_magnitude_bits(header, end) for end in (low, high))

    def lie_within(raw: bytes) -> bool:
        magnitudes = _as_integer(header, raw)
        lanes = _lanes(len(raw), header.item_bytes)
        signs = lanes << sign_bit
        bounds = lanes * highest
        if negative := magnitudes & signs:
            if not is_float:
                return False
            magnitudes ^= negative
            bounds += (negative >> sign_bit) * (lowest - highest)
        # The bits of floats without sign are ordered as the floats are, NaN above infinity. A lane
        # of the difference keeps its sign bit if the magnitude is at most the bound.
        return (signs + bounds - magnitudes) & signs == signs

    return lie_within


def _magnitude_bits(header: Header, value: float) -> int:
    """Returns the bits of the absolute value, in the array's type."""
    value = abs(value)
    if header.kind == "f":
        return int.from_bytes(struct.pack(f"<{header.code}", value), "little")
    return int(min(value, (1 << 8 * header.item_bytes - 1) - 1))


def _as_integer(header: Header, raw: bytes) -> int:
    return int.from_bytes(raw, "big" if header.is_big_endian else "little")


@lru_cache(maxsize=4)
def _lanes(length: int, item_bytes: int) -> int:
    """Returns an integer of ``length`` bytes that has the value 1 in each lane."""
    return int.from_bytes((1).to_bytes(item_bytes, "little") * (length // item_bytes), "little")
