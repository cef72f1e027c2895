"""Runs a network in the device's integers. The results equal the results of the device exactly."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import INPUT, Graph, LayerNode, SynapticNode, layers
from netdesc.hardware.convolution import convolve
from netdesc.hardware.integers import (
    MAX_EXACT_FLOAT64,
    WEIGHT_BITS,
    Weights,
    layer_integers,
    quantize,
)
from netdesc.hardware.neurons import PAYLOAD_BITS, IntegerNeurons, shift
from netdesc.hardware.recurrent import make_feedback
from netdesc.kernels.fixed_point import STATE_UNIT

MAX_SPIKE = 1 << 23
"""Largest magnitude of an input value."""

CHUNK_STEPS = 256
"""Number of steps whose synaptic input is computed by one matrix product."""


@dataclass(frozen=True)
class LayerCounts:
    """Totals over all neurons and steps of a layer.

    ``spikes`` counts the outputs that are not 0. ``wrapped`` and ``clipped`` count for each state
    how often it exceeded 24 bits, and wrapped around or was clamped. If one of these numbers is
    above 0, the torch network can give other spikes, because its states have a larger range.
    """

    layer: str
    spikes: int
    wrapped: dict[str, int]
    clipped: dict[str, int]


@dataclass(frozen=True, eq=False)
class IntegerRun:
    """The output and the counts of a simulated network."""

    output_TN: NDArray[Any]
    """The output [steps, neurons]: bool, whole numbers if it is a sum of layers, or float64 in
    threshold units if it is graded."""
    counts: list[LayerCounts]
    """The counts of each layer of neurons, in the order of the graph."""


class Signal(NamedTuple):
    """What a layer hands on [steps, neurons]: integers in units of 2 to the power of -``bits``."""

    values_TN: NDArray[Any]
    bits: int


Observer = Callable[[str, Signal], None]
"""A function that gets the name of each layer and what it hands on, also in several pieces."""


def simulate(
    graph: Graph, weights: Weights, input_TN: NDArray, observe: Observer | None = None
) -> IntegerRun:
    """Runs ``graph`` for all steps of the input. Returns the output and counts.

    ``input_TN`` holds spikes, whole numbers or multiples of 1/4096, [steps, neurons] or [steps,
    *input shape]. Raises ValueError if the input does not fit, HardwareError (a ValueError) if the
    device cannot store a layer.
    """
    signals = {INPUT: _flat_input(input_TN, graph.input_shape)}
    counts: list[LayerCounts] = []
    for layer in graph.layers:
        total = _join(layer, [signals[name] for name in layer.inputs])
        signals[layer.name] = RUNNERS[type(layer.section)](layer, weights, total, counts)
        if observe is not None:
            observe(layer.name, signals[layer.name])
    output_TN, bits = signals[graph.layers[-1].name]
    return IntegerRun(output_TN / (1 << bits) if bits else output_TN, counts)


def _join(layer: LayerNode, signals: Sequence[Signal]) -> Signal:
    if len(signals) == 1:
        return signals[0]
    bits = max(signal.bits for signal in signals)
    aligned = [each.values_TN.astype(np.int64) << (bits - each.bits) for each in signals]
    join = JOINS.get(type(layer.section))
    return Signal(reduce(np.add, aligned) if join is None else join(layer, aligned), bits)


def _concat(layer: LayerNode, signals: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    assert isinstance(layer.section, layers.Concat)
    axis, shape = layer.section.axis, layer.input_shape
    shaped = [each.reshape(len(each), *shape[:axis], -1, *shape[axis + 1 :]) for each in signals]
    return np.concatenate(shaped, axis=1 + axis).reshape(len(signals[0]), -1)


JOINS: dict[type[layers.LayerSection], Callable[..., NDArray[np.int64]]] = {layers.Concat: _concat}
"""Maps the class of a section to the function that joins its inputs, where that is not a sum."""


def _flat_input(input_TN: NDArray, shape: tuple[int, ...]) -> Signal:
    """Reshapes the input to [steps, neurons].

    Raises ValueError if the input's shape does not fit, or a value is not a multiple of 1/4096 or
    is larger than ``MAX_SPIKE``.
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
    if values.dtype.kind == "b":
        return Signal(flat, 0)
    if _fits(flat, 1).all():
        return Signal(flat, 0)
    graded = flat.astype(np.float64) * STATE_UNIT
    is_valid = _fits(graded, STATE_UNIT)
    if not is_valid.all():
        step, neuron = np.argwhere(~is_valid)[0].tolist()
        raise ValueError(
            f"the input at step {step}, neuron {neuron} is {flat[step, neuron]}; spikes are "
            f"whole numbers up to {MAX_SPIKE}, graded ones multiples of 1/{STATE_UNIT}"
        )
    return Signal(graded, PAYLOAD_BITS)


