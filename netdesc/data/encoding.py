"""Encodes arrays as inputs: compresses all samples once, then encodes them batch by batch.

A code encodes the values [samples, …] of a file. ``accepts`` returns for each value whether the
code can encode it. ``compress`` converts samples to a compact form, which stays in memory.
``inputs`` encodes compressed samples as float32 spikes or real numbers [steps, samples, cells].
A cell is one input neuron. A random code draws each sample with a generator of its own.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from netdesc.data.samples import Rngs
from netdesc.description.models import arrays
from netdesc.events.binning import real_inputs

_MIN_USED_RANGE = 1 / 16
"""The user is warned if all values are in the lowest 1/16 of ``data.range``."""


@dataclass(frozen=True)
class Code:
    """Base class of codes, which turn the values of a file into inputs of the network.

    By default, a code takes real numbers in ``data.range`` and scales them to ``data.to``. The
    network runs ``steps`` steps. The file has values of ``cells`` cells, for each of ``file_steps``
    steps, or once for all steps if that is 0.
    """

    data: arrays.Arrays
    steps: int
    file_steps: int
    cells: int

    is_random: ClassVar[bool] = False
    """Whether ``inputs`` draws random numbers."""
    code: ClassVar[str] = "ND320"
    """The diagnostic code of a value that cannot be encoded."""
    hint: ClassVar[str] = ""

    @property
    def field(self) -> str:
        """The field of ``data`` that says which values can be encoded."""
        return "range" if self.data.is_scaled else "inputs"

    @property
    def value_bytes(self) -> float:
        """The number of bytes that a value takes in the compact form."""
        return 4

    @property
    def values(self) -> str:
        """The values that the code can encode, in words for messages."""
        low, high = self.data.range
        return f"a number from {low:g} to {high:g} (data.range)"

    def accepts(self, values: NDArray) -> NDArray[np.bool_]:
        low, high = self.data.range
        with np.errstate(over="ignore"):  # the range may be wider than the type
            return (values >= low) & (values <= high)  # False for NaN

    def warning(self, lowest: float, largest: float) -> str:
        """Returns a warning if values up to ``largest`` hardly cause a spike, or are cut off.

        Returns an empty text otherwise.
        """
        low, high = self.data.range
        if largest - low > _MIN_USED_RANGE * (high - low):
            return ""
        text = f"goes up to {largest:g}, and data.range to {high:g}"
        return f"{text}: its values hardly cause a spike"

    def compress(self, values: NDArray) -> NDArray:
        raise NotImplementedError

    def inputs(self, compressed: NDArray, rngs: Rngs) -> NDArray[np.float32]:
        raise NotImplementedError

    def normalise(self, values: NDArray) -> NDArray[np.float64]:
        """Scales values from ``data.range`` to ``data.to``. Returns [samples, cells]."""
        below, above, width = self._distances(values)
        return (below * self.data.to[1] + above * self.data.to[0]) / width

    def _distances(self, values: NDArray) -> tuple[NDArray, NDArray, float]:
        """Returns the distances of values from the two ends, [samples, cells], and their own."""
        low, high = (_rounded_as(values, end) for end in self.data.range)
        wide = values.reshape(len(values), -1).astype(np.float64)
        return wide - low, high - wide, high - low


class SpikeCode(Code):
    """Copies the spikes [samples, ``file_steps``, cells] of a file. Steps after them are silent.

    Compressed samples hold one bit for each cell and step.
    """

    code = "ND321"
    hint = 'numbers that are no spikes need "encoding": {"type": "series"}'

    @property
    def field(self) -> str:
        return "inputs"

    @property
    def value_bytes(self) -> float:
        return 1 / 8

    @property
    def values(self) -> str:
        return "0 or 1, as spikes are"

    def accepts(self, values: NDArray) -> NDArray[np.bool_]:
        return (values == 0) | (values == 1)

    def warning(self, lowest: float, largest: float) -> str:
        return "" if largest > 0 else "holds no spike"

    def compress(self, values: NDArray) -> NDArray[np.uint8]:
        """Packs 8 cells into each byte. Returns uint8 [samples, file steps, bytes]."""
        return np.packbits(values.reshape(*values.shape[:2], -1) != 0, axis=-1, bitorder="little")

    def inputs(self, compressed: NDArray, rngs: Rngs) -> NDArray[np.float32]:
        bits_TBN, steps = compressed.transpose(1, 0, 2), self.file_steps
        spikes_TBN = np.empty((self.steps, len(compressed), self.cells), np.float32)
        spikes_TBN[:steps] = np.unpackbits(bits_TBN, axis=2, count=self.cells, bitorder="little")
        spikes_TBN[steps:] = 0
        return spikes_TBN


class RateCode(Code):
    """Draws an independent spike in each step, with probability ``max_rate`` · normalised value."""

    is_random = True

    def compress(self, values: NDArray) -> NDArray[np.float32]:
        """Returns the spike probability of each cell, [samples, cells]."""
        encoding: Any = self.data.encoding
        return (encoding.max_rate * self.normalise(values)).astype(np.float32)

    def inputs(self, compressed: NDArray, rngs: Rngs) -> NDArray[np.float32]:
        spikes_TBN = np.empty((self.steps, *compressed.shape), np.float32)
        for sample, (probability_N, rng) in enumerate(zip(compressed, rngs, strict=True)):
            uniform_TN = rng.random((self.steps, len(probability_N)), dtype=np.float32)
            spikes_TBN[:, sample] = uniform_TN < probability_N
        return spikes_TBN


class LatencyCode(Code):
    """Encodes the normalised value x as one spike at step ``(1 − x) · (within_steps − 1)``.

    The step is rounded, ties to even. Normalised values up to ``silent_below`` cause no spike.
    """

    @property
    def within_steps(self) -> int:
        encoding: Any = self.data.encoding
        return encoding.within_steps or self.steps

    @property
    def value_bytes(self) -> int:
        return 2 if self.within_steps <= 1 << 15 else 4

    def compress(self, values: NDArray) -> NDArray[np.signedinteger]:
        """Returns the step of each cell's spike, [samples, cells]; -1 if it never spikes."""
        encoding: Any = self.data.encoding
        to, (below, above, width) = self.data.to, self._distances(values)
        # Multiplication comes before division, so that ``rint`` receives an exact half unrounded.
        lateness = above * (1 - to[0]) + below * (1 - to[1])
        step = np.rint(lateness * (self.within_steps - 1) / width)
        step[self.normalise(values) <= _rounded_as(values, encoding.silent_below)] = -1
        return step.astype(f"i{self.value_bytes}")

    def inputs(self, compressed: NDArray, rngs: Rngs) -> NDArray[np.float32]:
        batch, cells = compressed.shape
        spikes_TX = np.zeros((self.steps, batch * cells), np.float32)
        step = compressed.ravel()
        spiking = np.flatnonzero(step >= 0)
        spikes_TX[step[spiking], spiking] = 1.0
        return spikes_TX.reshape(self.steps, batch, cells)


