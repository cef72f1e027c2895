"""How a layer's neurons and steps are divided among threads: in vectors, tiles and runs.

An atomic work queue divides them: each thread takes the next item when it is free. Cores are not
equally fast: one may be shared with another program or save power, and a thread may have to wake
first. If all threads had equal shares, they would wait for the slowest.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.runtime.simd import LANES, intrinsic


class LayerShape(NamedTuple):
    """The size of a layer, and how its work is divided."""

    steps: int
    batch: int
    neurons: int
    vectors: int
    """Number of vectors of a sample's neurons."""
    delay: int
    """Number of steps, 0 or 1, from the step of an output to the step in which it is handed on."""
    threads: int
    tile: int
    """Number of neighbouring vectors that a thread takes through a run together."""
    run: int
    """Number of steps in a run."""


class VectorPlace(NamedTuple):
    """A vector of neurons in a layer."""

    sample: int
    vector: int
    first: int
    """The vector's first neuron."""
    size: int
    """Number of neurons, at most ``LANES``."""


class StepRun(NamedTuple):
    """The steps from ``first`` to ``last - 1``."""

    first: int
    last: int


@numba.njit(inline="always")
def place_of(shape, sample, vector):
    """Returns the ``VectorPlace`` of a vector of a sample."""
    first = vector * LANES
    return VectorPlace(sample, vector, first, min(LANES, shape.neurons - first))


class FeedbackMemory(NamedTuple):
    """What neurons read of their own outputs in the step before."""

    weights: tuple[np.ndarray, ...]
    """A matrix for each input of the neurons. Forward, flat [neurons, vectors · LANES]: a row is
    what the output of a neuron adds. Backward, [panels, neurons · TILE_COLUMNS] (see
    ``gemm``)."""
    numbers: np.ndarray
    """Scratch memory for floats; each thread has a row."""
    sources: np.ndarray
    """Scratch memory for the neurons whose output is not 0, flat; empty in a backward pass."""


MAX_TILE = 16
"""Largest tile: its piece of a row takes 2 kB."""

RUN_STEPS = 1024
"""Number of consecutive steps in a run of a gradient of weights by events.

After each run, its events are added to ``grad_OI``. A vector's gradients of one run take 128 kB. In
long runs inputs spike often enough that ordering their events pays.
"""

_MAX_RUN, _RUN_VECTORS = 64, 128
"""Number of steps in a run, at most, and of steps times vectors of a tile."""


def layer_shape(
    shape: tuple[int, int, int], delay: int, threads: int, max_tile: int | None
) -> LayerShape:
    """Returns the ``LayerShape`` of a layer [steps, batch, neurons] with tiles up to ``max_tile``.

    Tiles are smaller if threads would have too few of them to share them evenly. Without
    ``max_tile``, a tile holds all neurons of a sample.
    """
    steps, batch, neurons = shape
    vectors = -(-neurons // LANES)
    if max_tile is None:
        return LayerShape(steps, batch, neurons, vectors, delay, threads, vectors, 1)
    tile = max(1, min(max_tile, vectors, vectors * batch // (2 * threads)))
    run = min(_MAX_RUN, _RUN_VECTORS // tile)
    return LayerShape(steps, batch, neurons, vectors, delay, threads, tile, run)


@intrinsic
def next_position(context: Any, queue: Any) -> Any:
    """Returns ``queue[0]``, an int64, and adds 1 to it, atomically among threads."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counter = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", counter, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(queue), build


@numba.njit(inline="always")
def item_at(position, items, threads):
    """Returns the item at a position of the queue; neighbouring positions get distant items.

    Neighbouring vectors of neurons share cache lines, or lie in lines that are fetched in pairs.
    Two cores that write to them at the same time slow each other down.
    """
    each, more = items // threads, items % threads
    part, index = position % threads, position // threads
    return part * each + min(part, more) + index