def _fits(values_TN: NDArray, unit: int) -> NDArray[np.bool_]:
    return (np.abs(values_TN) <= MAX_SPIKE * unit) & (values_TN == np.trunc(values_TN))


def _run_view(_layer: LayerNode, _weights: Weights, input_TN: Signal, _counts: object) -> Signal:
    return input_TN


def _mean(total: NDArray[np.int64], count: int, bits: int) -> Signal:
    """Returns the total divided by ``count``, cut toward zero to a multiple of 2^-PAYLOAD_BITS."""
    units = total << (PAYLOAD_BITS - bits)
    return Signal(np.sign(units) * (np.abs(units) // count), PAYLOAD_BITS)


def _run_pool(layer: LayerNode, _weights: Weights, signal: Signal, _counts: object) -> Signal:
    section = layer.section
    assert isinstance(section, layers.MaxPool | layers.AveragePool)
    kernel, stride, padding = section.window
    is_mean = isinstance(section, layers.AveragePool)
    image = signal.values_TN.astype(np.int64).reshape(-1, *layer.input_shape)
    # Padding is no value of a maximum.
    edge = 0 if is_mean else np.iinfo(np.int64).min
    pads = ((0, 0), (0, 0), *((pad, pad) for pad in padding))
    padded = np.pad(image, pads, constant_values=edge)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1]]
    steps = len(image)
    if is_mean:
        total = windows.sum(axis=(4, 5)).reshape(steps, -1)
        return _mean(total, kernel[0] * kernel[1], signal.bits)
    return Signal(windows.max(axis=(4, 5)).reshape(steps, -1), signal.bits)


def _run_average(layer: LayerNode, _weights: Weights, signal: Signal, _counts: object) -> Signal:
    values, (units,) = signal.values_TN.astype(np.int64), layer.output_shape
    groups = values.reshape(len(values), units, -1)
    return _mean(groups.sum(axis=2), groups.shape[2], signal.bits)


def _run_decimation(layer: LayerNode, _weights: Weights, signal: Signal, _counts: object) -> Signal:
    assert isinstance(layer.section, layers.TimeDecimation)
    factor, values = layer.section.factor, signal.values_TN.astype(np.int64)
    padded = np.pad(values, ((0, -len(values) % factor), (0, 0)))
    return _mean(padded.reshape(-1, factor, values.shape[1]).sum(axis=1), factor, signal.bits)


SynapticInput = Callable[[SynapticNode, NDArray[Any], NDArray[np.int32]], NDArray[np.int64]]
"""Returns what arrives at the neurons, exactly: [steps, neurons].

Arguments are the layer, its input [steps, inputs] and its weights."""


