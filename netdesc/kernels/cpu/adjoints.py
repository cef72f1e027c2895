"""The way back through a layer, as operators take it: gradients of input, weights and decays.

``by_product`` is that of chains as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from netdesc.kernels.cpu import product
from netdesc.kernels.cpu.arrays import array_of, as_rows, flat, rows_of
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.backward import left_by_events
from netdesc.kernels.cpu.budget import are_heavy
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.carried import Carried
from netdesc.kernels.cpu.constants import constants_of
from netdesc.kernels.cpu.events import EventLists
from netdesc.kernels.cpu.places import time_first
from netdesc.kernels.cpu.sources import Dense
from netdesc.kernels.cpu.synapses import Runs, gradient_of_runs
from netdesc.kernels.cpu.threads import on_threads
from netdesc.kernels.cpu.walker import Signal, Walker, WeightSums, signal
from netdesc.kernels.event_lists import are_listed
from netdesc.kernels.parameters import Dynamics

_RUN = 1 << 19
"""Numbers of the gradient of z that are used up at a time: 2 MB, so that they stay in the cache."""

_SHARE = 8
"""Of a small layer an eighth is held at a time."""

_FOR_WEIGHTS, _FOR_INPUT = 1 << 15, 3 << 16
"""But no less than that: runs cost time, more so where there is a product for the input as well."""

_NOTHING = np.empty(0, np.float32)


def walker_of(voltage_TBN: torch.Tensor, neurons: Dynamics, learn: bool) -> Walker:
    steps, batch, size = voltage_TBN.shape
    constants, places = constants_of(neurons), time_first(batch)
    return Walker((steps, batch, size), flat(voltage_TBN), places, constants, learn)


@on_threads
def cuba_backward(
    grad_out_TBN: torch.Tensor, voltage_TBN: torch.Tensor, neurons: Dynamics, learn: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """See ``reference.engine.cuba_backward``."""
    layer = walker_of(voltage_TBN, neurons, learn)
    grad_z = take(tuple(voltage_TBN.shape), np.float32)
    layer.walk(0, layer.steps, signal(grad_out_TBN), grad_z)
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
    layer, grad_out = walker_of(voltage_TBO, neurons, learn), signal(grad_out_TBO)
    real_OI = array_of(weight_OI)
    inputs = real_OI.shape[1]
    grad_rows = take((steps * batch, inputs), np.float32) if want_input else None
    source = unlisted(packed_events, spikes_TBI, grad_out_TBO.shape)
    if isinstance(source, Events):
        grad_OI = _by_events(layer, grad_out, source, real_OI, bits, grad_rows)
    else:
        length = run_length(layer.shape, inputs, not want_input)
        grad_OI = by_product(layer, lambda *_: grad_out, source, real_OI, bits, length, grad_rows)
    grad_TBI = _NOTHING if grad_rows is None else grad_rows.reshape(steps, batch, inputs)
    return torch.from_numpy(grad_TBI), torch.from_numpy(grad_OI), layer.decays()


def unlisted(
    packed_events: torch.Tensor, signal_TBI: torch.Tensor | None, shape: torch.Size
) -> Events | np.ndarray:
    """What synapses read, from the events that the way there has listed, or else from the input.

    ``shape`` begins with steps and samples.
    """
    steps, batch = shape[:2]
    if are_listed(packed_events):
        return EventLists.unpack(packed_events.numpy(), steps * batch).events(batch)
    assert signal_TBI is not None, "without events the input itself is needed"
    return rows_of(signal_TBI)


def _by_events(
    layer: Walker,
    grad_out: Signal,
    events: Events,
    weight_OI: np.ndarray,
    bits: int,
    grad_rows: np.ndarray | None,
) -> np.ndarray:
    """The gradient of the weights; fills that of the input's rows, where these are given."""
    steps, batch = layer.steps, layer.batch
    weights = WeightSums(events, weight_OI, bits)
    if grad_rows is None:
        layer.walk_by_events(0, steps, grad_out, None, weights)
        return weights.grad_OI
    # The gradient of the weights is added up sample by sample over all steps, whoever asks, as in
    # the last layer's walk (see ``last_layer``). So runs of several samples cannot add to it: they
    # work the gradient of z out again.
    length = _length(layer.shape, _FOR_INPUT)
    again = batch > 1 and length < steps
    if again:
        layer.walk_by_events(0, steps, grad_out, None, weights)
        layer = layer.again()
    shares = layer.shares
    carried = None if shares is None else Carried(shares, batch, grad_rows.shape[1])
    for first, last, grad_z in walks(layer, None, length):
        if again:
            layer.walk(first, last, grad_out, grad_z, left_by_events(shares))
        else:
            of_z = grad_z.reshape(-1), (-first * batch, batch, 1)
            layer.walk_by_events(first, last, grad_out, of_z, weights)
        rows = grad_rows[first * batch : last * batch]
        product.matmul(as_rows(grad_z), weight_OI, rows, bits=bits, has_gaps=carried is not None)
        if carried is not None:
            carried.back(rows, time_first(batch))
    return weights.grad_OI


def by_product(
    layer: Walker,
    grad_out: Callable[[int, int], Signal],
    source: Dense,
    weight_OI: np.ndarray,
    bits: int,
    length: int,
    grad_rows: np.ndarray | None,
    whole: np.ndarray | None = None,
) -> np.ndarray:
    """As ``_by_events``, of an input that is dense or graded, in runs of ``length`` steps.

    ``grad_out`` gives the gradient of the spikes from one step to before another. Given ``whole``
    [steps, batch, neurons], it is filled with the gradient of z. How long runs are decides how sums
    are rounded (see ``run_length``).
    """

    def walked() -> Runs:
        for first, last, grad_z in walks(layer, whole, length):
            layer.walk(first, last, grad_out(first, last), grad_z)
            if grad_rows is not None:
                rows = grad_rows[first * layer.batch : last * layer.batch]
                product.matmul(as_rows(grad_z), weight_OI, rows, bits=bits)
            yield first, grad_z

    return gradient_of_runs(walked(), layer.batch, source, weight_OI, bits)


def run_length(shape: tuple[int, int, int], inputs: int, is_first: bool) -> int:
    """Steps of a run; ``is_first`` says that the gradient of the input is not wanted.

    As spikes or as z, whoever asks for it: sums are rounded alike. It is half of the steps at most:
    what comes back to a run would else be as large as all that the layer keeps. Where the layer's
    weights are heavy beside that, it is a fifth.
    """
    steps, batch, neurons = shape
    runs = 5 if are_heavy(inputs * neurons, steps * batch * neurons) else 2
    return min(_length(shape, _FOR_WEIGHTS if is_first else _FOR_INPUT), -(-steps // runs))


def walks(
    layer: Walker, whole: np.ndarray | None, length: int | None = None
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Runs of steps, the last ones first: from which to before which, and room for grad_z.

    That is their part of ``whole``, where it is given. Each has ``length`` steps at most.
    """
    length = length or _length(layer.shape, _FOR_INPUT)
    shape = length, layer.batch, layer.neurons
    part = take(shape, np.float32) if whole is None else _NOTHING
    for last in range(layer.steps, 0, -length):
        first = max(0, last - length)
        yield first, last, part[: last - first] if whole is None else whole[first:last]


def _length(shape: tuple[int, int, int], least: int) -> int:
    """How many steps a run has."""
    steps, batch, neurons = shape
    in_a_step = batch * neurons
    room = min(_RUN, max(least, steps * in_a_step // _SHARE))
    return min(steps, max(1, room // in_a_step))
