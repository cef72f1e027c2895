"""The grid of a raster: bins events by step and neuron, and compares the bins of two rasters."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.caller import UserError
from netdesc.events.binning import Rounding, step_numbers
from netdesc.events.columns import CHUNK_EVENTS, EventChunks

Bins = NDArray[np.int64]
"""The sorted numbers ``step * neurons + neuron`` of the bins that have a spike."""

MAX_DOTS = 200_000
"""The limit for the dots of one colour. matplotlib needs some hundred bytes per dot."""

_MAX_BINS = 2**62
_POOLED_SIZE = (1500, 1000)


class PictureError(UserError):
    """A picture cannot be drawn; the message gives the reason."""

    exit_code = 1


@dataclass(frozen=True)
class Grid:
    """The steps and neurons of a raster.

    Only bins with spikes are stored, so the grid can have far more bins than fit into memory.
    """

    steps: int
    neurons: int
    step_ms: float = 1.0
    rounding: Rounding = "nearest"

    @staticmethod
    def enclosing(
        *recordings: EventChunks,
        step_ms: float = 1.0,
        rounding: Rounding = "nearest",
        neurons: int | None = None,
        until_ms: float | None = None,
    ) -> "Grid":
        """Returns the smallest grid from step 0 and neuron 0 that contains all events.

        ``neurons`` and ``until_ms`` set the number of neurons and the end of the grid, if they are
        not None. PictureError if there are no events, or if the grid has too many bins (2⁶²).
        """
        last_neuron = last_step = -1
        for chunk in (chunk for event in recordings for chunk in event.chunks()):
            step = step_numbers(chunk.microseconds(), step_ms, rounding)
            last_neuron = max(last_neuron, int(chunk.x.max(initial=0)))
            last_step = max(last_step, int(step.max(initial=0)))
        if last_step < 0:
            raise PictureError("there are no events, so there is nothing to draw")
        count = 1 + last_neuron if neurons is None else neurons
        steps = 1 + last_step if until_ms is None else math.ceil(until_ms / step_ms)
        if steps * count > _MAX_BINS:
            size = f"{steps:,} steps of {count:,} neurons"
            raise PictureError(f"{size} are too many; take longer steps")
        return Grid(steps, count, step_ms, rounding)

    def bins(self, event: EventChunks) -> tuple[Bins, int]:
        """Returns the bins that have an event, and the number of events outside the grid."""
        parts, outside = [np.zeros(0, np.int64)], 0
        for chunk in event.chunks():
            index, is_inside = chunk.cells((self.neurons,), self.steps, self.step_ms, self.rounding)
            parts.append(index[is_inside])
            outside += len(chunk) - len(parts[-1])
        bins = np.concatenate(parts)
        parts.clear()
        bins.sort()  # np.unique is a hundred times slower in some releases of numpy
        is_first = np.append(True, bins[1:] != bins[:-1])[: len(bins)]
        return bins if is_first.all() else bins[is_first], outside

    def pooled(self, bins: Bins, width: int, height: int) -> NDArray[np.int64]:
        """Counts ``bins`` in at most ``[height, width]`` cells. Row 0 contains neuron 0."""
        rows, columns = min(height, self.neurons), min(width, self.steps)
        counts = np.zeros(rows * columns, np.int64)
        for start in range(0, len(bins), CHUNK_EVENTS):
            step, neuron = np.divmod(bins[start : start + CHUNK_EVENTS], self.neurons)
            row, column = _rescale(neuron, self.neurons, rows), _rescale(step, self.steps, columns)
            counts += np.bincount(row * columns + column, minlength=rows * columns)
        return counts.reshape(rows, columns)

    def dots(self, bins: Bins) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns steps and neurons of the dots of ``bins``, pooled if they exceed ``MAX_DOTS``."""
        if len(bins) <= MAX_DOTS:
            step, neuron = np.divmod(bins, self.neurons)
            return step.astype(np.float64), neuron.astype(np.float64)
        pooled = self.pooled(bins, *_POOLED_SIZE)
        axes = zip(np.nonzero(pooled), (self.neurons, self.steps), pooled.shape, strict=True)
        neuron, step = ((index + 0.5) * size / count - 0.5 for index, size, count in axes)
        return step, neuron


def _rescale(index: NDArray[np.int64], size: int, new_size: int) -> NDArray[np.int64]:
    # In floating point, because size * new_size may exceed 64 bits.
    return np.minimum(index * (new_size / size), new_size - 1).astype(np.int64)


class RasterComparison(NamedTuple):
    """The bins with a spike only in the first raster, only in the second, and in both."""

    only_first: Bins
    only_second: Bins
    both: Bins

    def counts(self) -> dict[str, int]:
        """Returns the number of bins in each of the three fields."""
        return {name: len(bins) for name, bins in self._asdict().items()}


def compare(first: Bins, second: Bins) -> RasterComparison:
    """Compares the bins of two rasters on the same grid."""
    is_in_both = _is_in(first, second)
    only_second = second[~_is_in(second, first)]
    return RasterComparison(first[~is_in_both], only_second, first[is_in_both])


def _is_in(bins: Bins, others: Bins) -> NDArray[np.bool_]:
    is_in = np.zeros(len(bins), bool)
    for start in range(0, len(bins) if len(others) else 0, CHUNK_EVENTS):
        part = slice(start, start + CHUNK_EVENTS)
        index = np.searchsorted(others, bins[part]).clip(max=len(others) - 1)
        is_in[part] = others[index] == bins[part]
    return is_in
