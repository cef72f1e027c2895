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

from netdesc.kernels.cpu import from_above
from netdesc.kernels.cpu.adjoints import by_product, run_length, walks
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.backward import NOTHING, left_by_events
from netdesc.kernels.cpu.buffers import scratch, take
from netdesc.kernels.cpu.by_source import by_source
from netdesc.kernels.cpu.dense import notes_of, walk
from netdesc.kernels.cpu.handed_back import HandedBack, Joined, OfSum
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.leaky import crew_by_events, leak_back, leak_back_by_events
from netdesc.kernels.cpu.places import Places
from netdesc.kernels.cpu.sources import Dense, Source
from netdesc.kernels.cpu.synapses import currents, weight_gradient
from netdesc.kernels.cpu.tape import run
from netdesc.kernels.cpu.threads import crew_of, threads
from netdesc.kernels.cpu.walker import Signal, Walker, WeightSums, decays_of, of_samples, signal
from netdesc.kernels.cpu.weight_sums import room_to_turn
from netdesc.kernels.cpu.weights import grid_of, half_limits

_SMALL = 1 << 18
"""Numbers of a gradient that stay in a cache as a whole."""

_LEAST_PART, _PARTS = 1 << 16, 4
"""A gradient is taken in so many parts, but of no fewer numbers: 256 kB."""

_MOST_TURNS = 1.5
"""A thread may have half as much again to do as its share."""

_MORE_TERMS = 1 << 22
"""Or so many more terms of a product, in about the time that two further kernels need to start."""


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

    @classmethod
    def walked(
        cls,
        layer: Layer,
        source: Source,
        shape: tuple[int, int, int],
        places: Places,
        hands_back: bool,
        **into: np.ndarray,
    ) -> tuple[There, np.ndarray]:
        """A walk through the layer (see ``dense.walk``), and what was seen there."""
        weights = layer.weight_OI, layer.bits
        between = layer.between and layer.between.there
        voltage, seen, path = walk(
            source, shape, *weights, layer.constants, places, between=between,
            hands_back=hands_back, **into,
        )  # fmt: skip
        return cls(layer, source, shape, voltage, places, notes_of(seen, path)), seen

    @property
    def grad_TBN(self) -> np.ndarray:
        """The gradient of a current that is whole, in its places: often time-first."""
        return self.voltage.view(np.float32).reshape(self.shape)


Back = tuple[HandedBack | None, torch.Tensor, torch.Tensor]
"""What is handed back, where wanted, and the gradients of the weights and of the decays.

That of decays means nothing where none is learnt.
"""

NO_DECAYS = torch.empty(2, 0)


def through(there: There, above: HandedBack | OfSum | Joined, want: bool) -> Back:
    """The gradients of a hidden layer from what those that read it hand back."""
    if isinstance(above, OfSum) and not above.is_for_one:
        return from_output(there, above.whole, want)
    if isinstance(above, OfSum) or (isinstance(above, Joined) and above.of_sum):
        return from_samples(there, *above.by_samples(), want)
    source = there.source
    if not there.layer.is_fused:
        walker = _walk_whole(there, above.run_by_input(there.shape[1]))
        return from_whole(there, walker.decays(), want)
    if not isinstance(source, Events):
        return _by_product(there, source, above.run_by_input(there.shape[1]), want)
    if not (isinstance(above, HandedBack) and above.is_sample_first):
        return _by_events(there, source, above.by_input(there.shape[1]), want)
    if takes_columns(there.shape, above.layer.outputs):
        return _from_above(there, source, above, want)
    return _by_parts(there, source, above, want)


def from_output(there: There, gradient: Callable[[], torch.Tensor], want: bool) -> Back:
    """The gradients of a layer from that of its spikes, which is asked for once."""
    if not there.layer.is_fused:
        walker = _walk_whole(there, _all(signal(gradient())))
        return from_whole(there, walker.decays(), want)
    grad_out = signal(gradient())
    if isinstance(there.source, Events):
        return _by_events(there, there.source, grad_out, want)
    return _by_product(there, there.source, _all(grad_out), want)


