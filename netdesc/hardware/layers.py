"""What each kind of layer computes of a chunk of steps, in integers, after the chunks before."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import INPUT, LayerNode, SynapticNode, layers
from netdesc.hardware.clocks import Clock
from netdesc.hardware.integer_neurons import PAYLOAD_BITS, IntegerNeurons, runs_compiled
from netdesc.hardware.integers import (
    WEIGHT_BITS,
    Weights,
    layer_integers,
    quantize,
    recurrent_integers,
)
from netdesc.hardware.synaptic_sums import SynapticSums


class Signal(NamedTuple):
    """What a layer hands on [steps, neurons]: integers in units of 2 to the power of -``bits``."""

    values_TN: NDArray[Any]
    bits: int


def align(signals: Sequence[Signal]) -> tuple[list[NDArray[Any]], int]:
    """Returns the values of signals in the smallest of their units, and its bits."""
    bits = max(signal.bits for signal in signals)
    if all(signal.bits == bits for signal in signals):
        return [signal.values_TN for signal in signals], bits
    return [one.values_TN.astype(np.int64) << (bits - one.bits) for one in signals], bits


def join(layer: LayerNode, signals: Sequence[Signal]) -> Signal:
    """Returns the input of a layer that reads ``signals``."""
    if len(signals) == 1:
        return signals[0]
    values, bits = align(signals)
    if layer.section.sums_inputs:
        return Signal(np.add.reduce(values, dtype=np.int64), bits)
    section, steps = cast("layers.Concat", layer.section), len(values[0])
    before = math.prod(layer.input_shape[: section.axis])
    rows = [part.reshape(steps, before, part.shape[1] // before) for part in values]
    return Signal(np.concatenate(rows, axis=2).reshape(steps, math.prod(layer.input_shape)), bits)


LayerRun = Callable[[Signal, bool], Signal]
"""Computes a layer's output of a chunk. The flag says whether it is the last one."""


def _mean(total: NDArray[np.int64], count: int, bits: int) -> Signal:
    """Returns the total divided by ``count``, cut toward zero to a multiple of 2^-PAYLOAD_BITS."""
    units = total << (PAYLOAD_BITS - bits)
    return Signal(np.sign(units) * (np.abs(units) // count), PAYLOAD_BITS)


def _pool(layer: LayerNode, signal: Signal, _is_last: bool) -> Signal:
    section = cast("layers.Pooling", layer.section)
    kernel, stride, padding = section.window
    steps, count = len(signal.values_TN), math.prod(layer.output_shape)
    image = signal.values_TN.astype(np.int64).reshape(steps, *layer.input_shape)
    # Padding is no value of a maximum.
    edge = 0 if section.is_mean else np.iinfo(np.int64).min
    pads = ((0, 0), (0, 0), *((pad, pad) for pad in padding))
    padded = np.pad(image, pads, constant_values=edge)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1]]
    if section.is_mean:
        total = windows.sum(axis=(4, 5)).reshape(steps, count)
        return _mean(total, kernel[0] * kernel[1], signal.bits)
    return Signal(windows.max(axis=(4, 5)).reshape(steps, count), signal.bits)


