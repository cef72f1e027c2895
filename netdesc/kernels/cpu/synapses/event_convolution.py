"""Convolutions from events: each event adds a patch of weights to the neurons around it.

The sums of a step are kept with the channels last, so that the weights of a tap (a place in the
kernel) to all channels of a group are neighbours. Then they are written with the channels first.
"""

from typing import NamedTuple

import numba
import numpy as np

from netdesc.kernels.cpu.runtime.kernel_cache import kernel, share_of
from netdesc.kernels.cpu.runtime.memory_pool import allocate
from netdesc.kernels.cpu.runtime.numba_internals import jit_no_refcount
from netdesc.kernels.cpu.runtime.simd import LANES, broadcast
from netdesc.kernels.cpu.runtime.simd_memory import element, load, store
from netdesc.kernels.cpu.spikes import Events
from netdesc.kernels.kernel_shape import KernelShape, taps_along

MAX_PARTS = 16
"""Largest number of parts of a weight gradient, which threads sum up at the same time."""

MIN_ROWS_PER_PART = 32
MAX_PART_NUMBERS = 1 << 24
"""Largest number of weights in all parts together."""

_BLOCK = 64
"""Number of positions that are written to one channel after another, so that they stay in cache."""

_MIN_VECTOR = 4
"""Smallest number of channels that are added as a vector."""


class Patches(NamedTuple):
    """The geometry of a convolution for the kernels: ``Taps`` of rows and columns, and sizes.

    Numba passes no tuples in tuples to threads.
    """

    row_starts: np.ndarray
    row_taps: np.ndarray
    row_outputs: np.ndarray
    column_starts: np.ndarray
    column_taps: np.ndarray
    column_outputs: np.ndarray
    kernel_rows: int
    kernel_columns: int
    height: int
    """Of the output."""
    width: int
    groups: int
    inputs: int
    """Channels of the input in a group."""
    outputs: int
    """Channels of the output in a group."""

    @property
    def positions(self) -> int:
        return self.height * self.width

    @property
    def taps(self) -> int:
        return self.kernel_rows * self.kernel_columns


def patches_of(weight: np.ndarray, images: tuple[int, int, int], shape: KernelShape) -> Patches:
    """Returns the geometry for images of the shape [channels, height, width]."""
    kernel = weight.shape[2], weight.shape[3]
    sizes = shape.output_size(images[1:], kernel)
    rows, columns = (
        taps_along(images[1 + axis], sizes[axis], kernel[axis], shape, axis) for axis in (0, 1)
    )
    inputs, outputs = weight.shape[1], len(weight) // shape.groups
    return Patches(*rows, *columns, *kernel, *sizes, shape.groups, inputs, outputs)