def from_samples(
    there: There, gradient: Callable[[int, int], torch.Tensor], at_once: int, want: bool
) -> Back:
    """The same where that is asked for so many samples at a time."""
    layer, (steps, batch, _) = there.layer, there.shape
    walker, grad_z = _walker(there), (there.voltage.view(np.float32), there.of_voltage)
    groups = [(first, min(batch, first + at_once)) for first in range(0, batch, at_once)]

    def of_group(first: int, last: int) -> Signal:
        return of_samples(signal(gradient(first, last)), first)

    if not (layer.is_fused and isinstance(there.source, Events)):
        for group in groups:
            walker.walk(0, steps, of_group(*group), there.grad_TBN, samples=group)
        return from_whole(there, walker.decays(), want)
    weights, to = _weight_sums(layer, there.source), grad_z if want else None
    for group in groups:
        walker.walk_by_events(0, steps, of_group(*group), to, weights, group)
    back = HandedBack(grad_z, layer, layer.shares) if want else None
    return back, torch.from_numpy(weights.grad_OI), walker.decays()


def takes_columns(shape: tuple[int, int, int], above: int) -> bool:
    """Whether a thread takes columns of the product by which so many neurons hand back to a layer.

    And walks with their neurons (see ``from_above``): where threads that take whole vectors are
    busy for most of the time, or the others could help with little.
    """
    steps, batch, neurons = shape
    vectors = -(-neurons // LANES)
    turns = -(-vectors // threads())
    if turns * threads() <= _MOST_TURNS * vectors:
        return True
    terms = steps * batch * neurons * above
    return turns * terms / vectors - terms / threads() <= _MORE_TERMS


def _walker(there: There) -> Walker:
    layer = there.layer
    return Walker(there.shape, there.voltage, there.of_voltage, layer.constants, layer.learn)


def _weight_sums(layer: Layer, events: Events) -> WeightSums:
    assert layer.bits is not None, "events bring integers"
    return WeightSums(events, layer.weights, layer.bits)


def _by_events(there: There, events: Events, grad_out: Signal, want: bool) -> Back:
    layer, of_voltage = there.layer, there.of_voltage
    walker, weights = _walker(there), _weight_sums(layer, events)
    grad_z = (there.voltage.view(np.float32), of_voltage) if want else None
    walker.walk_by_events(0, walker.steps, grad_out, grad_z, weights)
    back = None if grad_z is None else HandedBack(grad_z, layer, layer.shares)
    return back, torch.from_numpy(weights.grad_OI), walker.decays()


def _by_parts(there: There, events: Events, above: HandedBack, want: bool) -> Back:
    """The same where the gradient of the spikes is never whole, but a part of steps or samples."""
    (steps, batch, _), layer = there.shape, there.layer
    walker, weights = _walker(there), _weight_sums(layer, events)
    grad_z = there.voltage.view(np.float32), there.of_voltage
    to = grad_z if want else None
    parts = max(1, min(_PARTS, there.voltage.size // _LEAST_PART))
    # Weights are added up sample by sample: the steps of several are not parted.
    count, length = -(-batch // parts), steps if batch > 1 else -(-steps // parts)
    for start in range(0, batch, count):
        samples = start, min(batch, start + count)
        of_run = above.samples_by_input(steps, samples)
        for last in range(steps, 0, -length):
            first = max(0, last - length)
            walker.walk_by_events(first, last, of_run(first, last), to, weights, samples)
    back = HandedBack(grad_z, layer, layer.shares) if want else None
    return back, torch.from_numpy(weights.grad_OI), walker.decays()


def _by_product(
    there: There,
    source: Dense,
    grad_out: Callable[[int, int], Signal],
    want: bool,
) -> Back:
    layer, walker = there.layer, _walker(there)
    assert layer.bits is not None, "the weights are on the grid"
    # Of a large layer that hands nothing back runs are in the cache; of a small one they would be
    # as large as the layer.
    whole = there.grad_TBN if want or there.voltage.size <= _SMALL else None
    length = run_length(there.shape, layer.inputs, not want)
    grad_OI = by_product(walker, grad_out, source, layer.weights, layer.bits, length, None, whole)
    grad_z = there.grad_TBN.reshape(-1), there.of_voltage
    back = HandedBack(grad_z, layer) if want else None
    return back, torch.from_numpy(grad_OI), walker.decays()


def _all(grad_out: Signal) -> Callable[[int, int], Signal]:
    return lambda *_: grad_out


def _walk_whole(there: There, grad_out: Callable[[int, int], Signal]) -> Walker:
    """A walk back to the gradient of what the neurons received, which is whole then.

    That of their spikes is needed no more when it is done.
    """
    walker = _walker(there)
    length = run_length(there.shape, there.layer.inputs, True)  # short: no sum goes through all
    for first, last, part in walks(walker, there.grad_TBN, length):
        walker.walk(first, last, grad_out(first, last), part)
    return walker


def from_whole(there: There, grad_decays: torch.Tensor, want: bool) -> Back:
    """From the gradient of what the neurons received, which is whole, to what arrived, and on.

    That is to the weights. Where the layer hands back the drive (see ``Layer.shares_by``), that is
    what is whole. ``grad_decays`` [2, neurons] are the neurons' own; under a norm the decay of the
    current is the norm's to learn.
    """
    layer, grad_TBN = there.layer, there.grad_TBN
    source, weights = there.source, (layer.weight_OI, layer.bits)
    if layer.between is not None:
        layer.between.back(grad_TBN)
    norm, shares = layer.between and layer.between.norm, layer.shares_by(source)
    if not norm:
        length = run_length(there.shape, layer.inputs, not want) if layer.is_fused else None
        grad_OI = weight_gradient(grad_TBN, source, *weights, there.of_voltage, length, shares)
    elif isinstance(source, Events) and (
        crew := crew_by_events(there.shape, layer.inputs, norm.learn, layer.bits)
    ):
        grad_OI, grad_decays[0] = leak_back_by_events(
            grad_TBN, norm.decay, norm.learn, source, *weights, crew
        )
    else:
        again = currents(source, *there.shape[:2], *weights) if norm.learn else None
        grad_decays[0] = leak_back(grad_TBN, norm.decay, again)
        del again  # the memory of its weights serves again
        grad_OI = weight_gradient(grad_TBN, source, *weights)
    grad_z = there.voltage.view(np.float32), there.of_voltage
    return HandedBack(grad_z, layer, shares) if want else None, grad_OI, grad_decays


def _from_above(there: There, events: Events, above: HandedBack, want: bool) -> Back:
    _, batch, neurons = there.shape
    layer, upper = there.layer, above.layer
    grad_z = there.voltage.view(np.float32)
    weights = _weight_sums(layer, events)
    by_sample = np.zeros((batch, 2 * neurons if layer.learn else 0), np.float32)
    crew = crew_of(neurons)
    samples, length, columns = from_above.block_of(there.shape, crew)
    ordered = by_source(events, layer.inputs, neurons, length)
    block = max(samples * length * columns, room_to_turn(layer.inputs))
    run(
        from_above.adjoint_from_above,
        above.rows,
        above.shares,
        above.has_gaps,
        upper.weights,
        *grid_of(upper.bits),
        events,
        weights.weight_OI,
        *half_limits(weights.bits),
        there.voltage,
        there.of_voltage,
        *layer.constants,
        layer.learn,
        samples,
        length,
        columns,
        left_by_events(layer.shares) if want else NOTHING,
        grad_z,
        by_sample,
        take((crew, 5 * columns), np.float32),
        ordered,
        scratch((crew, block + ordered.length * LANES), np.float32),
        weights.grad_VLI,
    )
    back = HandedBack((grad_z, there.of_voltage), layer, layer.shares) if want else None
    grad_decays = decays_of(by_sample) if layer.learn else NO_DECAYS
    return back, torch.from_numpy(weights.grad_OI), grad_decays
