"""Runs a copy of the network on some samples and counts the spikes of every layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netdesc.data.batches import Batch
from netdesc.graph import Graph
from netdesc.kernels.engine import use_engine
from netdesc.losses import build_classifier
from netdesc.modules import build
from netdesc.training.confusion_counter import decide

NamedArrays = dict[str, Any]

MAX_EVENTS = 200_000
"""Largest number of events in a raster. If there are more, the last steps are left out.

The hidden layers of a sample share this number."""
MAX_CURVES = 8
"""Largest number of output neurons whose values are kept for samples with target values."""
MAX_TRACED_NEURONS, MAX_TRACED_STEPS = 3, 250
"""Of how many neurons of a layer, and for how many steps, states are kept."""
MAX_HIDDEN_LAYERS = 11
"""Largest number of hidden layers whose spikes are kept."""


@dataclass(frozen=True, eq=False)
class ActivitySnapshot:
    """A batch, and the network's spikes and predictions for this batch."""

    batch: Batch
    spikes: dict[str, NDArray[np.float64]]
    """Maps a layer's name to the number of spikes of each neuron over all steps and samples."""
    output_TBN: Tensor
    hidden_TBN: dict[str, Tensor]
    """Maps the first ``MAX_HIDDEN_LAYERS`` hidden layers to their output spikes, of dtype bool."""
    predictions: NDArray | None
    """The predicted class of each sample, -1 if silent; None without one label a sample."""
    compared_BC: Tensor | None
    """What the classifier compares; spikes per step if it predicts in each step."""

    def is_wrong(self, sample: int) -> bool:
        """Whether the predicted class of a sample differs from its label; False without one."""
        if self.predictions is None:
            return False
        return bool(self.predictions[sample] != self.batch.target[sample].item())

    def arrays(self, sample: int, number: int, learns_from: str) -> NamedArrays:
        """Returns the arrays of a sample of the batch, whose names end with ``number``.

        Real numbers have no raster.
        """
        spikes = {"input": self.batch.input_TBN, "output": self.output_TBN}
        if learns_from == "target spikes":
            spikes["target"] = self.batch.target
        arrays: NamedArrays = {}
        for name, spikes_TBN in spikes.items():
            of_sample = spikes_TBN[:, sample]
            if bool(((of_sample >= 0) & (of_sample == of_sample.round())).all()):
                arrays |= raster(f"{name}_{number}", of_sample)
        if learns_from == "target values":
            arrays[f"values_{number}"] = _curves(self.output_TBN[:, sample])
            arrays[f"goals_{number}"] = _curves(self.batch.target[:, sample])
        for name, spikes_TBN in self.hidden_TBN.items():
            limit = MAX_EVENTS // len(self.hidden_TBN)
            arrays |= raster(f"hidden_{number}_{name}", spikes_TBN[:, sample], limit)
        if self.predictions is not None and self.compared_BC is not None:
            arrays[f"label_{number}"] = np.int32(self.batch.target[sample].item())
            arrays[f"prediction_{number}"] = np.int32(self.predictions[sample])
            arrays[f"rates_{number}"] = self.compared_BC[sample].cpu().numpy()
        return arrays


