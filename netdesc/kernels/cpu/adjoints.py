"""The way back through a layer: gradients of its input, its weights and its decays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from netdesc.kernels.cpu import backward, product
from netdesc.kernels.cpu.arrays import array_of, as_rows, flat, rows_of
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.threads import on_threads
from netdesc.kernels.cpu.weights import half_limits, quantized
from netdesc.kernels.event_lists import are_listed
from netdesc.kernels.parameters import Dynamics
from netdesc.kernels.quantization import straight_through

_RUN = 1 << 19
"""Numbers of the gradient of z that are used up at a time: 2 MB, so that they stay in the cache."""


_NOTHING = np.empty(0, np.float32)


class _Layer:
    """A layer's neurons and their input weights, walked through backward in time.

    Every call takes the run of steps before that of the call before.
    """

    def __init__(
        self, grad_out: torch.Tensor, voltage: torch.Tensor, neurons: Dynamics, learn: bool
    ) -> None:
        self.steps, self.batch, self.neurons = voltage.shape
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
            learn,
            self.batch,
        )
        self._after = np.zeros(2 * self.batch * self.neurons, np.float32)
        self._by_sample = np.zeros((self.batch, 2 * self.neurons), np.float32)

    def walk(self, first: int, last: int, grad_z: np.ndarray) -> None:
        """Fills ``grad_z`` [steps, batch, neurons] of the steps ``first`` to before ``last``."""
        backward.adjoint(
            *self._given, first, last, self._after, grad_z.reshape(-1), self._by_sample
        )

    def walk_by_events(
        self,
        first: int,
        last: int,
        grad_z: np.ndarray | None,
        events: EventLists,
        weight_OI: np.ndarray,
        bits: int,
        sums_VIL: np.ndarray,
        grad_OI: np.ndarray,
    ) -> None:
        """The same, summing up the gradient of the weights as well."""
        backward.adjoint_by_events(
            events.starts,
            events.ends,
            events.sources,
            weight_OI,
            *half_limits(bits),
            *self._given,
            first,
            last,
            self._after,
            grad_z is not None,
            _NOTHING if grad_z is None else grad_z.reshape(-1),
            self._by_sample,
            sums_VIL,
            grad_OI,
        )

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
    layer = _Layer(grad_out_TBO, voltage_TBO, neurons, learn)
    weight = quantized(weight_OI, bits) if want_input else None
    if are_listed(packed_events):
        back = _by_events(layer, packed_events, array_of(weight_OI), bits, weight)
    else:
        assert spikes_TBI is not None, "without events the input itself is needed"
        back = _by_product(layer, rows_of(spikes_TBI), weight)
    grad_OI, grad_rows = (torch.from_numpy(each) for each in back)
    if not are_listed(packed_events):
        grad_OI = straight_through(grad_OI, weight_OI, bits)
    if want_input:
        grad_rows = grad_rows.view(*grad_out_TBO.shape[:2], -1)
    return grad_rows, grad_OI, layer.decays()


def _by_events(
    layer: _Layer,
    packed_events: torch.Tensor,
    weight_OI: np.ndarray,
    bits: int,
    weight: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of the weights and, given ``weight`` on the grid, of the input's rows."""
    events = EventLists.unpack(packed_events.numpy(), layer.steps * layer.batch)
    inputs = weight_OI.shape[1]
    sums_VIL = take((-(-layer.neurons // LANES), inputs * LANES), np.float32)
    grad_OI = take(weight_OI.shape, np.float32)
    if weight is None:
        layer.walk_by_events(0, layer.steps, None, events, weight_OI, bits, sums_VIL, grad_OI)
        return grad_OI, _NOTHING
    grad_rows = take((layer.steps * layer.batch, inputs), np.float32)
    for first, last, rows, grad_z in _runs(layer):
        layer.walk_by_events(first, last, grad_z, events, weight_OI, bits, sums_VIL, grad_OI)
        product.matmul(as_rows(grad_z), weight, grad_rows[rows])
    return grad_OI, grad_rows


def _by_product(
    layer: _Layer, input_rows: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """As ``_by_events``, of an input that is dense or graded; clamps are not seen."""
    inputs = input_rows.shape[1]
    grad_OI = take((layer.neurons, inputs), np.float32)
    grad_rows = take(input_rows.shape if weight is not None else (0,), np.float32)
    for first, last, rows, grad_z in _runs(layer):
        layer.walk(first, last, grad_z)
        product.matmul(as_rows(grad_z).T, input_rows[rows], grad_OI, onto=last < layer.steps)
        if weight is not None:
            product.matmul(as_rows(grad_z), weight, grad_rows[rows])
    return grad_OI, grad_rows


def _runs(layer: _Layer) -> Iterator[tuple[int, int, slice, np.ndarray]]:
    """Runs of steps, the last ones first: first and last step, their rows, and room for grad_z."""
    length = min(layer.steps, max(1, _RUN // (layer.batch * layer.neurons)))
    grad_z = take((length, layer.batch, layer.neurons), np.float32)
    for last in range(layer.steps, 0, -length):
        first = max(0, last - length)
        rows = slice(first * layer.batch, last * layer.batch)
        yield first, last, rows, grad_z[: last - first]
