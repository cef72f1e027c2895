"""Running a network in the integers of the device: bit for bit, 24-bit states included."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import INPUT, Dense, Flatten, Graph, Layer
from netdesc.hardware.integers import Weights, dense_integers
from netdesc.hardware.neurons import Cuba
from netdesc.kernels.fixed_point import STATES_PER_WEIGHT

LARGEST_SPIKE = 1 << 23
STEPS_AT_ONCE = 256
"""Steps whose synaptic input is computed, and held, at a time."""
EXACT_IN_FLOAT = 1 << 53


@dataclass(frozen=True)
class LayerCounts:
    """What happened in a layer of neurons, over all neurons and steps.

    Where ``wrapped`` (currents beyond 24 bits) or ``clipped`` (voltages) is not 0, the float
    network, which has no such limits, can differ.
    """

    layer: str
    spikes: int
    wrapped: int
    clipped: int


@dataclass(frozen=True, eq=False)
class IntegerRun:
    """Output spikes [steps, neurons], and what happened in each layer of neurons.

    Spikes are bool, or whole numbers where the output is a sum.
    """

    spikes_TN: NDArray[Any]
    counts: list[LayerCounts]


def simulate(graph: Graph, weights: Weights, input_TN: NDArray) -> IntegerRun:
    """Runs ``graph`` for as many steps as the input has.

    ``input_TN`` is [steps, neurons] or [steps, *input shape], spikes or whole numbers. ValueError
    for an input that does not fit, DeviceError (one, too) for a layer that the device cannot hold.
    """
    spikes = {INPUT: _flat_input(input_TN, graph.input_shape)}
    counts: list[LayerCounts] = []
    for layer in graph.layers:
        given = [spikes[name] for name in layer.inputs]
        total = given[0] if len(given) == 1 else reduce(np.add, given[1:], given[0].astype("i8"))
        spikes[layer.name] = RUNNERS[type(layer)](layer, weights, total, counts)
    return IntegerRun(spikes[graph.layers[-1].name], counts)


def _flat_input(input_TN: NDArray, shape: tuple[int, ...]) -> NDArray:
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


def _run_flatten(_layer: Flatten, _weights: Weights, input_TN: NDArray, _counts: object) -> NDArray:
    return input_TN


def _run_dense(
    layer: Dense, weights: Weights, input_TN: NDArray, counts: list[LayerCounts]
) -> NDArray[np.bool_]:
    integers = dense_integers(layer, weights)
    neurons = Cuba(integers)
    delay = int(layer.section.axonal_delay_step)
    steps = len(input_TN)
    spikes_TN = np.zeros((steps + delay, len(integers.weight)), np.bool_)
    for first in range(0, steps, STEPS_AT_ONCE):
        z_TN = _product(input_TN[first : first + STEPS_AT_ONCE], integers.weight)
        for step, z_N in enumerate(z_TN, first + delay):
            spikes_TN[step] = neurons.step(STATES_PER_WEIGHT * z_N)
    spikes_TN = spikes_TN[:steps]
    spikes = int(np.count_nonzero(spikes_TN))
    counts.append(LayerCounts(layer.name, spikes, neurons.wrapped, neurons.clipped))
    return spikes_TN


def _product(input_TI: NDArray, weight_OI: NDArray[np.int32]) -> NDArray[np.int64]:
    """Exact sums of weights; in float64, where numpy multiplies fastest, if they fit there."""
    real_TI = input_TI.astype(np.float64)
    largest = float(np.abs(real_TI).max(initial=0)) * float(np.abs(weight_OI).max())
    if largest * weight_OI.shape[1] > EXACT_IN_FLOAT:
        return input_TI.astype(np.int64) @ weight_OI.T.astype(np.int64)
    return (real_TI @ weight_OI.T.astype(np.float64)).astype(np.int64)


RUNNERS: dict[type[Layer], Callable[..., NDArray]] = {Flatten: _run_flatten, Dense: _run_dense}
"""Node -> what computes its spikes from layer, weights and input, and appends its counts."""
