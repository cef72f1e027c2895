"""How arrays become spikes: kept in a compact form, and coded a batch at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models import Arrays, LatencyEncoding, RateEncoding
from netdesc.kernels.spike_words import WordRoom, packed

QUIET_SHARE = 1 / 16
"""Of its range, values that stay within this share are meant for another one."""


@dataclass(frozen=True)
class Code(ABC):
    """Makes spikes over ``steps`` of values [samples, …] as a file holds them."""

    steps: int

    is_random: ClassVar[bool] = False
    """Whether coding draws random numbers."""

    @property
    @abstractmethod
    def values(self) -> str:
        """In words, the values that it takes."""

    @abstractmethod
    def is_valid(self, values: NDArray) -> NDArray[np.bool_]:
        """Which samples it can code."""

    @abstractmethod
    def quiet(self, largest: float) -> str:
        """What is odd about values of which this is the largest, if they hardly make a spike."""

    @abstractmethod
    def keep(self, values: NDArray) -> NDArray:
        """The form in which values are kept in memory, [samples, …]."""

    @abstractmethod
    def fire(self, kept: NDArray, draws: np.random.Generator) -> NDArray[np.bool_]:
        """Where kept samples spike, [steps, samples, cells]."""

    def spikes(self, kept: NDArray, draws: np.random.Generator) -> NDArray[np.float32]:
        """``fire`` as contiguous numbers."""
        return np.ascontiguousarray(self.fire(kept, draws), np.float32)

    def pack(self, kept: NDArray, draws: np.random.Generator, room: WordRoom) -> None:
        """``fire`` as bits in words that are silent yet."""
        bytes_TBK = packed(self.fire(kept, draws))
        room.bytes_TBK[:, :, : bytes_TBK.shape[2]] = bytes_TBK


@dataclass(frozen=True)
class SpikeCode(Code):
    """Spikes as they are, [samples, ``given``, cells], kept as bits. Silence follows them."""

    given: int
    cells: int

    @property
    def values(self) -> str:
        return "0 and 1"

    def is_valid(self, values: NDArray) -> NDArray[np.bool_]:
        return np.all(((values == 0) | (values == 1)).reshape(len(values), -1), axis=1)

    def quiet(self, largest: float) -> str:
        return "" if largest > 0 else "holds no spike"

    def keep(self, values: NDArray) -> NDArray[np.uint8]:
        """Bytes [samples, steps, columns]."""
        return packed(values.reshape(*values.shape[:2], -1))

    def fire(self, kept: NDArray, draws: np.random.Generator) -> NDArray[np.bool_]:
        spikes_TBN = np.zeros((self.steps, len(kept), self.cells), np.bool_)
        bits_BTN = np.unpackbits(kept, axis=2, count=self.cells, bitorder="little")
        spikes_TBN[: self.given] = bits_BTN.transpose(1, 0, 2)
        return spikes_TBN


@dataclass(frozen=True)
class _Analog(Code):
    """Values in [``low``, ``high``]."""

    low: float
    high: float

    @property
    def values(self) -> str:
        return f"numbers from {self.low:g} to {self.high:g}"

    def is_valid(self, values: NDArray) -> NDArray[np.bool_]:
        inside = (values >= self.low) & (values <= self.high)  # NaN is not
        return np.all(inside.reshape(len(values), -1), axis=1)

    def quiet(self, largest: float) -> str:
        if largest - self.low > QUIET_SHARE * (self.high - self.low):
            return ""
        given = f"goes up to {largest:g}, and data.range to {self.high:g}"
        return f"{given}: its values hardly make a spike"

    def share(self, values: NDArray) -> NDArray[np.float64]:
        """Where values lie in the range, from 0 to 1; [samples, cells]."""
        low, high = _held(values, self.low), _held(values, self.high)
        wide = values.reshape(len(values), -1).astype(np.float64)
        return (wide - low) / (high - low)


@dataclass(frozen=True)
class RateCode(_Analog):
    """In each step an independent spike with probability ``max_rate`` times the share."""

    max_rate: float

    is_random: ClassVar[bool] = True

    def keep(self, values: NDArray) -> NDArray[np.float32]:
        """Probabilities."""
        return (self.max_rate * self.share(values)).astype(np.float32)

    def fire(self, kept: NDArray, draws: np.random.Generator) -> NDArray[np.bool_]:
        batch, cells = kept.shape
        # Sample by sample, so that the size of a batch does not matter.
        drawn_BTN = draws.random((batch, self.steps, cells), dtype=np.float32)
        return (drawn_BTN < kept[:, None]).transpose(1, 0, 2)


@dataclass(frozen=True)
class LatencyCode(_Analog):
    """One spike at step ``(1 − share) · (within_steps − 1)``, rounded (half to even).

    Shares up to ``silent_below`` never spike.
    """

    silent_below: float
    within_steps: int

    def keep(self, values: NDArray) -> NDArray[np.signedinteger]:
        """Steps of the spikes, -1 for none."""
        low, high = _held(values, self.low), _held(values, self.high)
        wide = values.reshape(len(values), -1).astype(np.float64)
        # The product first, so that a half is a half and no rounding of the share decides.
        step = np.rint((high - wide) * (self.within_steps - 1) / (high - low))
        step[self.share(values) <= _held(values, self.silent_below)] = -1
        return step.astype(np.int16 if self.within_steps <= 1 << 15 else np.int32)

    def fire(self, kept: NDArray, draws: np.random.Generator) -> NDArray[np.bool_]:
        spikes_TBN = np.zeros((self.steps, *kept.shape), np.bool_)
        sample, cell = np.nonzero(kept >= 0)
        spikes_TBN[kept[sample, cell], sample, cell] = True
        return spikes_TBN


def _held(values: NDArray, number: float) -> float:
    """What an array of this type would hold for a number: 0.1 is another one in 4 bytes."""
    if values.dtype.kind != "f" or abs(number) > float(np.finfo(values.dtype).max):
        return number
    return float(values.dtype.type(number))


def build_code(data: Arrays, steps: int, given: int, cells: int) -> Code:
    """The code that a document asks for; ``given`` steps and ``cells`` are those of the file.

    ValueError where its spikes would come after the last step.
    """
    encoding, (low, high) = data.encoding, data.range
    if isinstance(encoding, RateEncoding):
        return RateCode(steps, low, high, encoding.max_rate)
    if isinstance(encoding, LatencyEncoding):
        within = encoding.within_steps or steps
        if within > steps:
            raise ValueError(f"within_steps is {within}, but the network runs {steps} steps")
        return LatencyCode(steps, low, high, encoding.silent_below, within)
    return SpikeCode(steps, given, cells)
