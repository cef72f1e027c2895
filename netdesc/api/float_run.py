"""Runs a network in floats, and compares and classifies its output."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.api import run_result
from netdesc.api.compile import Compiled
from netdesc.exchange.verification import run_model
from netdesc.graph import Graph
from netdesc.losses import SILENT, build_classifier
from netdesc.losses.classifier import judged_values, most_active


def run_float(compiled: Compiled, input_TN: NDArray[np.float32]) -> run_result.Result:
    """Runs the network outside training on an input [steps, *input shape]."""
    output_TBN = run_model(compiled.model, input_TN)
    reports = compiled.model.engine_report()
    range_warnings = [
        f'layer "{report.name}": a state leaves the 24 bits of the device, whose output can differ'
        for report in reports
        if report.leaves_device_range
    ]
    counts = {report.name: report.spikes for report in reports}
    index, values = run_result.nonzero_outputs(output_TBN.numpy())
    layers = run_result.layer_spikes(compiled.graph, int(np.count_nonzero(input_TN)), counts)
    return run_result.Result(compiled.graph, len(input_TN), index, values, layers, range_warnings)


def compare_with_target(
    compiled: Compiled, found_TN: NDArray[Any], target_TN: NDArray[np.float32]
) -> run_result.TargetComparison:
    """Compares an output with its target, [steps, *output shape] each."""
    output_TBN = torch.from_numpy(found_TN.astype(np.float32)).unsqueeze(1)
    with torch.no_grad():
        loss = compiled.loss.of_output(output_TBN, torch.from_numpy(target_TN).unsqueeze(1))
    met = int(np.count_nonzero((target_TN != 0) & (found_TN != 0)))
    return run_result.TargetComparison(loss.item(), int(np.count_nonzero(target_TN)), met)


def classify(graph: Graph, found_TN: NDArray[Any], label: int | None) -> run_result.Classification:
    """Predicts the class of the sample: if each step has a class, the class of most steps."""
    assert graph.classes is not None
    output_TBN = torch.from_numpy(found_TN).unsqueeze(1)
    values = judged_values(build_classifier(graph).values(output_TBN), torch.zeros(1))
    prediction = most_active(values).item()
    return run_result.Classification(None if prediction == SILENT else int(prediction), label)
