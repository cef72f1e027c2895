"""From one layer of a chain to the one before, backward: a few samples or steps at a time.

What a layer hands back is the gradient of its current. By the weights it becomes that of the spikes
of the layer before, by their neurons that of their current. In between it is a part only, which
stays in the cache: a whole tensor would be as large as the layer's activity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from netdesc.kernels.cpu import from_above, product, whole
from netdesc.kernels.cpu.adjoints import by_product
from netdesc.kernels.cpu.arrays import array_of
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.between import Between
from netdesc.kernels.cpu.buffers import scratch, take
from netdesc.kernels.cpu.dense import per_neuron
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.places import Places, time_first
from netdesc.kernels.cpu.sources import Source
from netdesc.kernels.cpu.threads import threads
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.walker import Signal, Walker, WeightSums, decays_of, signal
from netdesc.kernels.cpu.weights import grid_of, half_limits
from netdesc.kernels.parameters import Dynamics

_MOST_TURNS = 1.5
"""A thread may have half as much again to do as its share."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights, their bits, if any, the neurons, and whether a decay of theirs is learnt.

    And what acts between weights and neurons, for a single pass.
    """

    weight_OI: torch.Tensor
    bits: int | None
    neurons: Dynamics
    learn: bool
    between: Between | None = None

    @property
    def reads_events(self) -> bool:
        """Whether events can bring its current: integers, straight to the neurons."""
        return self.bits is not None and self.between is None


@dataclass(eq=False)
class There:
    """What the way back through a layer needs.

    The gradient of the current takes the memory of ``voltage``, which is flat: a voltage is read
    for the last time when the gradient in its step is known.
    """

    layer: Layer
    source: Source
    shape: tuple[int, int, int]
    voltage: np.ndarray
    of_voltage: Places
    notes: torch.Tensor


@dataclass(eq=False)
class HandedBack:
    """The gradient of a layer's current, and the weights by which the current came."""

    grad_z: Signal
    layer: Layer

    @property
    def rows(self) -> np.ndarray:
        return self.grad_z[0].reshape(-1, len(self.layer.weight_OI))

    @property
    def is_sample_first(self) -> bool:
        """Whether a sample's steps follow one another, as they do where there is one sample."""
        return self.grad_z[1][1] == 1

    def by_input(self) -> Signal:
        """The gradient by the layer's input."""
        return self._product(self.rows, None).reshape(-1), self.grad_z[1]

    def run_by_input(self, batch: int) -> Callable[[int, int], Signal]:
        """The same of the steps from one to before another; good until the next are asked for.

        The gradient of the current lies time-first.
        """
        assert self.grad_z[1] == time_first(batch)
        room: list[np.ndarray] = []

        def of_run(first: int, last: int) -> Signal:
            rows = self.rows[first * batch : last * batch]
            if not room or len(room[0]) < len(rows):
                room[:] = [take((len(rows), self.layer.weight_OI.shape[1]), np.float32)]
            part = self._product(rows, room[0][: len(rows)])
            return part.reshape(-1), (-first * batch, batch, 1)

        return of_run

    def _product(self, rows: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        return product.matmul(rows, array_of(self.layer.weight_OI), out, bits=self.layer.bits)


Back = tuple[Signal | None, torch.Tensor, torch.Tensor]
"""The gradients of the current, where wanted, of the weights and of the decays."""


def through(there: There, above: HandedBack, want: bool) -> Back:
    """The gradients of a hidden layer from what the one after hands back."""
    source, neurons = there.source, there.shape[2]
    if not isinstance(source, Events):
        return _by_product(there, source, above.run_by_input(there.shape[1]), want)
    if above.is_sample_first and _share_out_evenly(neurons):
        return _from_above(there, source, above, want)
    return _by_events(there, source, above.by_input(), want)


def from_output(there: There, grad_TBN: torch.Tensor, want: bool) -> Back:
    """The gradients of the last layer from that of its spikes."""
    if isinstance(there.source, Events):
        return _by_events(there, there.source, signal(grad_TBN), want)
    whole = signal(grad_TBN)
    return _by_product(there, there.source, lambda *_: whole, want)


def _share_out_evenly(neurons: int) -> bool:
    """Whether threads that take whole vectors of neurons are busy for most of the time."""
    vectors = -(-neurons // LANES)
    turns = -(-vectors // threads())
    return turns * threads() <= _MOST_TURNS * vectors


def _walker(there: There) -> Walker:
    layer = there.layer
    return Walker(there.shape, there.voltage, there.of_voltage, layer.neurons, layer.learn)


def _weight_sums(layer: Layer, events: Events) -> WeightSums:
    assert layer.bits is not None, "events bring integers"
    return WeightSums(events, array_of(layer.weight_OI), layer.bits)


def _by_events(there: There, events: Events, grad_out: Signal, want: bool) -> Back:
    layer, of_voltage = there.layer, there.of_voltage
    walker, weights = _walker(there), _weight_sums(layer, events)
    grad_z = (there.voltage.view(np.float32), of_voltage) if want else None
    walker.walk_by_events(0, walker.steps, grad_out, grad_z, weights)
    return grad_z, torch.from_numpy(weights.grad_OI), walker.decays()


def _by_product(
    there: There,
    source: SpikeTrains | np.ndarray,
    grad_out: Callable[[int, int], Signal],
    want: bool,
) -> Back:
    layer, walker = there.layer, _walker(there)
    grad_z = there.voltage.view(np.float32)
    grad_TBN, back = grad_z.reshape(there.shape), (grad_z, there.of_voltage) if want else None
    if not layer.reads_events:
        grad_decays = whole.current_gradient(walker, grad_out, layer.between, grad_TBN)
        grad_OI = whole.weight_gradient(grad_TBN, source, layer.weight_OI, layer.bits)
        return back, grad_OI, grad_decays
    assert layer.bits is not None, "the weights are on the grid"
    weight_OI, kept = array_of(layer.weight_OI), grad_TBN if want else None
    grad_OI = by_product(walker, grad_out, source, weight_OI, layer.bits, None, kept)
    return back, torch.from_numpy(grad_OI), walker.decays()


def _from_above(there: There, events: Events, above: HandedBack, want: bool) -> Back:
    _, batch, neurons = there.shape
    layer, given, upper = there.layer, there.layer.neurons, above.layer
    grad_z = there.voltage.view(np.float32)
    weights = _weight_sums(layer, events)
    by_sample = np.zeros((batch, 2 * neurons), np.float32)
    samples, length, columns = from_above.block_of(there.shape, threads())
    sums = weights.grad_VLI.shape[1]
    from_above.adjoint_from_above(
        above.rows,
        array_of(upper.weight_OI),
        *grid_of(upper.bits),
        events,
        weights.weight_OI,
        *half_limits(weights.bits),
        there.voltage,
        there.of_voltage,
        *per_neuron(given),
        np.int32(given.threshold),
        given.delay,
        given.height,
        given.width,
        layer.learn,
        samples,
        length,
        columns,
        want,
        grad_z,
        by_sample,
        take((threads(), 3 * columns), np.float32),
        scratch((threads(), max(samples * length * columns, sums)), np.float32),
        weights.grad_VLI,
    )
    back = (grad_z, there.of_voltage) if want else None
    return back, torch.from_numpy(weights.grad_OI), decays_of(by_sample)
