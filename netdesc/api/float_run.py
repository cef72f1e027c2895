"""Runs a network in floats, and compares and classifies its output."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.api.compile import Compiled, OpenedNetwork
from netdesc.api.recording import bin_events, read_recording
from netdesc.api.run_result import (
    Classification,
    Result,
    TargetComparison,
    layer_spikes,
    nonzero_outputs,
)
from netdesc.description.models.data import Pair
from netdesc.events import EventFileError
from netdesc.exchange.verification import run_model
from netdesc.losses import SILENT, build_classifier
from netdesc.losses.classifier import judged_values, most_active


def run_float(compiled: Compiled, input_TN: NDArray[np.float32]) -> Result:
    """Runs the network outside training on an input [steps, *input shape]."""
    output_TBN = run_model(compiled.model, input_TN)
    reports = compiled.model.engine_report()
    range_warnings = [
        f'layer "{report.name}": a state leaves the 24 bits of the device, whose output can differ'
        for report in reports
        if report.leaves_device_range
    ]
    counts = {report.name: report.spikes for report in reports}
    index, values = nonzero_outputs(output_TBN.numpy())
    layers = layer_spikes(compiled.graph, int(np.count_nonzero(input_TN)), counts)
    return Result(compiled.graph, len(input_TN), index, values, layers, range_warnings)


def judge(result: Result, opened: OpenedNetwork, pair: Pair | None) -> Result:
    """Adds the comparison with the target and the predicted class to a result.

    A ``.net`` file has neither. If each step has a class, predicts the class of most steps.
    """
    graph, description = result.graph, opened.description
    if description is not None and pair is not None and pair.target is not None:
        try:
            target = read_recording(description.resolve(pair.target.path))
            size = graph.output_steps, *graph.output_shape
            index, value, _ = bin_events(target, size, graph.output_step_ms, pair.target)
        except EventFileError as error:
            result.warnings.append(f"the output is not compared with the target: {error}")
        else:
            target_TN = np.zeros(size, np.float32)
            target_TN.reshape(-1)[index] = value
            comparison = _compare_with_target(opened.compiled, result.output_TN, target_TN)
            result = replace(result, comparison=comparison)
    if graph.classes is None or opened.is_imported:
        return result
    values = build_classifier(graph).values(torch.from_numpy(result.output_TN).unsqueeze(1))
    most = int(most_active(judged_values(values, torch.zeros(1))).item())
    prediction = None if most == SILENT else most
    return replace(result, classification=Classification(prediction, pair and pair.label))


def _compare_with_target(
    compiled: Compiled, output_TN: NDArray[Any], target_TN: NDArray[np.float32]
) -> TargetComparison:
    """Compares an output with its target, both [steps, *output shape]."""
    output_TBN = torch.from_numpy(output_TN.astype(np.float32)).unsqueeze(1)
    with torch.no_grad():
        loss = compiled.loss.of_output(output_TBN, torch.from_numpy(target_TN).unsqueeze(1))
    matched = int(np.count_nonzero((target_TN != 0) & (output_TN != 0)))
    return TargetComparison(loss.item(), int(np.count_nonzero(target_TN)), matched)
