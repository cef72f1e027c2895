"""Compares what a network computes in floats, in the device's integers and after an export."""

import contextlib
import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.exchange.errors import NetFileError
from netdesc.exchange.importer import import_net
from netdesc.graph import Graph, LayerNode, SynapticNode, build_graph
from netdesc.hardware import IntegerNetwork, Weights, layer_integers
from netdesc.hardware.synaptic_sums import MAX_EXACT_FLOAT32
from netdesc.kernels.cpu.runtime import memory_pool
from netdesc.kernels.fixed_point import DEVICE_STATE_LIMIT, STATE_UNIT, WEIGHT_UNIT
from netdesc.modules import Network

FEWEST_STEPS = 10
"""The fewest steps of the last layer, unless the sample is shorter."""

SHORT_LIMITS = (250, 100_000_000)
"""The most steps and the most operations at the end of training, if they leave steps enough."""

TRIED_SAMPLES = 4
"""The most samples that are tried for an output that is not that for silence."""

RANDOM_RATES, RANDOM_SEED = (0.2, 0.5, 1.0), 0
"""Random input spikes: spikes a neuron and step, tried in this order, and the seed."""

ROUNDING = "rounding", "their states are rounded differently"
"""The reason for a difference if there is no other, and its explanation."""

EMPTY_PROOF = "the proof is empty: the output is the same for silence (see netdesc explain ND405)"

EXACT_SUM = 2 * MAX_EXACT_FLOAT32 // (STATE_UNIT * WEIGHT_UNIT)
"""Largest exact float32 sum of graded outputs times weights, in threshold units.

The products are even numbers of the unit 2^-18.
"""

MAX_SHIFT = 8
"""Outputs that are equal so many steps earlier or later differ in timing only."""

Outputs = dict[str, NDArray[Any]]
"""Name of a layer -> its output [steps, neurons], bool, or float64 in threshold units."""

NamedInput = tuple[str, NDArray[np.float32]]
"""What an input is called, and its values [steps, *input shape]."""


@dataclass(frozen=True)
class VerifiedLayer:
    """The numbers of outputs that are not 0 in a layer of neurons, over all steps.

    ``exported`` is None if there is no export.
    """

    layer: str
    neurons: int
    float: int
    integer: int
    exported: int | None = None


@dataclass(frozen=True)
class RunDifference:
    """The first step and layer in which two of the three runs differ, and the first neuron there.

    ``runs`` names the two runs, of ``float``, ``integer`` and ``exported``, ``values`` are their
    outputs. ``reason`` is ``24-bit wrap``, ``24-bit clip``, ``timing``, ``file`` (the export holds
    other integers), ``float32`` (sums are too large for it) or ``rounding``; ``explanation`` is a
    sentence without its full stop.
    """

    runs: tuple[str, str]
    step: int
    layer: str
    neuron: int
    values: tuple[float, float]
    reason: str
    explanation: str


@dataclass(frozen=True)
class Verification:
    """The comparison of the float run, the integer run, and the integer run of the export.

    ``input`` says what the network ran on. ``export_problem`` says why there is no export; empty if
    there is one. ``warnings`` are those of the network, of its input and of its export. The proof
    is ``empty`` if the output is the same for silence: then no input reached what was compared.
    """

    input: str
    steps: int
    layers: list[VerifiedLayer]
    differences: list[RunDifference]
    export_problem: str
    warnings: list[str]
    empty: bool = False

    @property
    def is_identical(self) -> bool:
        """Whether all runs gave the same outputs in every layer, step and neuron."""
        return not self.differences

    @property
    def summary(self) -> str:
        """One or two clauses: all is identical, or where two runs first differ, and why."""
        if self.is_identical:
            runs = "floats and integers" if self.export_problem else "floats, integers and export"
            text = f"{runs} give the same outputs in {self.steps:,} steps of {self.input}"
            silent = " and ".join(f'"{each.layer}"' for each in self.layers if not each.float)
            text += silent and f", which are 0 in {silent}"
            return f"{text}; {EMPTY_PROOF}" if self.empty else text
        return "; ".join(
            f"{each.runs[0]} and {each.runs[1]} first differ in step {each.step} of {self.input}, "
            f'in neuron {each.neuron} of layer "{each.layer}": {each.values[0]:.10g} and '
            f"{each.values[1]:.10g}; {each.reason}: {each.explanation}"
            for each in self.differences
        )

    @property
    def record(self) -> dict[str, Any]:
        """The fields as JSON, as ``--json`` prints them and ``run.json`` holds them."""
        return {"identical": self.is_identical, "summary": self.summary, **asdict(self)}


