"""Runs a network in the device's integers. The results equal the results of the device exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import INPUT, DenseNode, FlattenNode, Graph, Layer
from netdesc.hardware.integers import Weights, dense_integers
from netdesc.hardware.neurons import IntegerNeurons
from netdesc.kernels.fixed_point import STATES_PER_WEIGHT

MAX_SPIKE = 1 << 23
"""Largest magnitude of an input value."""

CHUNK_STEPS = 256
"""Number of steps whose synaptic input is computed by one matrix product."""

MAX_EXACT_FLOAT64 = 1 << 53
"""float64 holds every integer up to this magnitude."""


@dataclass(frozen=True)
class LayerCounts:
    """Totals over all neurons and steps of a layer.

    ``wrapped`` counts states (currents of CUBA neurons) that exceeded 24 bits and wrapped around,
    ``clipped`` counts states (voltages) that exceeded 24 bits and were clamped. If either number is
    above 0, the torch network can give other spikes, because its states have a larger range.
    """

    layer: str
    spikes: int
    wrapped: int
    clipped: int


@dataclass(frozen=True, eq=False)
class IntegerRun:
    """The output spikes and the counts of a simulated network."""

    spikes_TN: NDArray[Any]
    """Output spikes [steps, neurons]: bool, or whole numbers if the output is a sum of layers."""
    counts: list[LayerCounts]
    """The counts of each layer of neurons, in the order of the graph."""


def simulate(graph: Graph, weights: Weights, input_TN: NDArray) -> IntegerRun:
    """Runs ``graph`` for all steps of the input. Returns output spikes and counts.

    ``input_TN`` holds spikes or whole numbers, [steps, neurons] or [steps, *input shape]. Raises
    ValueError if the input does not fit, HardwareError (a ValueError) if the device cannot store a
    layer.
    """
    spikes = {INPUT: _flat_input(input_TN, graph.input_shape)}
    counts: list[LayerCounts] = []
    for layer in graph.layers:
        first, *others = [spikes[name] for name in layer.inputs]
        total = reduce(np.add, others, first.astype("i8")) if others else first
        spikes[layer.name] = RUNNERS[type(layer)](layer, weights, total, counts)
    return IntegerRun(spikes[graph.layers[-1].name], counts)


def _flat_input(input_TN: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Reshapes the input to [steps, neurons].

    Raises ValueError if the input's shape does not fit, or a value is not a whole number or is
    larger than ``MAX_SPIKE``.
    """
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
        is_valid = (np.abs(flat) <= MAX_SPIKE) & (flat == np.trunc(flat))
        if not is_valid.all():
            step, neuron = np.argwhere(~is_valid)[0].tolist()
            raise ValueError(
                f"the input at step {step}, neuron {neuron} is {flat[step, neuron]}; spikes are "
                f"whole numbers up to {MAX_SPIKE}"
            )
    return flat


def _run_flatten(
    _layer: FlattenNode, _weights: Weights, input_TN: NDArray, _counts: object
) -> NDArray:
    return input_TN


def _run_dense(
    layer: DenseNode, weights: Weights, input_TN: NDArray, counts: list[LayerCounts]
) -> NDArray[np.bool_]:
    integers = dense_integers(layer, weights)
    neurons = IntegerNeurons(
        layer.neuron.definition(), integers.neuron_parameters(), len(integers.weight)
    )
    delay = int(layer.section.axonal_delay_step)
    steps = len(input_TN)
    spikes_TN = np.zeros((steps + delay, len(integers.weight)), np.bool_)
    for first in range(0, steps, CHUNK_STEPS):
        z_TN = _synaptic_input(input_TN[first : first + CHUNK_STEPS], integers.weight)
        for step, z_N in enumerate(z_TN, first + delay):
            spikes_TN[step] = neurons.step(STATES_PER_WEIGHT * z_N)
    spikes_TN = spikes_TN[:steps]
    spikes = int(np.count_nonzero(spikes_TN))
    counts.append(LayerCounts(layer.name, spikes, neurons.wrapped, neurons.clipped))
    return spikes_TN


def _synaptic_input(input_TI: NDArray, weight_OI: NDArray[np.int32]) -> NDArray[np.int64]:
    """Returns the exact matrix product ``input_TI @ weight_OI.T``, [steps, outputs].

    If float64 is exact for these numbers, computes in float64, which is faster; otherwise in int64.
    """
    float_TI = input_TI.astype(np.float64)
    largest = float(np.abs(float_TI).max(initial=0)) * float(np.abs(weight_OI).max())
    if largest * weight_OI.shape[1] > MAX_EXACT_FLOAT64:
        return input_TI.astype(np.int64) @ weight_OI.T.astype(np.int64)
    return (float_TI @ weight_OI.T.astype(np.float64)).astype(np.int64)


RUNNERS: dict[type[Layer], Callable[..., NDArray]] = {
    FlattenNode: _run_flatten,
    DenseNode: _run_dense,
}
"""Maps a node class to the function that computes a node's output and appends to the counts."""
