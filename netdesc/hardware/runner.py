"""Running a network in the integers of the device: bit for bit, 24-bit states included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.export import Model, network_record
from netdesc.exchange.reader import read_net
from netdesc.exchange.record import DenseLayer, Integers, NetFile
from netdesc.kernels.grid import DECAY_ONE, STATES_PER_WEIGHT

Network = str | Path | NetFile | Model

LARGEST_SPIKE = 1 << 23


@dataclass(frozen=True)
class LayerCounts:
    """What happened in the layer with index ``layer`` of the file, over all neurons and steps.

    Where ``wrapped`` (currents beyond 24 bits) or ``clipped`` (voltages) is not 0, the float
    network, which has no such limits, can differ.
    """

    layer: int
    spikes: int
    wrapped: int
    clipped: int


@dataclass(frozen=True, eq=False)
class IntegerRun:
    """Output spikes, bool [steps, neurons], and what happened in each layer of neurons."""

    spikes_TN: NDArray[np.bool_]
    counts: list[LayerCounts]


def run_integer(network: Network, input_TN: NDArray) -> NDArray[np.bool_]:
    """Output spikes, bool [steps, neurons], as the device computes them.

    ``network`` is a ``.net`` file (or a model, or its record); ``input_TN`` is [steps, neurons] or
    [steps, *input shape], spikes or whole numbers. Each dense layer adds one step of delay.
    NetFileError for a bad file, ValueError for an input that does not fit.
    """
    return simulate(network, input_TN).spikes_TN


def simulate(network: Network, input_TN: NDArray) -> IntegerRun:
    """As ``run_integer``, and counts where a state left the device's range."""
    net = _record(network)
    spikes_TN = _input(input_TN, net.input_shape)
    counts = []
    for index, layer in enumerate(net.layers):
        if isinstance(layer, DenseLayer):
            spikes_TN, wrapped, clipped = _run_dense(layer, spikes_TN)
            counts.append(LayerCounts(index, int(spikes_TN.sum()), wrapped, clipped))
    assert spikes_TN.dtype == np.bool_, "a record has a layer of neurons"
    return IntegerRun(spikes_TN, counts)


def _record(network: Network) -> NetFile:
    if isinstance(network, str | Path):
        return read_net(network).net
    return network if isinstance(network, NetFile) else network_record(network)


def _input(input_TN: NDArray, shape: tuple[int, ...]) -> NDArray:
    """[steps, neurons] of whole numbers."""
    values = np.asarray(input_TN)
    neurons = math.prod(shape)
    if values.ndim < 2 or values.shape[1:] not in (shape, (neurons,)):
        raise ValueError(
            f"the input has shape {list(values.shape)}; [steps, {', '.join(map(str, shape))}] "
            "is needed"
        )
    if values.dtype.kind not in "biuf":
        raise ValueError(f"the input holds {values.dtype}, not spikes")
    flat = values.reshape(len(values), neurons)
    if values.dtype.kind != "b":
        whole = (np.abs(flat) <= LARGEST_SPIKE) & (flat == np.trunc(flat))
        if not whole.all():
            step, neuron = np.argwhere(~whole)[0].tolist()
            raise ValueError(
                f"the input at step {step}, neuron {neuron} is {flat[step, neuron]}; spikes are "
                f"whole numbers up to {LARGEST_SPIKE}"
            )
    return flat


def _run_dense(layer: DenseLayer, input_TN: NDArray) -> tuple[NDArray[np.bool_], int, int]:
    from netdesc.hardware.kernel import dense_cuba  # Numba takes a second to import

    step, source = np.nonzero(input_TN)
    starts = np.searchsorted(step, np.arange(len(input_TN) + 1))
    bias = np.zeros(layer.outputs, np.int32) if layer.bias is None else layer.bias
    spikes_TN = np.zeros((len(input_TN), layer.outputs), np.bool_)
    counts = np.zeros(2, np.int64)
    dense_cuba(
        starts.astype(np.int64),
        source.astype(np.int64),
        input_TN[step, source].astype(np.int64),
        np.ascontiguousarray(layer.weight.T, dtype=np.int32),
        _keep(layer.current_decay, layer.outputs),
        _keep(layer.voltage_decay, layer.outputs),
        bias.astype(np.int64) * STATES_PER_WEIGHT,
        np.int64(layer.threshold * STATES_PER_WEIGHT),
        spikes_TN,
        counts,
    )
    return spikes_TN, int(counts[0]), int(counts[1])


def _keep(decay: Integers, neurons: int) -> Integers:
    return np.broadcast_to(DECAY_ONE - decay, (neurons,)).astype(np.int32)