def _average(layer: LayerNode, signal: Signal, _is_last: bool) -> Signal:
    values, (units,) = signal.values_TN.astype(np.int64), layer.output_shape
    groups = values.reshape(len(values), units, values.shape[1] // units)
    return _mean(groups.sum(axis=2), groups.shape[2], signal.bits)


class _Decimation:
    """Averages groups of steps. The steps of an incomplete group wait for the next chunk."""

    def __init__(self, layer: LayerNode) -> None:
        self._factor = layer.section.decimation
        self._waiting = Signal(np.zeros((0, math.prod(layer.output_shape)), np.int64), 0)

    def __call__(self, signal: Signal, is_last: bool) -> Signal:
        parts, bits = align([self._waiting, signal])
        values = np.concatenate(parts).astype(np.int64)
        if is_last:
            values = np.pad(values, ((0, -len(values) % self._factor), (0, 0)))
        end = len(values) // self._factor * self._factor
        self._waiting = Signal(values[end:], bits)
        groups = values[:end].reshape(-1, self._factor, values.shape[1])
        return _mean(groups.sum(axis=1), self._factor, bits)


class DelayLine:
    """Hands on the values of each neuron some steps later."""

    def __init__(self, steps_N: NDArray[Any]) -> None:
        self._steps_N, self._most = steps_N, int(steps_N.max())
        self._is_shared = bool((steps_N == self._most).all())
        self._past = Signal(np.zeros((self._most, len(steps_N)), np.bool_), 0)

    def __call__(self, signal: Signal, _is_last: bool = False) -> Signal:
        if self._most == 0:
            return signal
        parts, bits = align([self._past, signal])
        values, steps = np.concatenate(parts), len(signal.values_TN)
        self._past = Signal(values[steps:], bits)
        if self._is_shared:
            return Signal(values[:steps], bits)
        sources = np.arange(steps)[:, None] + (self._most - self._steps_N)
        return Signal(np.take_along_axis(values, sources, axis=0), bits)


class SynapticRun:
    """A layer of neurons: its synapses, its neurons and its delays."""

    def __init__(self, layer: SynapticNode, weights: Weights, clock: Clock) -> None:
        integers = layer_integers(layer, weights)
        definition, count = integers.definition, layer.neurons
        pixels = count // layer.channels
        on_grid = {
            name: np.repeat(value, pixels) if value.size == layer.channels else value
            for name, value in integers.on_grid().items()
        }
        recurrent = recurrent_integers(layer, weights)
        self.neurons = IntegerNeurons(definition, on_grid, count, recurrent)
        self._layer, self._clock, self._has_feedback = layer, clock, recurrent is not None
        self._one_to_one = layer.section.is_elementwise
        make = np.int64 if self._one_to_one else partial(SynapticSums, layer)
        self._synapses: list[Any] = [make(weight) for weight in integers.weights]
        self._bits = definition.unit_bits - WEIGHT_BITS - integers.exponent
        delays = np.zeros(count, np.int32)
        if integers.delays is not None:
            delays = np.repeat(integers.delays, pixels)
        # Lava delays what arrives at neurons. In training, their output is delayed.
        on_lava = clock.silent_steps is not None
        self._input_delays = [DelayLine(delays * on_lava) for _ in integers.weights]
        self._axonal_step = DelayLine(np.full(count, layer.delay))
        self._delay = DelayLine(delays * (not on_lava))
        kind, bits = (np.int64, PAYLOAD_BITS) if self.neurons.is_graded else (np.bool_, 0)
        self.fired = Signal(np.zeros((0, count), kind), bits)
        """The output of the last call after the axonal step and before the layer's delays."""

    def __call__(self, signal: Signal, _is_last: bool) -> Signal:
        steps, neurons = len(signal.values_TN), self.neurons
        if steps == 0:
            self.fired = Signal(self.fired.values_TN[:0], self.fired.bits)
            return self.fired
        is_compiled = runs_compiled(steps)
        if self._one_to_one:
            if INPUT in self._layer.inputs:  # values that are rounded to the grid
                values = (signal.values_TN / (1 << signal.bits)).astype(np.float32)
                signal = Signal(quantize(values, 8), WEIGHT_BITS)
            values_TN, pairs = signal.values_TN.astype(np.int64), self._synapses
            sums = [values_TN * weight + (bias << signal.bits) for weight, bias in pairs]
        else:
            sums = [synapses(signal.values_TN, is_compiled) for synapses in self._synapses]
        delays = zip(self._input_delays, sums, strict=True)
        arriving, bits = align([delay(Signal(sum_TN, signal.bits)) for delay, sum_TN in delays])
        if self._has_feedback:
            arriving, bits = [sum_TN << (PAYLOAD_BITS - bits) for sum_TN in arriving], PAYLOAD_BITS
        resets_T = self._clock.next_resets(steps)
        output_TN = neurons.run(arriving, self._bits - bits, resets_T, is_compiled=is_compiled)
        self.fired = self._axonal_step(Signal(output_TN, self.fired.bits))
        return self._delay(self.fired)


RUNS: dict[type[layers.LayerSection], Callable[[LayerNode], LayerRun]] = {
    **dict.fromkeys(
        (layers.Flatten, layers.Reshape, layers.Concat), lambda _layer: lambda signal, _: signal
    ),
    **dict.fromkeys((layers.MaxPool, layers.AveragePool), lambda layer: partial(_pool, layer)),
    layers.PopulationAverage: lambda layer: partial(_average, layer),
    layers.TimeDecimation: _Decimation,
    layers.Delay: lambda layer: DelayLine(
        np.full(math.prod(layer.output_shape), layer.section.own_delay)
    ),
}
"""Maps the class of a section without synapses to what makes its run, from the layer."""