def verify_shortly(
    model: Network, exported: Path | None, part: str, samples_TBN: torch.Tensor
) -> Verification:
    """Compares the runs of ``model`` and of its export on the first steps of a sample of ``part``.

    See ``compare_with_effect``. The steps are so few that this takes less than a second.
    """
    steps = limit_steps(model.graph, *SHORT_LIMITS)
    inputs = sample_inputs(part, samples_TBN[:steps].cpu().numpy())
    return compare_with_effect(model, exported, inputs)


def sample_inputs(part: str, samples_TBN: NDArray[np.float32]) -> Iterator[NamedInput]:
    """Yields the samples, and then random spikes that are as long."""
    for number in range(samples_TBN.shape[1]):
        yield f"{part} sample {number}", samples_TBN[:, number]
    yield from random_inputs((len(samples_TBN), *samples_TBN.shape[2:]))


def random_inputs(shape: tuple[int, ...]) -> Iterator[NamedInput]:
    """Yields random spikes [steps, *input shape], of rising rates."""
    random_TN = np.random.default_rng(RANDOM_SEED).random(shape)
    for rate in RANDOM_RATES:
        name = f"random spikes of seed {RANDOM_SEED} and rate {rate:g}"
        yield name, (random_TN < rate).astype(np.float32)


def compare_with_effect(
    model: Network, exported: Path | None, inputs: Iterable[NamedInput]
) -> Verification:
    """Compares the runs on the first input for which an output that is learnt is not that for
    silence; on the first input if there is none, and then the proof is ``empty``.
    """
    graph, silent = model.graph, Outputs()
    learnt = {graph.output[0], *(graph.signal_of(loss)[0] for loss in graph.losses)}
    first_input: NamedInput | None = None
    memory_pool.release()
    for name, input_TN in inputs:
        first_input = first_input or (name, input_TN)
        silent = silent or _run_float(model, np.zeros_like(input_TN))
        outputs = _run_float(model, input_TN)
        if any(not np.array_equal(outputs[layer], silent[layer]) for layer in learnt):
            weak = f"{first_input[0]}: the output is the same for silence; {name} takes its place"
            result = compare_runs(model, exported, input_TN)
            return replace(result, input=name, warnings=[weak] if name != first_input[0] else [])
    assert first_input is not None, "callers pass an input"
    name, input_TN = first_input
    result = compare_runs(model, exported, input_TN)
    return replace(result, input=name, warnings=[f"{name}: {EMPTY_PROOF}"], empty=True)


