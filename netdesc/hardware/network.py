"""Runs a network in the device's integers. The results equal the results of the device exactly."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import INPUT, Graph
from netdesc.hardware.clocks import Resets, Timing, make_clocks
from netdesc.hardware.integer_neurons import PAYLOAD_BITS
from netdesc.hardware.integers import Weights
from netdesc.hardware.layers import RUNS, LayerRun, Signal, SynapticRun, join
from netdesc.kernels.fixed_point import STATE_UNIT

MAX_SPIKE = 1 << 23
"""Largest magnitude of an input value."""

CHUNK_STEPS = 256
MAX_CHUNK_NUMBERS = 1 << 22
"""Limits of a chunk: its steps, and its steps times the neurons of the largest layer."""

NO_RESETS = Resets()


@dataclass(frozen=True)
class LayerCounts:
    """Totals over all neurons and steps of a layer.

    ``spikes`` counts the outputs that are not 0, before the layer's delays. ``exceeded`` counts for
    each state how often it exceeded 24 bits, and wrapped around or was clipped. If one of these
    numbers is above 0, the torch network can give other spikes, because its states have a larger
    range.
    """

    layer: str
    spikes: int
    exceeded: dict[str, int]


class IntegerNetwork:
    """A network on the device, which runs its input in chunks of steps.

    Its neurons keep their states from chunk to chunk: chunks of any lengths give the output of one
    run, and the memory does not depend on the number of steps.

    >>> network = IntegerNetwork(graph, weights, resets=Resets(interval=100))
    >>> for chunk_TN in chunks:
    ...     spikes_TN = network.run(chunk_TN)
    >>> network.counts[0].spikes
    1862
    """

    def __init__(
        self,
        graph: Graph,
        weights: Weights,
        timing: Timing = "training",
        resets: Resets = NO_RESETS,
    ) -> None:
        """With the timing "lava", biases act before the input arrives, as on Lava.

        ``weights`` are those of a state dict. Raises HardwareError (a ValueError) if the device
        cannot store a layer.
        """
        self.graph = graph
        self._clocks = make_clocks(graph, timing, resets)
        self._neurons = {
            layer.name: SynapticRun(layer, weights, self._clocks[layer.name])
            for layer in graph.neuron_layers
        }
        self._runs: dict[str, LayerRun] = {
            layer.name: self._neurons.get(layer.name) or RUNS[type(layer.section)](layer)
            for layer in graph.layers
        }
        self._spikes = dict.fromkeys(self._neurons, 0)
        self._steps, self._has_begun = 0, False

    @property
    def counts(self) -> list[LayerCounts]:
        """The counts of each layer of neurons so far, in the order of the graph."""
        runs = self._neurons.items()
        return [LayerCounts(name, self._spikes[name], run.neurons.exceeded) for name, run in runs]

    @property
    def states(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        """The states of each layer after the last step, [neurons] each in state units."""
        return {name: run.neurons.states for name, run in self._neurons.items()}

    @property
    def chunk_steps(self) -> int:
        """The number of steps of a chunk that takes little memory and little time."""
        shapes = [self.graph.input_shape, *(layer.output_shape for layer in self.graph.layers)]
        return max(1, min(CHUNK_STEPS, MAX_CHUNK_NUMBERS // max(map(math.prod, shapes))))

    def run(self, input_TN: NDArray[Any]) -> NDArray[Any]:
        """Runs the next steps of the input. Returns their output [steps, neurons]: bool, whole
        numbers if it is a sum of layers, or float64 in threshold units if it is graded.

        ``input_TN`` holds spikes, whole numbers or multiples of 1/4096, [steps, neurons] or [steps,
        *input shape]. Raises ValueError if it does not fit. If a layer averages groups of steps,
        an incomplete group waits for the next steps, or for ``finish``.
        """
        return self.run_layers(input_TN)[self.graph.layers[-1].name]

    def finish(self) -> dict[str, NDArray[Any]]:
        """Returns what ``run_layers`` does, for incomplete groups of steps; often no steps."""
        empty = np.zeros((0, math.prod(self.graph.input_shape)), np.bool_)
        return self._run(Signal(empty, 0), is_last=True)

    def stream(self, input_TN: NDArray[Any]) -> Iterator[dict[str, NDArray[Any]]]:
        """Runs an input in chunks, and ``finish``. Yields for each what ``run_layers`` returns."""
        values = np.atleast_1d(input_TN)
        for first in range(0, max(1, len(values)), self.chunk_steps):
            yield self.run_layers(values[first : first + self.chunk_steps])
        yield self.finish()

    def run_all(self, input_TN: NDArray[Any]) -> NDArray[Any]:
        """Runs an input in chunks, and ``finish``. Returns the output, as ``run`` does."""
        output = self.graph.layers[-1].name
        return np.concatenate([outputs[output] for outputs in self.stream(input_TN)])

    def run_layers(self, input_TN: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Runs the next steps as ``run`` does. Returns the output of each layer by its name."""
        signal = _flat_input(input_TN, self.graph.input_shape, self._steps)
        outputs = self._run(signal, is_last=False)
        self._steps += len(signal.values_TN)
        return outputs

    def _run(self, signal: Signal, *, is_last: bool) -> dict[str, NDArray[Any]]:
        signals, silent = {INPUT: signal}, {INPUT: 0}
        outputs: dict[str, NDArray[Any]] = {}
        for layer in self.graph.layers:
            steps, clock = max(silent[name] for name in layer.inputs), self._clocks.get(layer.name)
            if not self._has_begun and clock is not None and clock.silent_steps is not None:
                steps = clock.silent_steps
            read = [_begin_earlier(signals[name], steps - silent[name]) for name in layer.inputs]
            output = self._runs[layer.name](join(layer, read), is_last)
            signals[layer.name], silent[layer.name] = output, steps
            values_TN, bits = output.values_TN[steps:], output.bits
            if layer.name in self._neurons:
                fired_TN = self._neurons[layer.name].fired.values_TN[steps:]
                self._spikes[layer.name] += int(np.count_nonzero(fired_TN))
            outputs[layer.name] = values_TN / (1 << bits) if bits else values_TN
        self._has_begun = True
        return outputs