def _run_synaptic(
    synaptic_input: SynapticInput,
    layer: SynapticNode,
    weights: Weights,
    input_TN: Signal,
    counts: list[LayerCounts],
) -> Signal:
    integers = layer_integers(layer, weights)
    definition, count = integers.definition, layer.neurons
    per_neuron = count // layer.channels
    on_grid = {
        name: np.repeat(value, per_neuron) if value.size == layer.channels else value
        for name, value in integers.on_grid().items()
    }
    neurons = IntegerNeurons(definition, on_grid, count)
    steps = len(input_TN.values_TN)
    is_graded = definition.output is not None
    kind = np.int64 if is_graded else np.bool_
    output_TN = np.zeros((steps + layer.delay, count), kind)
    bits = definition.unit_bits - WEIGHT_BITS - integers.exponent
    feedback = make_feedback(layer, weights, input_TN.bits, bits, is_graded=is_graded)
    last_N = np.zeros(count, kind)
    for first in range(0, steps, CHUNK_STEPS):
        chunk_TN = input_TN.values_TN[first : first + CHUNK_STEPS]
        arriving = [synaptic_input(layer, chunk_TN, weight) for weight in integers.weights]
        if feedback is None:
            arriving = [shift(each_TN, bits - input_TN.bits) for each_TN in arriving]
        for step, inputs in enumerate(zip(*arriving, strict=True), first + layer.delay):
            sums = inputs if feedback is None else feedback(inputs, last_N)
            last_N = output_TN[step] = neurons.step(*sums)
    output_TN = output_TN[:steps]
    if integers.delays is not None:
        output_TN = _later(output_TN, np.repeat(integers.delays, per_neuron))
    spikes = int(np.count_nonzero(output_TN))
    counts.append(LayerCounts(layer.name, spikes, neurons.wrapped, neurons.clipped))
    return Signal(output_TN, PAYLOAD_BITS if is_graded else 0)


def _later(values_TN: NDArray[Any], steps_N: NDArray[np.int32]) -> NDArray[Any]:
    """Returns each neuron's values ``steps_N`` steps later."""
    sources = np.arange(len(values_TN))[:, None] - steps_N
    values = np.take_along_axis(values_TN, np.maximum(sources, 0), axis=0)
    values[sources < 0] = 0
    return values


def _run_delay(layer: LayerNode, _weights: Weights, signal: Signal, _counts: object) -> Signal:
    assert isinstance(layer.section, layers.Delay)
    steps_N = np.full(signal.values_TN.shape[1], layer.section.steps, np.int32)
    return signal._replace(values_TN=_later(signal.values_TN, steps_N))


def _dense(
    _layer: SynapticNode, input_TI: NDArray[Any], weight_OI: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Returns the exact matrix product ``input_TI @ weight_OI.T``, [steps, outputs].

    If float64 is exact for these numbers, computes in float64, which is faster; otherwise in int64.
    """
    float_TI = input_TI.astype(np.float64)
    largest = float(np.abs(float_TI).max(initial=0)) * float(np.abs(weight_OI).max())
    if largest * weight_OI.shape[1] > MAX_EXACT_FLOAT64:
        return input_TI.astype(np.int64) @ weight_OI.T.astype(np.int64)
    return (float_TI @ weight_OI.T.astype(np.float64)).astype(np.int64)


def _run_neurons(
    layer: SynapticNode, weights: Weights, signal: Signal, counts: list[LayerCounts]
) -> Signal:
    """Runs neurons that read one value each. The input of the network is rounded to the grid."""
    values_TN, input_bits = signal
    if INPUT in layer.inputs:
        on_grid = quantize((values_TN / (1 << input_bits)).astype(np.float32), 8)
        signal = Signal(on_grid, WEIGHT_BITS)

    def scale_and_shift(
        _layer: SynapticNode, chunk_TN: NDArray[Any], numbers: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        weight, bias = numbers.astype(np.int64)
        return chunk_TN.astype(np.int64) * weight + (bias << signal.bits)

    return _run_synaptic(scale_and_shift, layer, weights, signal, counts)


RUNNERS: dict[type[layers.LayerSection], Callable[..., Signal]] = {
    **dict.fromkeys((layers.Flatten, layers.Reshape, layers.Concat), _run_view),
    **dict.fromkeys((layers.MaxPool, layers.AveragePool), _run_pool),
    layers.PopulationAverage: _run_average,
    layers.TimeDecimation: _run_decimation,
    layers.Delay: _run_delay,
    layers.Dense: functools.partial(_run_synaptic, _dense),
    **dict.fromkeys(
        (layers.Conv, layers.ConvTranspose, layers.SumPool, layers.Upsample),
        functools.partial(_run_synaptic, convolve),
    ),
    layers.Neurons: _run_neurons,
    layers.Recurrent: functools.partial(_run_synaptic, _dense),
    layers.WinnerTakeAll: functools.partial(_run_synaptic, _dense),
}
"""Maps the class of a section to the function that computes a layer's output and appends to the
counts."""