def limit_steps(graph: Graph, most: int, operations: int) -> int:
    """Returns a number of steps up to these limits, but enough for outputs to arrive."""
    factor = math.ceil(max(layer.step_ms for layer in graph.layers) / graph.step_ms)
    delay = sum(layer.delay for layer in graph.layers)
    return max((delay + FEWEST_STEPS) * factor, min(most * factor, operations // graph.synapses))


@torch.no_grad()
def run_model(model: Network, input_TN: NDArray[np.float32]) -> torch.Tensor:
    """Runs the torch module outside training, on its device, on an input [steps, *input shape].

    Returns the output [steps, 1, *shape], on the CPU.
    """
    device = next(model.parameters()).device
    with model.evaluating():
        return model(torch.from_numpy(input_TN).unsqueeze(1).to(device)).cpu()


def compare_runs(
    model: Network, exported: Path | None, input_TN: NDArray[np.float32]
) -> Verification:
    """Compares the runs of ``model`` and of its export on an input [steps, *input shape]."""
    graph, weights = model.graph, model.folded_state()
    runs = {"float": _run_float(model, input_TN)}
    memory_pool.release()
    runs["integer"] = _run_integer(graph, weights, input_TN)
    copy = graph, weights
    if exported is not None:
        imported = import_net(exported)
        copy = build_graph(imported.document), imported.weights
        shapes, needed = (
            [network.input_shape, *(layer.output_shape for layer in network.layers)]
            for network in (copy[0], graph)
        )
        if [*map(math.prod, shapes)] != [*map(math.prod, needed)]:
            raise NetFileError(exported, "this file holds another network: export it again")
        outputs = _run_integer(*copy, input_TN).values()
        runs["exported"] = dict(zip(runs["integer"], outputs, strict=True))
    differences: list[RunDifference] = []
    for first, second in itertools.pairwise(runs):
        ours, others = runs[first], runs[second]
        starts = [
            (step, number, neuron)
            for number, layer in enumerate(graph.layers)
            for step, neuron in np.argwhere(ours[layer.name] != others[layer.name])[:1].tolist()
        ]
        if not starts:
            continue
        step, number, neuron = min(starts)
        layer = graph.layers[number]
        first_TN, second_TN = ours[layer.name], others[layer.name]
        reason = _time_shift(first_TN, second_TN, (first, second))
        if reason is None and second == "integer":
            reason = _float_fault(model, input_TN[: step + 1], layer, neuron) or ROUNDING
        reason = reason or _file_fault(graph, weights, copy, number)
        values = float(first_TN[step, neuron]), float(second_TN[step, neuron])
        differences += [RunDifference((first, second), step, layer.name, neuron, values, *reason)]
    layers: list[VerifiedLayer] = []
    for layer in graph.neuron_layers:
        counts = (int(np.count_nonzero(outputs[layer.name])) for outputs in runs.values())
        layers.append(VerifiedLayer(layer.name, layer.neurons, *counts))
    return Verification("", len(input_TN), layers, differences, "", [])


def _run_float(model: Network, input_TN: NDArray[np.float32]) -> Outputs:
    outputs: Outputs = {}

    def keep(name: str, _layer: object, _inputs: object, output_TBN: torch.Tensor) -> None:
        outputs[name] = _compact(output_TBN.flatten(2)[:, 0].cpu().numpy())

    with contextlib.ExitStack() as hooks:
        for name in (layer.name for layer in model.graph.layers):
            hook = model.layers[name].register_forward_hook(functools.partial(keep, name))
            hooks.callback(hook.remove)
        run_model(model, input_TN)
    return outputs


def _run_integer(graph: Graph, weights: Weights, input_TN: NDArray[np.float32]) -> Outputs:
    pieces: dict[str, list[NDArray[Any]]] = {layer.name: [] for layer in graph.layers}
    for outputs in IntegerNetwork(graph, weights).stream(input_TN):
        for name, values_TN in outputs.items():
            pieces[name].append(_compact(values_TN))
    return {name: np.concatenate(each) for name, each in pieces.items()}


def _compact(values_TN: NDArray[Any]) -> NDArray[Any]:
    spikes_TN = values_TN.astype(np.bool_)
    return spikes_TN if (values_TN == spikes_TN).all() else values_TN


def _time_shift(
    first_TN: NDArray[Any], second_TN: NDArray[Any], names: tuple[str, str]
) -> tuple[str, str] | None:
    """Says by how many steps one of two outputs is later; None if they differ in other ways."""
    orders = (first_TN, second_TN, names[1]), (second_TN, first_TN, names[0])
    for shift in range(1, min(MAX_SHIFT, len(first_TN) - 1) + 1):
        for early_TN, late_TN, late in orders:
            is_shifted = np.array_equal(early_TN[:-shift], late_TN[shift:])
            if is_shifted and early_TN[:-shift].any() and not late_TN[:shift].any():
                steps = "1 step" if shift == 1 else f"{shift} steps"
                return "timing", f"the {late} output is the same, {steps} later"
    return None


def _file_fault(
    graph: Graph, weights: Weights, copy: tuple[Graph, Weights], number: int
) -> tuple[str, str]:
    """Names the integers of a layer that the file holds otherwise."""
    layer, other = graph.layers[number], copy[0].layers[number]
    names: list[str] = []
    if isinstance(layer, SynapticNode) and isinstance(other, SynapticNode):
        ours, theirs = (
            {
                **dict(zip(each.weight_names, integers.weights, strict=True)),
                **integers.on_grid(),
                "delay": np.zeros(1) if integers.delays is None else integers.delays,
            }
            for each, state in ((layer, weights), (other, copy[1]))
            for integers in (layer_integers(each, state),)
        )
        names = [name for name in ours if np.any(ours[name] != theirs.get(name))]
    return "file", f"the file has another {' and '.join(names) or 'layer'}"


def _float_fault(
    model: Network, input_TN: NDArray[np.float32], layer: LayerNode, neuron: int
) -> tuple[str, str] | None:
    """Says which state of the neuron left the device's 24 bits, or that its input is graded, whose
    sums float32 may round. Returns None if neither is so.
    """
    if not isinstance(layer, SynapticNode):
        return None
    definition = layer.neuron.definition()
    with model.record(layer.name) as recording:
        run_model(model, input_TN)
    for name, states_TBN in recording[layer.name].states.items():
        states_T = states_TBN.flatten(2)[:, 0, neuron].cpu().numpy()
        beyond = np.flatnonzero(np.abs(states_T) * 2.0**definition.unit_bits > DEVICE_STATE_LIMIT)
        if len(beyond):
            rule = "wrap" if name in definition.wrapped else "clip"
            most = DEVICE_STATE_LIMIT / 2**definition.unit_bits
            return f"24-bit {rule}", (
                f"state {name} is {states_T[beyond[0]]:,.6g} in step {beyond[0]}, and the device "
                f"holds up to {most:,.6g} and {rule}s what is beyond"
            )
    for each_TBN in recording[layer.name].inputs.values():
        sums_T = each_TBN.flatten(2)[:, 0, neuron]
        if (sums_T * WEIGHT_UNIT % 1).any():  # sums of spikes are multiples, which are exact
            return "float32", (
                "float32 rounds sums of graded outputs times weights of which a part is beyond "
                f"{EXACT_SUM}, and integers do not: train with smaller weights or smaller outputs"
            )
    return None