def _begin_earlier(signal: Signal, steps: int) -> Signal:
    """Returns a signal with ``steps`` more silent steps in front, or fewer if it is negative."""
    values_TN = signal.values_TN
    if steps <= 0:
        return Signal(values_TN[-steps:], signal.bits)
    return Signal(np.pad(values_TN, ((steps, 0), (0, 0))), signal.bits)


def _flat_input(input_TN: NDArray[Any], shape: tuple[int, ...], steps_before: int) -> Signal:
    """Reshapes the input to [steps, neurons]. ValueError if its shape or a value does not fit."""
    values = np.asarray(input_TN)
    neurons = math.prod(shape)
    if values.ndim < 2 or values.shape[1:] not in (shape, (neurons,)):
        problem = f"[steps, {', '.join(map(str, shape))}] is needed"
        if values.T.shape[1:] in (shape, (neurons,)):
            problem += ": use its transpose, which fits"
        raise ValueError(f"the input has shape {list(values.shape)}; {problem}")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"the input holds {values.dtype}, not spikes")
    flat = np.ascontiguousarray(values.reshape(len(values), neurons))
    if values.dtype.kind == "b" or _fits(flat, 1).all():
        return Signal(flat, 0)
    graded = flat.astype(np.float64) * STATE_UNIT
    is_valid = _fits(graded, STATE_UNIT)
    if not is_valid.all():
        step, neuron = np.argwhere(~is_valid)[0].tolist()
        raise ValueError(
            f"the input at step {steps_before + step}, neuron {neuron} is {flat[step, neuron]}; "
            f"spikes are whole numbers up to {MAX_SPIKE}, graded ones multiples of 1/{STATE_UNIT}"
        )
    return Signal(graded, PAYLOAD_BITS)


def _fits(values_TN: NDArray[Any], unit: int) -> NDArray[np.bool_]:
    return (np.abs(values_TN) <= MAX_SPIKE * unit) & (values_TN == np.trunc(values_TN))