def convolve_events(events: Events, weight: np.ndarray, patches: Patches) -> np.ndarray:
    """Returns the sums of weights [out, in / groups, height, width], float32 [steps, batch,
    neurons].
    """
    taps, outputs = patches.taps, patches.outputs
    grouped = weight.reshape(patches.groups, outputs, patches.inputs, taps)
    by_input = np.ascontiguousarray(grouped.transpose(0, 2, 3, 1), np.float32).reshape(-1)
    rows, neurons = events.steps * events.batch, len(weight) * patches.positions
    z_TBN = allocate((events.steps, events.batch, neurons), np.float32)
    parts = min(MAX_PARTS, -(-rows // MIN_ROWS_PER_PART))
    scratch = np.zeros((parts, neurons), np.float32)
    _scatter_all(events, patches, by_input, scratch, z_TBN.reshape(rows, neurons))
    return z_TBN


def convolution_gradient(grad_z_TBN: np.ndarray, events: Events, patches: Patches) -> np.ndarray:
    """Returns the gradient of the weights from that of what arrives, [steps, batch, neurons].

    The number of threads does not change the order of additions.
    """
    rows, neurons = events.steps * events.batch, grad_z_TBN.shape[2]
    taps, outputs, groups = patches.taps, patches.outputs, patches.groups
    size = groups * patches.inputs * taps * outputs
    parts = min(MAX_PARTS, -(-rows // MIN_ROWS_PER_PART), max(1, MAX_PART_NUMBERS // size))
    sums = np.zeros((parts, size), np.float32)
    scratch = allocate((parts, neurons), np.float32)
    _gather_all(events, patches, grad_z_TBN.reshape(rows, neurons), scratch, sums)
    grouped = sums.sum(0).reshape(groups, patches.inputs, taps, outputs)
    grad = np.ascontiguousarray(grouped.transpose(0, 3, 1, 2))
    return grad.reshape(-1, patches.inputs, patches.kernel_rows, patches.kernel_columns)


@numba.njit(inline="always")
def _add(source, source_at, target, target_at, count):
    if count < _MIN_VECTOR:
        for at in range(count):
            target[np.uint64(target_at + at)] += source[np.uint64(source_at + at)]
        return
    for first in range(0, count, LANES):
        n = min(LANES, count - first)
        total = load(target, target_at + first, n) + load(source, source_at + first, n)
        store(target, target_at + first, total, n)


@jit_no_refcount
def _write_channels_first(values, patches, row):
    """Moves values [groups, positions, channels] to [groups, channels, positions]; zeros stay."""
    count, positions = patches.outputs, patches.height * patches.width
    for group in range(patches.groups):
        start = group * positions * count
        for first in range(0, positions, _BLOCK):
            end = min(positions, first + _BLOCK)
            for channel in range(count):
                for at in range(first, end):
                    value = values[np.uint64(start + at * count + channel)]
                    row[np.uint64(start + channel * positions + at)] = value
        for at in range(start, start + positions * count, LANES):
            n = min(LANES, start + positions * count - at)
            store(values, at, broadcast(np.float32(0)), n)


@jit_no_refcount
def _write_channels_last(row, patches, values):
    count, positions = patches.outputs, patches.height * patches.width
    for group in range(patches.groups):
        start = group * positions * count
        for first in range(0, positions, _BLOCK):
            end = min(positions, first + _BLOCK)
            for channel in range(count):
                for at in range(first, end):
                    value = row[np.uint64(start + channel * positions + at)]
                    values[np.uint64(start + at * count + channel)] = value


@numba.njit(inline="always")
def _pixel(events, patches, e):
    height, width = len(patches.row_starts) - 1, len(patches.column_starts) - 1
    source = np.int64(element(events.sources, e))
    return source // (height * width), source // width % height, source % width


@numba.njit(inline="always")
def _line(patches, channel, i):
    weight = (channel * patches.kernel_rows + patches.row_taps[i]) * patches.kernel_columns
    group = channel // patches.inputs
    return weight, (group * patches.height + patches.row_outputs[i]) * patches.width


@kernel
def _scatter_all(events, patches, weight, scratch, z, threads, thread):
    rows, parts, count = len(z), len(scratch), patches.outputs
    for part in share_of(parts, threads, thread):
        values = scratch[part]
        for row in range(part * rows // parts, (part + 1) * rows // parts):
            for e in range(events.starts[row], events.starts[row + 1]):
                channel, y, x = _pixel(events, patches, e)
                for i in range(patches.row_starts[y], patches.row_starts[y + 1]):
                    first, line = _line(patches, channel, i)
                    for j in range(patches.column_starts[x], patches.column_starts[x + 1]):
                        source = (first + patches.column_taps[j]) * count
                        target = (line + patches.column_outputs[j]) * count
                        _add(weight, source, values, target, count)
            _write_channels_first(values, patches, z[row])


@kernel
def _gather_all(events, patches, grad, scratch, sums, threads, thread):
    rows, parts, count = len(grad), len(sums), patches.outputs
    for part in share_of(parts, threads, thread):
        values, total = scratch[part], sums[part]
        for row in range(part * rows // parts, (part + 1) * rows // parts):
            if events.starts[row] < events.starts[row + 1]:
                _write_channels_last(grad[row], patches, values)
            for e in range(events.starts[row], events.starts[row + 1]):
                channel, y, x = _pixel(events, patches, e)
                for i in range(patches.row_starts[y], patches.row_starts[y + 1]):
                    first, line = _line(patches, channel, i)
                    for j in range(patches.column_starts[x], patches.column_starts[x + 1]):
                        target = (first + patches.column_taps[j]) * count
                        source = (line + patches.column_outputs[j]) * count
                        _add(values, source, total, target, count)
