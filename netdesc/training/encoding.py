"""How arrays become spikes: kept in a compact form, and coded a batch at a time.

Each code takes values [samples, …] as a file holds them. ``is_valid`` says which samples it can
code, ``keep`` brings them into the form that is kept in memory, and ``spikes`` makes float32
[steps, batch, cells] of what was kept. ``pack`` makes the same spikes in words that are silent yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models import Arrays, LatencyEncoding, RateEncoding
from netdesc.kernels.spike_words import WordRoom, packed

Spikes = NDArray[np.float32]

_DRAWN_TOGETHER = 1 << 18
"""Random numbers that are held at a time, beside the spikes that come of them."""

_HARDLY = 1 / 16
"""Of its range, values that stay within this share are meant for another one."""

_PACKED_TOGETHER = 1 << 18
"""Cells whose spikes are packed at a time: the places of a spike take some 40 bytes."""


class Code(Protocol):
    is_random: ClassVar[bool]
    """Whether ``spikes`` draws random numbers."""

    @property
    def values(self) -> str:
        """In words, the values that it takes."""
        ...

    def is_valid(self, values: NDArray) -> NDArray[np.bool_]: ...

    def quiet(self, largest: float) -> str:
        """What is odd about values of which this is the largest, if they hardly make a spike."""
        ...

    def keep(self, values: NDArray) -> NDArray: ...

    def spikes(self, kept: NDArray, draws: np.random.Generator) -> Spikes: ...

    def pack(self, kept: NDArray, draws: np.random.Generator, room: WordRoom) -> None: ...

    @property
    def steps(self) -> int: ...


@dataclass(frozen=True)
class SpikeCode:
    """Spikes as they are, [samples, ``given``, cells], kept as bits. Silence follows them."""

    steps: int
    given: int
    cells: int

    is_random: ClassVar[bool] = False

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

    def spikes(self, kept: NDArray, draws: np.random.Generator) -> Spikes:
        bytes_TBK = np.ascontiguousarray(kept.transpose(1, 0, 2))
        spikes_TBN = np.zeros((self.steps, len(kept), self.cells), np.float32)
        spikes_TBN[: self.given] = np.unpackbits(
            bytes_TBK, axis=2, count=self.cells, bitorder="little"
        )
        return spikes_TBN

    def pack(self, kept: NDArray, draws: np.random.Generator, room: WordRoom) -> None:
        room.bytes_TBK[: self.given, :, : kept.shape[2]] = kept.transpose(1, 0, 2)


@dataclass(frozen=True)
class _Analog:
    """Values in [``low``, ``high``]."""

    steps: int
    low: float
    high: float

    @property
    def values(self) -> str:
        return f"numbers from {self.low:g} to {self.high:g}"

    def is_valid(self, values: NDArray) -> NDArray[np.bool_]:
        inside = (values >= self.low) & (values <= self.high)  # NaN is not
        return np.all(inside.reshape(len(values), -1), axis=1)

    def quiet(self, largest: float) -> str:
        if largest - self.low > _HARDLY * (self.high - self.low):
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

    def spikes(self, kept: NDArray, draws: np.random.Generator) -> Spikes:
        spikes_TBN = np.empty((self.steps, *kept.shape), np.float32)
        for together, spikes_BTN in self._drawn(kept, draws):
            spikes_TBN[:, together] = spikes_BTN.transpose(1, 0, 2)
        return spikes_TBN

    def pack(self, kept: NDArray, draws: np.random.Generator, room: WordRoom) -> None:
        for together, spikes_BTN in self._drawn(kept, draws):
            as_bytes = packed(spikes_BTN).transpose(1, 0, 2)
            room.bytes_TBK[:, together, : as_bytes.shape[2]] = as_bytes

    def _drawn(
        self, kept: NDArray, draws: np.random.Generator
    ) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
        """Some samples after the other: which, and where they spike [samples, steps, cells]."""
        batch, cells = kept.shape
        each = max(1, _DRAWN_TOGETHER // (self.steps * cells))
        for start in range(0, batch, each):
            some = kept[start : start + each]
            # Sample by sample, so that the size of a batch does not matter.
            drawn_BTN = draws.random((len(some), self.steps, cells), dtype=np.float32)
            yield slice(start, start + len(some)), drawn_BTN < some[:, None]


@dataclass(frozen=True)
class LatencyCode(_Analog):
    """One spike at step ``(1 − share) · (within_steps − 1)``, rounded (half to even).

    Shares up to ``silent_below`` never spike.
    """

    silent_below: float
    within_steps: int

    is_random: ClassVar[bool] = False

    def keep(self, values: NDArray) -> NDArray[np.signedinteger]:
        """Steps of the spikes, -1 for none."""
        low, high = _held(values, self.low), _held(values, self.high)
        wide = values.reshape(len(values), -1).astype(np.float64)
        # The product first, so that a half is a half and no rounding of the share decides.
        step = np.rint((high - wide) * (self.within_steps - 1) / (high - low))
        step[self.share(values) <= _held(values, self.silent_below)] = -1
        return step.astype(np.int16 if self.within_steps <= 1 << 15 else np.int32)

    def spikes(self, kept: NDArray, draws: np.random.Generator) -> Spikes:
        batch, cells = kept.shape
        spikes_TX = np.zeros((self.steps, batch * cells), np.float32)
        step = kept.ravel()
        spiking = np.flatnonzero(step >= 0)
        spikes_TX[step[spiking], spiking] = 1.0
        return spikes_TX.reshape(self.steps, batch, cells)

    def pack(self, kept: NDArray, draws: np.random.Generator, room: WordRoom) -> None:
        batch, cells = kept.shape
        each = max(1, _PACKED_TOGETHER // cells)
        for start in range(0, batch, each):
            some = kept[start : start + each]
            sample, cell = np.nonzero(some >= 0)
            room.add(some[sample, cell], start + sample, cell)


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
