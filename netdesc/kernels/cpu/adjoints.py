"""The way back through a layer: gradients of its input, its weights and its decays."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import numpy as np
import torch

from netdesc.kernels.cpu import backward, product
from netdesc.kernels.cpu.arrays import array_of, as_rows, flat, rows_of
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.sources import Source, reader
from netdesc.kernels.cpu.threads import on_threads, threads
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.kernels.cpu.weights import half_limits, quantized, room_by_vectors, stop_at_clamped
from netdesc.kernels.event_lists import are_listed
from netdesc.kernels.parameters import Dynamics

_RUN = 1 << 19
"""Numbers of the gradient of z that are used up at a time: 2 MB, so that they stay in the cache."""

_SHARE = 8
"""Of a small layer an eighth is held at a time."""

_FOR_WEIGHTS, _FOR_INPUT = 1 << 16, 3 << 16
"""But no less than that: runs cost time, more so where there is a product for the input as well."""

_NOTHING = np.empty(0, np.float32)


class _Layer:
    """A layer's neurons and their input weights, walked through backward in time.

    Every call takes the run of steps before that of the call before. With ``overwrite`` the
    gradient of z takes the place of that of the spikes.
    """

    def __init__(
        self,
        grad_out: torch.Tensor,
        voltage: torch.Tensor,
        neurons: Dynamics,
        learn: bool,
        overwrite: bool = False,
    ) -> None:
        self.steps, self.batch, self.neurons = voltage.shape
        self.overwrite = overwrite
        self._given = (
            flat(grad_out),
            flat(voltage),
            neurons.keep_u.numpy(),
            neurons.keep_v.numpy(),
            neurons.bias.numpy(),
            np.int32(neurons.threshold),
            neurons.delay,
            neurons.height,
            neurons.width,
        )
        self._learn = learn
        self._begin()

    def _begin(self) -> None:
        self._after = np.zeros(3 * self.batch * self.neurons, np.float32)
        self._by_sample = np.zeros((self.batch, 2 * self.neurons), np.float32)

    def again(self) -> _Layer:
        """The layer as it was before its first walk; of its decays nothing more is learnt."""
        other = copy(self)
        other._learn = False
        other._begin()
        return other

    def walk(self, first: int, last: int, grad_z: np.ndarray) -> None:
        """Fills ``grad_z`` [steps, batch, neurons] of the steps ``first`` to before ``last``."""
        backward.adjoint(
            *self._given,
            self._learn,
            self.batch,
            first,
            last,
            self._after,
            grad_z.reshape(-1),
            self._by_sample,
        )

    def walk_by_events(
        self,
        first: int,
        last: int,
        grad_z: np.ndarray | None,
        events: EventLists,
        weight_OI: np.ndarray,
        bits: int,
        sums_KIL: np.ndarray,
        grad_VLI: np.ndarray,
    ) -> None:
        """The same, summing up the gradient of the weights as well."""
        backward.adjoint_by_events(
            events.starts,
            events.ends,
            events.sources,
            weight_OI,
            *half_limits(bits),
            *self._given,
            self._learn,
            self.batch,
            first,
            last,
            self._after,
            grad_z is not None,
            _NOTHING if grad_z is None else grad_z.reshape(-1),
            self._by_sample,
            sums_KIL,
            grad_VLI,
        )

    def runs(self, length: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Runs of steps, the last ones first: from which to before which, and room for grad_z."""
        shape = self.steps, self.batch, self.neurons
        whole = self._given[0].reshape(shape) if self.overwrite else None
        part = take((length, *shape[1:]), np.float32) if whole is None else _NOTHING
        for last in range(self.steps, 0, -length):
            first = max(0, last - length)
            yield first, last, part[: last - first] if whole is None else whole[first:last]

    def decays(self) -> torch.Tensor:
        """Gradients of both decays [2, neurons], once all steps were walked."""
        by_sample = self._by_sample
        total = by_sample[0] if len(by_sample) == 1 else by_sample.sum(axis=0)
        return torch.from_numpy(total.reshape(2, self.neurons))


