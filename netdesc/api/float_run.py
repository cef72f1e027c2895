"""Runs a network in floats, and compares and classifies its output."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.api.compile import Compiled
from netdesc.api.run_result import (
    Classification,
    ForwardResult,
    TargetComparison,
    nonzero_outputs,
)
from netdesc.graph import Graph
from netdesc.losses import SILENT, build_classifier
from netdesc.training.confusion_counter import decide


def run_float(compiled: Compiled, input_TN: NDArray[np.float32]) -> ForwardResult:
    """Runs the torch module outside training on an input [steps, *input shape]."""
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
    index, values = nonzero_outputs(output_TBN.numpy())
    spikes = int(np.count_nonzero(input_TN))
    return ForwardResult(len(input_TN), spikes, index, values, counts, range_warnings)


def compare(
    compiled: Compiled, found_TN: NDArray[Any], target_TN: NDArray[np.float32]
) -> TargetComparison:
    """Compares an output with its target, [steps, *output shape] each."""
    output_TBN = torch.from_numpy(found_TN.astype(np.float32)).unsqueeze(1)
    with torch.no_grad():
        loss = compiled.loss.of_output(output_TBN, torch.from_numpy(target_TN).unsqueeze(1))
    return TargetComparison(
        loss=loss.item(),
        target_spikes=int(np.count_nonzero(target_TN)),
        met=int(np.count_nonzero((target_TN != 0) & (found_TN != 0))),
    )


def classify(graph: Graph, found_TN: NDArray[Any], label: int | None) -> Classification:
    """Predicts the class of the sample: if each step has a class, the class of most steps."""
    assert graph.classes is not None
    output_TBN = torch.from_numpy(found_TN).unsqueeze(1)
    any_label = torch.zeros(1, dtype=torch.int64)
    prediction = decide(build_classifier(graph)(output_TBN), any_label, graph.classes).item()
    return Classification(None if prediction == SILENT else int(prediction), label)
