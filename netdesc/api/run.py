"""Runs a network on one recording of events, in floats or in the device's integers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.api.compile import Compiled, OpenedNetwork, Source, open_network
from netdesc.api.recording import (
    Input,
    Recording,
    bin_events,
    find_pair,
    input_array,
    read_recording,
)
from netdesc.description.detect import is_net_file
from netdesc.description.models.document import MAX_STEPS
from netdesc.events import Event, EventFileError
from netdesc.events.binning import require_choice
from netdesc.exchange import ImportedNetwork, import_net
from netdesc.graph import Graph
from netdesc.hardware import simulate
from netdesc.losses import SILENT, build_classifier
from netdesc.training.confusion_counter import decide

Arithmetic = Literal["float", "integer"]


@dataclass(frozen=True)
class LayerSpikes:
    """The number of spikes of a layer, or of the input, over all neurons and steps."""

    layer: str
    neurons: int
    spikes: int


@dataclass(frozen=True)
class TargetComparison:
    """The comparison of the output with the document's target for this input."""

    loss: float
    target_spikes: int
    met: int
    """The number of target spikes that the output has in the same step and neuron."""


@dataclass(frozen=True)
class Classification:
    """The class that the network predicts, and the document's label for this input."""

    prediction: int | None
    """The predicted class; None if the output is silent."""
    label: int | None
    """The label; None if the document has no label for this input."""


@dataclass(frozen=True, eq=False)
class Result:
    """The output spikes of a network, bool [steps, *output shape], and measurements.

    ``comparison`` is None if the document has no target for the input. ``classification`` is None
    if the network does not classify. ``warnings`` give reasons why the output may be wrong.
    """

    graph: Graph
    steps: int
    """The number of steps of the input."""
    spikes_TN: NDArray[np.bool_]
    layers: list[LayerSpikes]
    comparison: TargetComparison | None
    classification: Classification | None
    warnings: list[str]


def run(network: Source, input: Input, arithmetic: Arithmetic = "float") -> Result:
    """Runs a network on one recording: a file of events or of an array, an ``Event``, or an array.

    ``network`` is anything that ``compile`` takes; a run has its best weights. If its document
    names the file ``input`` as an input, the document sets how the events are binned, and the
    output is compared with the document's target or label; if the target cannot be read, a warning
    says so. Events outside the network's neurons or steps are left out with the warning
    ``DroppedEvents``. Both are in ``warnings`` of the result. An array is [steps, neurons] or
    [steps, *input shape], of any number of steps, or [*input shape], such as an image that is held
    for all steps. EventFileError (a ValueError) if the recording does not fit, ValueError if
    ``arithmetic`` is unknown, TypeError if ``input`` has another type, the errors of ``compile`` if
    the network cannot be built.

    >>> result = netdesc.run("examples/oxford.json", "data/oxford/input.bs1")
    >>> result.spikes_TN.shape, result.comparison.target_spikes
    ((1900, 200), 10458)
    """
    require_choice(arithmetic, Arithmetic)
    recording = read_recording(input)
    opened = open_for(network, recording)
    compiled, description, *_ = opened
    graph = compiled.graph
    pair = find_pair(description, recording.path)
    input_TN, left_out = input_array(recording, graph, pair.input if pair else None)
    problems = opened.warnings + left_out
    spikes_TN, counts, range_warnings = _ENGINES[arithmetic](compiled, input_TN)
    layers = [LayerSpikes("input", input_TN[0].size, int(np.count_nonzero(input_TN)))]
    layers += [
        LayerSpikes(layer.name, int(np.prod(layer.output_shape)), counts[layer.name])
        for layer in graph.layers
        if layer.name in counts
    ]
    comparison = classification = None
    if description is not None and pair is not None and pair.target is not None:
        try:
            target = read_recording(description.resolve(pair.target.path))
            target_TN, _ = bin_events(target, graph.output_shape, graph, pair.target)
        except EventFileError as error:
            problems.append(f"the output is not compared with the target: {error}")
        else:
            comparison = _compare(compiled, spikes_TN, target_TN)
    if graph.classes is not None:
        classification = _classify(graph, spikes_TN, pair and pair.label)
    problems += range_warnings
    return Result(graph, len(input_TN), spikes_TN, layers, comparison, classification, problems)