class RealCode(Code):
    """Inputs that are real numbers: one value in every step, or one for each of ``file_steps``.

    They are rounded to multiples of 1/64, halves to even, and cut off at ±``MAX_REAL_INPUT``. They
    are scaled if ``data.is_scaled``. Steps after the last one of the file are 0.
    """

    @property
    def values(self) -> str:
        return super().values if self.data.is_scaled else "a finite number"

    def accepts(self, values: NDArray) -> NDArray[np.bool_]:
        return super().accepts(values) if self.data.is_scaled else np.isfinite(values)

    def warning(self, lowest: float, largest: float) -> str:
        if self.data.is_scaled or max(-lowest, largest) <= arrays.MAX_REAL_INPUT:
            return ""
        return f"has values beyond ±{arrays.MAX_REAL_INPUT}, which are cut off: scale the values"

    def real(self, values: NDArray) -> NDArray:
        """Returns scaled values, [samples, cells] or [samples, file steps, cells]."""
        shape = (len(values), self.file_steps, -1) if self.file_steps else (len(values), -1)
        return (self.normalise(values) if self.data.is_scaled else values).reshape(shape)

    def compress(self, values: NDArray) -> NDArray:
        """Returns the inputs, [samples, cells] or [samples, file steps, cells]."""
        return real_inputs(self.real(values))

    def inputs(self, compressed: NDArray, rngs: Rngs) -> NDArray[np.float32]:
        input_TBN = np.empty((self.steps, len(compressed), compressed.shape[-1]), np.float32)
        steps = self.file_steps or self.steps
        input_TBN[:steps] = compressed.transpose(1, 0, 2) if self.file_steps else compressed
        input_TBN[steps:] = 0
        return input_TBN


class DeltaCode(RealCode):
    """Encodes a rise of a scaled value by at least ``threshold`` in a step as a spike.

    With ``off_spikes``, a fall is a spike of size -1.
    """

    def warning(self, lowest: float, largest: float) -> str:
        return ""

    def compress(self, values: NDArray) -> NDArray[np.int8]:
        """Returns the spikes, [samples, file steps, cells]."""
        encoding: Any = self.data.encoding
        rise = np.diff(self.real(values).astype(np.float64), axis=1, prepend=0)
        spikes = (rise >= encoding.threshold).astype(np.int8)
        return spikes - (rise <= -encoding.threshold) if encoding.off_spikes else spikes


def _rounded_as(values: NDArray, number: float) -> float:
    """Rounds ``number`` to the type of ``values``: the float32 0.1 is not the float64 0.1."""
    if values.dtype.kind != "f" or abs(number) > float(np.finfo(values.dtype).max):
        return number
    return float(values.dtype.type(number))


def build_code(data: arrays.Arrays, steps: int, file_steps: int, cells: int) -> Code:
    """Builds the code of a document's ``data``; see ``Code`` for the other arguments.

    Raises ValueError if spikes would come after the last step.
    """
    within = data.encoding.spread_steps
    if within is not None and within > steps:
        raise ValueError(f"within_steps is {within}, but the network runs {steps} steps")
    return _CODES[type(data.encoding)](data, steps, file_steps, cells)


_CODES: dict[type, type[Code]] = {
    arrays.RateEncoding: RateCode,
    arrays.LatencyEncoding: LatencyCode,
    arrays.SpikesEncoding: SpikeCode,
    arrays.ConstantEncoding: RealCode,
    arrays.SeriesEncoding: RealCode,
    arrays.DeltaEncoding: DeltaCode,
}
