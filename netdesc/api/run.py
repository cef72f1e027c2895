"""Runs a network on one recording of events, in floats or in the device's integers.

Importing this module loads no torch, which the integer run of a ``.net`` file does not need.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from netdesc.api.encode import encode
from netdesc.api.recording import (
    Input,
    Recording,
    find_pair,
    input_array,
    input_chunks,
    read_recording,
)
from netdesc.api.run_result import Result, layer_spikes, nonzero_outputs
from netdesc.description.models.document import MAX_STEPS
from netdesc.description.source import is_network_file
from netdesc.events import Event, EventFileError
from netdesc.events.binning import require_choice
from netdesc.exchange.formats import read_network
from netdesc.exchange.importer import STEP_MS_WARNING, ImportedNetwork
from netdesc.graph import build_graph
from netdesc.hardware import FoldedModel, IntegerNetwork, Resets, Timing

if TYPE_CHECKING:
    from netdesc.api.compile import OpenedNetwork, Source
    from netdesc.description.models.data import EventFile

Arithmetic = Literal["float", "integer"]


def run(
    network: Source,
    input: Input,
    arithmetic: Arithmetic = "float",
    *,
    timing: Timing = "training",
    reset_interval: int | None = None,
    reset_offset: int | None = None,
) -> Result:
    """Runs a network on one recording: a file of events or of an array, an ``Event``, or an array.

    ``network`` is anything that ``compile`` takes; a run has its best weights. If its document
    names the file ``input`` as an input, the document sets how the events are binned, and the
    output is compared with the document's target or label; if the target cannot be read, a warning
    says so. Events outside the network's neurons or steps are left out with the warning
    ``DroppedEvents``. Both are in ``warnings`` of the result. An array is encoded as the samples of
    the network's data if it has their shape; a random encoding draws with seed 0. Other arrays are
    the input itself: [steps, neurons] or [steps, *input shape], of any number of steps, or [*input
    shape], which is held for all steps. ``timing``, ``reset_interval`` and ``reset_offset`` are
    those of ``run_integer``. EventFileError (a ValueError) if the recording does not fit,
    ValueError if ``arithmetic`` is unknown or has no such timing or resets, TypeError if ``input``
    has another type, the errors of ``compile`` if the network cannot be built.

    >>> result = netdesc.run("examples/oxford.json", "data/oxford/input.bs1")
    >>> result.spikes_TN.shape, result.comparison.target_spikes
    ((1900, 200), 10458)
    """
    require_choice(arithmetic, Arithmetic)
    resets, is_integer = Resets(reset_interval, reset_offset), arithmetic == "integer"
    if not is_integer and (timing, reset_interval) != ("training", None):
        raise ValueError('timing and resets are those of the device: choose arithmetic "integer"')
    recording = read_recording(input)
    imported = _import(network)
    if is_integer and imported is not None:  # which needs no torch
        graph = build_graph(imported.document)
        graph = replace(graph, steps=_needed_steps(imported, recording) or graph.steps)
        problems = [*imported.warnings, *([STEP_MS_WARNING] * imported.step_ms_is_assumed)]
        device = IntegerNetwork(graph, imported.weights, timing, resets)
        return _run_integer(device, recording, None, problems)
    opened = open_for(imported or network, recording)
    model = opened.compiled.model
    recording, problems = encode(opened, recording)
    problems = [*opened.warnings, *problems]
    pair = find_pair(opened.description, recording.path)
    file = pair.input if pair else None
    from netdesc.api.float_run import judge, run_float

    if is_integer:
        device = IntegerNetwork(model.graph, model.folded_state(), timing, resets)
        return judge(_run_integer(device, recording, file, problems), opened, pair)
    input_TN, left_out = input_array(recording, model.graph, file)
    result = run_float(opened.compiled, input_TN)
    result = replace(result, warnings=[*problems, *left_out, *result.warnings])
    return judge(result, opened, pair)


def _run_integer(
    network: IntegerNetwork, recording: Recording, file: EventFile | None, problems: list[str]
) -> Result:
    chunks, left_out = input_chunks(recording, network.graph, file, network.chunk_steps)
    steps = input_spikes = first = 0
    output, indices, values = network.graph.output[0], list[Any](), list[Any]()

    def keep(output_TN: NDArray[Any]) -> None:
        nonlocal first
        index, value = nonzero_outputs(output_TN)
        indices.append(index + first)
        values.append(np.ones(len(index)) if value is None else value)
        first += output_TN.size

    for chunk_TN in chunks:
        steps += len(chunk_TN)
        input_spikes += int(np.count_nonzero(chunk_TN))
        keep(network.run(chunk_TN))
    keep(network.finish()[output])
    range_warnings = [
        f'layer "{run.layer}": state "{state}" left the 24 bits of the device {count} times; '
        "a float run, which has no such limit, can differ"
        for run in network.counts
        for state, count in run.exceeded.items()
        if count
    ]
    counts = {run.layer: run.spikes for run in network.counts}
    layers = layer_spikes(network.graph, input_spikes, counts)
    value = np.concatenate(values)
    graded = None if (value == 1).all() else value
    index = np.concatenate(indices)
    warnings = [*problems, *left_out, *range_warnings]
    return Result(network.graph, steps, index, graded, layers, warnings)


def _import(network: Source) -> ImportedNetwork | None:
    if isinstance(network, str | Path) and is_network_file(Path(network)):
        return read_network(network)
    return network if isinstance(network, ImportedNetwork) else None


def open_for(network: Source, recording: Recording | None) -> OpenedNetwork:
    """Compiles the network. That of a network file gets steps enough for the recording.

    EventFileError if more than ``MAX_STEPS`` steps are needed.
    """
    from netdesc.api.compile import open_network

    imported = _import(network)
    if imported is None or recording is None:
        return open_network(imported or network)
    steps = _needed_steps(imported, recording)
    if steps is None:
        return open_network(imported)
    time = imported.description["time"] | {"steps": steps}
    if steps > MAX_STEPS:
        assert isinstance(recording.data, Event)
        raise EventFileError(
            recording.name,
            f"its last event is at {recording.data.t.max():,.10g} ms; the file does not say "
            f"how long a sample is, and {MAX_STEPS:,} steps of {time['step_ms']:g} ms are the most "
            "outside the integer run",
        )
    return open_network(replace(imported, description=imported.description | {"time": time}))


def _needed_steps(imported: ImportedNetwork, recording: Recording) -> int | None:
    """Returns the steps until the last event can reach the output, if the file has no number."""
    event, step_ms = recording.data, imported.description["time"]["step_ms"]
    if not imported.steps_are_assumed or not isinstance(event, Event):
        return None
    last_ms = max(0.0, float(event.t.max())) if len(event) else 0.0
    return round(last_ms / step_ms) + 1 + len(imported.table)


def run_integer(
    network: str | Path | FoldedModel,
    input_TN: NDArray[Any],
    *,
    timing: Timing = "training",
    reset_interval: int | None = None,
    reset_offset: int | None = None,
) -> NDArray[Any]:
    """Computes the output with the device's integer arithmetic.

    ``network`` is a network file, or the ``model`` that ``netdesc.compile`` returns. ``input_TN``
    holds spikes, integers or multiples of 1/4096, [steps, neurons] or [steps, *input shape], for
    any number of steps of the network's length, which the computation does not depend on. Returns
    bool [steps, neurons], integers if the output is a sum of layers, or float64 in threshold units
    if it is graded. NetFileError if the file is invalid, HardwareError if the device cannot hold
    the network, ValueError if the input does not fit, TypeError if ``network`` is something else.

    With the ``timing`` "lava", biases act before the input reaches a layer, as on Lava. After each
    ``reset_interval`` steps, all states are set to 0; ``reset_offset`` is as in netx, and by
    default such that this happens in each layer when a sample of so many steps begins. Spikes that
    are delayed, or that a recurrent layer reads, still reach the next sample, as on Lava, and
    biases act only after their layer's reset. To run an input in chunks, see
    ``netdesc.hardware.IntegerNetwork``.

    >>> netdesc.run_integer(compiled.model, input_TBN[:, 0].numpy()).shape
    (1900, 200)
    """
    resets = Resets(reset_interval, reset_offset)
    if isinstance(network, str | Path):
        imported = read_network(network)
        graph, weights = build_graph(imported.document), imported.weights
    elif hasattr(network, "folded_state"):
        graph, weights = network.graph, network.folded_state()
    else:
        raise TypeError(
            f"a network file or a model is needed, not {type(network).__name__}; "
            "netdesc.compile(…).model is the model of a run or of a document"
        )
    return IntegerNetwork(graph, weights, timing, resets).run_all(input_TN)