def open_for(network: Source, recording: Recording | None) -> OpenedNetwork:
    """Compiles the network. That of a ``.net`` file gets steps enough for the recording."""
    imported = network
    if isinstance(network, str | Path) and is_net_file(Path(network)):
        imported = import_net(network)
    if isinstance(imported, ImportedNetwork) and recording is not None:
        return open_network(_with_enough_steps(imported, recording))
    return open_network(network)


def _with_enough_steps(imported: ImportedNetwork, recording: Recording) -> ImportedNetwork:
    """Chooses enough steps for the last event to reach the output, if their number is not given.

    EventFileError if more than ``MAX_STEPS`` steps are needed.
    """
    if not imported.steps_are_assumed:
        return imported
    event, step_ms = recording.data, imported.description["time"]["step_ms"]
    if not isinstance(event, Event):
        return imported
    last_ms = max(0.0, float(event.t.max())) if len(event) else 0.0
    steps = round(last_ms / step_ms) + 1 + len(imported.table)
    if steps > MAX_STEPS:
        raise EventFileError(
            recording.name,
            f"its last event is at {last_ms:,.10g} ms; the .net file does not say how long a "
            f"sample is, and {MAX_STEPS:,} steps of {step_ms:g} ms are the most",
        )
    time = {"steps": steps, "step_ms": step_ms}
    return replace(imported, description=imported.description | {"time": time})


class _ForwardResult(NamedTuple):
    spikes_TN: NDArray[np.bool_]
    counts: dict[str, int]
    """Name of a layer of neurons -> the number of its spikes."""
    range_warnings: list[str]


def _run_float(compiled: Compiled, input_TN: NDArray[np.float32]) -> _ForwardResult:
    counts: dict[str, int] = {}

    def count(name: str):
        def hook(_block: torch.nn.Module, _inputs: object, spikes_TBN: torch.Tensor) -> None:
            counts[name] = int(torch.count_nonzero(spikes_TBN))

        return hook

    hooks = [block.register_forward_hook(count(name)) for name, block in compiled.model.blocks()]
    was_training = compiled.model.training
    compiled.model.eval()
    compiled.model.reset_state()
    with torch.no_grad():
        output_TBN = compiled.model(torch.from_numpy(input_TN).unsqueeze(1))
    compiled.model.train(was_training)
    for hook in hooks:
        hook.remove()
    range_warnings = [
        f'layer "{report.name}": a state leaves the 24 bits of the device, whose output can differ'
        for report in compiled.model.engine_report()
        if report.leaves_device_range
    ]
    return _ForwardResult(output_TBN[:, 0].numpy() != 0, counts, range_warnings)


def _run_integer(compiled: Compiled, input_TN: NDArray[np.float32]) -> _ForwardResult:
    integer = simulate(compiled.graph, compiled.model.folded_state(), input_TN)
    range_warnings = [
        f'layer "{run.layer}": state "{state}" left the 24 bits of the device {count} times; '
        "a float run, which has no such limit, can differ"
        for run in integer.counts
        for state, count in (run.wrapped | run.clipped).items()
        if count
    ]
    shape = (len(input_TN), *compiled.graph.output_shape)
    counts = {run.layer: run.spikes for run in integer.counts}
    return _ForwardResult((integer.output_TN != 0).reshape(shape), counts, range_warnings)


_ENGINES = {"float": _run_float, "integer": _run_integer}


def _compare(
    compiled: Compiled, spikes_TN: NDArray[np.bool_], target_TN: NDArray[np.float32]
) -> TargetComparison:
    output_TBN = torch.from_numpy(spikes_TN.astype(np.float32)).unsqueeze(1)
    with torch.no_grad():
        loss = compiled.loss.of_output(output_TBN, torch.from_numpy(target_TN).unsqueeze(1))
    return TargetComparison(
        loss=loss.item(),
        target_spikes=int(np.count_nonzero(target_TN)),
        met=int(np.count_nonzero((target_TN != 0) & spikes_TN)),
    )


def _classify(graph: Graph, spikes_TN: NDArray[np.bool_], label: int | None) -> Classification:
    """Predicts the class of the sample: if each step has a class, the class of most steps."""
    assert graph.classes is not None
    output_TBN = torch.from_numpy(spikes_TN).unsqueeze(1)
    any_label = torch.zeros(1, dtype=torch.int64)
    prediction = decide(build_classifier(graph)(output_TBN), any_label, graph.classes).item()
    return Classification(None if prediction == SILENT else int(prediction), label)