class ActivityProbe:
    """A copy of the network in evaluation mode, whose layers count their spikes."""

    def __init__(self, graph: Graph, device: torch.device) -> None:
        self._graph = graph
        self._classifier = None if graph.classifier is None else build_classifier(graph)
        self._network = build(graph).to(device).eval()
        self._spikes: dict[str, NDArray[np.float64]] = {}
        self._hidden_TBN: dict[str, Tensor] = {}
        hidden = [layer.name for layer in graph.neuron_layers if layer is not graph.layers[-1]]
        self._kept_layers = hidden[:MAX_HIDDEN_LAYERS]
        output = [name for name, _ in self._network.blocks() if name == graph.layers[-1].name]
        self._traced_layers = self._kept_layers + output
        for name, block in self._network.blocks():
            block.register_forward_hook(partial(self._count, name))

    def _count(self, name: str, _block: nn.Module, _inputs: object, spikes_TBN: Tensor) -> None:
        # Sample by sample, because torch copies what it counts.
        of_samples_TN = spikes_TBN.flatten(2).unbind(1)
        counts = sum((spikes_TN != 0).sum(0).cpu().numpy() for spikes_TN in of_samples_TN)
        self._spikes[name] = np.asarray(counts, np.float64)
        if name in self._kept_layers:
            self._hidden_TBN[name] = spikes_TBN != 0  # a quarter of the memory

    def load(self, weights: Mapping[str, Tensor]) -> None:
        self._network.load_state_dict(weights)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> ActivitySnapshot:
        self._network.reset_state()
        output_TBN = self._network(batch.input_TBN)
        predictions = compared = None
        if self._classifier is not None and batch.target.dim() == 1:
            assert self._graph.classes is not None
            classes, compared = self._classifier(output_TBN), self._classifier.values(output_TBN)
            predictions = decide(classes, batch.target, self._graph.classes).cpu().numpy()
            if compared.dim() == 3:
                compared = self._classifier.counted(output_TBN).mean(0)
        hidden_TBN, self._hidden_TBN = self._hidden_TBN, {}  # not kept until the next call
        counts = dict(self._spikes)
        return ActivitySnapshot(batch, counts, output_TBN, hidden_TBN, predictions, compared)

    @torch.no_grad()
    def traces(self, batch: Batch) -> NamedArrays:
        """Returns the arrays ``traced_<layer>`` and ``trace_<layer>`` of the first sample.

        The reference engine computes them, so that no kernels are compiled for so little.
        """
        self._network.reset_state()
        with use_engine("reference"), self._network.record(self._traced_layers) as recordings:
            self._network(batch.input_TBN[:MAX_TRACED_STEPS, :1])
        self._hidden_TBN = {}
        arrays: NamedArrays = {}
        for name, recording in recordings.items():
            neurons = _neurons_to_trace(recording.spikes[:, 0])
            levels = [] if recording.threshold is None else [recording.threshold]
            signals = [*recording.inputs.values(), *recording.states.values(), *levels]
            kept = torch.stack([each[:, 0, neurons].T for each in (recording.spikes, *signals)])
            arrays[f"traced_{name}"] = np.array(neurons, np.int32)
            arrays[f"trace_{name}"] = kept.float().cpu().numpy()
        return arrays


def _neurons_to_trace(spikes_TN: Tensor) -> list[int]:
    """Returns the most active neuron, the median one, and the least active one."""
    by_activity = (spikes_TN != 0).sum(0).cpu().argsort(stable=True, descending=True).tolist()
    ranks = np.linspace(0, len(by_activity) - 1, min(MAX_TRACED_NEURONS, len(by_activity)))
    return [by_activity[round(rank)] for rank in ranks]


def _curves(values: Tensor) -> NDArray[np.float32]:
    """Returns the first neurons and steps of values [steps, *shape], float32 [steps, neurons]."""
    curves = values[:MAX_EVENTS].flatten(1)
    neurons = max(1, min(MAX_CURVES, MAX_EVENTS // len(curves)))
    return curves[:, :neurons].float().cpu().numpy()


def raster(name: str, spikes: Tensor, max_events: int | None = None) -> NamedArrays:
    """Returns the events of ``spikes`` [steps, *shape] as the array ``name``, int32 [events, 2].

    Each event is (step, row-major index of the neuron); events are ordered by step. If there are
    more than ``max_events``, by default ``MAX_EVENTS``, the result also holds the number
    ``cut_<name>``, and events from this step on are left out. Such a large array is in
    column-major order, which compresses several times better.
    """
    limit = MAX_EVENTS if max_events is None else max_events
    events = np.argwhere(spikes.flatten(1).cpu().numpy()).astype(np.int32)
    if len(events) <= limit:
        return {name: events}
    cut = events[limit, 0]
    count = np.searchsorted(events[:, 0], cut)
    return {name: np.asfortranarray(events[:count]), f"cut_{name}": cut}
