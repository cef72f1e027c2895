"""How arrays become spikes: kept in a compact form, and coded a batch at a time.

Each code takes values [samples, …] as a file holds them. ``is_valid`` says which samples it can
code, ``keep`` brings them into the form that is kept in memory, and ``spikes`` makes float32
[steps, batch, cells] of what was kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models import Arrays, LatencyEncoding, RateEncoding

Spikes = NDArray[np.float32]

_QUIET_SHARE = 1 / 16
"""Values that stay within this share of their range were probably meant for another range."""


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
        cells = values.reshape(*values.shape[:2], -1)
        return np.packbits(cells != 0, axis=-1, bitorder="little")

    def spikes(self, kept: NDArray, draws: np.random.Generator) -> Spikes:
        spikes_BTN = np.unpackbits(kept, axis=2, count=self.cells, bitorder="little")
        spikes_TBN = np.zeros((self.steps, len(kept), self.cells), np.float32)
        spikes_TBN[: self.given] = spikes_BTN.transpose(1, 0, 2)
        return spikes_TBN


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
        if largest - self.low > _QUIET_SHARE * (self.high - self.low):
            return ""
        given = f"goes up to {largest:g}, and data.range to {self.high:g}"
        return f"{given}: its values hardly make a spike"

    def share(self, values: NDArray) -> NDArray[np.float64]:
        """Where values lie in the range, from 0 to 1; [samples, cells]."""
        low, high = _rounded_as(values, self.low), _rounded_as(values, self.high)
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
        for sample, probability_N in enumerate(kept):  # so the size of a batch does not matter
            drawn_TN = draws.random((self.steps, len(probability_N)), dtype=np.float32)
            spikes_TBN[:, sample] = drawn_TN < probability_N
        return spikes_TBN


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
        low, high = _rounded_as(values, self.low), _rounded_as(values, self.high)
        wide = values.reshape(len(values), -1).astype(np.float64)
        # The product first, so that a half is a half and no rounding of the share decides.
        step = np.rint((high - wide) * (self.within_steps - 1) / (high - low))
        step[self.share(values) <= _rounded_as(values, self.silent_below)] = -1
        return step.astype(np.int16 if self.within_steps <= 1 << 15 else np.int32)

    def spikes(self, kept: NDArray, draws: np.random.Generator) -> Spikes:
        batch, cells = kept.shape
        spikes_TX = np.zeros((self.steps, batch * cells), np.float32)
        step = kept.ravel()
        spiking = np.flatnonzero(step >= 0)
        spikes_TX[step[spiking], spiking] = 1.0
        return spikes_TX.reshape(self.steps, batch, cells)


def _rounded_as(values: NDArray, number: float) -> float:
    """``number`` rounded to the type of ``values``: 0.1 is another number in 4 bytes."""
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