@on_threads
def cuba_backward(
    grad_out_TBN: torch.Tensor, voltage_TBN: torch.Tensor, neurons: Dynamics, learn: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.engine.cuba_backward``."""
    layer = _Layer(grad_out_TBN, voltage_TBN, neurons, learn)
    grad_z = take(tuple(voltage_TBN.shape), np.float32)
    layer.walk(0, layer.steps, grad_z)
    return torch.from_numpy(grad_z), layer.decays()


@on_threads
def dense_cuba_backward(
    grad_out_TBO: torch.Tensor,
    spikes_TBI: torch.Tensor | None,
    packed_events: torch.Tensor,
    weight_OI: torch.Tensor,
    bits: int,
    voltage_TBO: torch.Tensor,
    neurons: Dynamics,
    learn: bool,
    want_input: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """See ``reference.engine.dense_cuba_backward``.

    The gradient of z is used up run by run of steps: it stays in the cache, and is never whole.
    """
    steps, batch, _ = grad_out_TBO.shape
    if are_listed(packed_events):
        source = EventLists.unpack(packed_events.numpy(), steps * batch)
    else:
        assert spikes_TBI is not None, "without events the input itself is needed"
        source = rows_of(spikes_TBI)
    return way_back(grad_out_TBO, source, weight_OI, bits, voltage_TBO, neurons, learn, want_input)


def way_back(
    grad_out_TBO: torch.Tensor,
    source: Source,
    weight_OI: torch.Tensor,
    bits: int,
    voltage_TBO: torch.Tensor,
    neurons: Dynamics,
    learn: bool,
    want_input: bool,
    overwrite: bool = False,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """``dense_cuba_backward``, given what the layer's synapses read.

    With ``overwrite`` the gradient given is used up: its memory holds other numbers afterwards.
    """
    layer = _Layer(grad_out_TBO, voltage_TBO, neurons, learn, overwrite)
    weight = quantized(weight_OI, bits) if want_input else None
    real_OI = array_of(weight_OI)
    grad_rows = take(
        (layer.steps * layer.batch, real_OI.shape[1]) if want_input else (0, 0), np.float32
    )
    if isinstance(source, EventLists):
        grad_OI = _by_events(layer, source, real_OI, bits, weight, grad_rows)
    else:
        grad_OI = _by_product(layer, source, real_OI, weight, grad_rows)
        stop_at_clamped(grad_OI, real_OI, bits)
    grad_TBI = grad_rows.reshape(layer.steps, layer.batch, -1) if want_input else _NOTHING
    return torch.from_numpy(grad_TBI), torch.from_numpy(grad_OI), layer.decays()


def _by_events(
    layer: _Layer,
    events: EventLists,
    weight_OI: np.ndarray,
    bits: int,
    weight: np.ndarray | None,
    grad_rows: np.ndarray,
) -> np.ndarray:
    """The gradient of the weights and, given ``weight`` on the grid, of the input's rows."""
    inputs = weight_OI.shape[1]
    sums_KIL = take((threads(), inputs * LANES), np.float32)
    room = room_by_vectors(layer.neurons, inputs)
    grad_VLI, grad_OI = room.reshape(-1, LANES * inputs), room[: layer.neurons]
    if weight is None:
        layer.walk_by_events(0, layer.steps, None, events, weight_OI, bits, sums_KIL, grad_VLI)
        return grad_OI
    # The gradient of the weights is added up sample by sample over all steps, whoever asks, as in
    # the last layer's walk (see ``last_layer``). So runs of several samples cannot add to it: they
    # work the gradient of z out again.
    by_sample = layer.batch > 1
    length = layer.steps if by_sample and layer.overwrite else _length(layer, _FOR_INPUT)
    again = by_sample and length < layer.steps
    if again:
        layer.walk_by_events(0, layer.steps, None, events, weight_OI, bits, sums_KIL, grad_VLI)
        layer = layer.again()
    for first, last, grad_z in layer.runs(length):
        if again:
            layer.walk(first, last, grad_z)
        else:
            layer.walk_by_events(first, last, grad_z, events, weight_OI, bits, sums_KIL, grad_VLI)
        rows = grad_rows[first * layer.batch : last * layer.batch]
        product.matmul(as_rows(grad_z), weight, rows)
    return grad_OI


def _by_product(
    layer: _Layer,
    source: SpikeTrains | np.ndarray,
    weight_OI: np.ndarray,
    weight: np.ndarray | None,
    grad_rows: np.ndarray,
) -> np.ndarray:
    """As ``_by_events``, of an input that is dense or graded; clamps are not seen."""
    grad_OI = room_by_vectors(*weight_OI.shape)[: layer.neurons]
    length = _length(layer, _FOR_WEIGHTS if weight is None else _FOR_INPUT)
    read = reader(source, layer.batch, length)
    for first, last, grad_z in layer.runs(length):
        layer.walk(first, last, grad_z)
        input_rows = read(first, last)
        product.matmul(as_rows(grad_z).T, input_rows, grad_OI, onto=last < layer.steps)
        if weight is not None:
            rows = grad_rows[first * layer.batch : last * layer.batch]
            product.matmul(as_rows(grad_z), weight, rows)
    return grad_OI


def _length(layer: _Layer, least: int) -> int:
    """How many steps a run has."""
    in_a_step = layer.batch * layer.neurons
    room = min(_RUN, max(least, layer.steps * in_a_step // _SHARE))
    return min(layer.steps, max(1, room // in_a_step))
