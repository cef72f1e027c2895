"""Records spikes of a few samples with the best weights and during training, for the report."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netdesc.data.batches import Batch, Batches
from netdesc.graph import Graph
from netdesc.kernels.engines import use_engine
from netdesc.losses import build_classifier
from netdesc.losses.classifier import judged_values, most_active
from netdesc.modules import build
from netdesc.runs.activity_file import (
    MAX_EVENTS,
    SHOWN_SAMPLES,
    NamedArrays,
    raster,
    write_activity,
)
from netdesc.training.neurobench import NeuroBench

MAX_SAMPLES = 64
"""Largest number of samples over which spike rates are computed."""
MAX_CELLS = 1 << 24
"""Limit on the number of values of input and layers, over all steps and samples. It bounds the time
that saving takes."""
_FRAME_INTERVALS = 16
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
                arrays |= flat_raster(f"{name}_{number}", of_sample, MAX_EVENTS)
        if learns_from == "target values":
            arrays[f"values_{number}"] = _curves(self.output_TBN[:, sample])
            arrays[f"goals_{number}"] = _curves(self.batch.target[:, sample])
        for name, spikes_TBN in self.hidden_TBN.items():
            limit = MAX_EVENTS // len(self.hidden_TBN)
            arrays |= flat_raster(f"hidden_{number}_{name}", spikes_TBN[:, sample], limit)
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
        self.network = build(graph).to(device).eval()
        self._spikes: dict[str, NDArray[np.float64]] = {}
        self._hidden_TBN: dict[str, Tensor] = {}
        hidden = [layer.name for layer in graph.neuron_layers if layer is not graph.layers[-1]]
        self._kept_layers = hidden[:MAX_HIDDEN_LAYERS]
        output = [name for name, _ in self.network.blocks() if name == graph.layers[-1].name]
        self._traced_layers = self._kept_layers + output
        for name, block in self.network.blocks():
            block.register_forward_hook(partial(self._count, name))

    def _count(self, name: str, _block: nn.Module, _inputs: object, spikes_TBN: Tensor) -> None:
        # Sample by sample, because torch copies what it counts.
        of_samples_TN = spikes_TBN.flatten(2).unbind(1)
        counts = sum((spikes_TN != 0).sum(0).cpu().numpy() for spikes_TN in of_samples_TN)
        self._spikes[name] = np.asarray(counts, np.float64)
        if name in self._kept_layers:
            self._hidden_TBN[name] = spikes_TBN != 0  # a quarter of the memory

    @torch.no_grad()
    def __call__(self, batch: Batch) -> ActivitySnapshot:
        self.network.reset_state()
        output_TBN = self.network(batch.input_TBN)
        predictions = compared = None
        if self._classifier is not None and batch.target.dim() == 1:
            compared = self._classifier.values(output_TBN)
            predictions = most_active(judged_values(compared, batch.target)).cpu().numpy()
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
        self.network.reset_state()
        with use_engine("reference"), self.network.record(self._traced_layers) as recordings:
            self.network(batch.input_TBN[:MAX_TRACED_STEPS, :1])
        self._hidden_TBN = {}
        arrays: NamedArrays = {}
        for name, recording in recordings.items():
            counts = (recording.spikes[:, 0] != 0).sum(0).cpu()
            by_activity = counts.argsort(stable=True, descending=True).tolist()
            # The most active neuron, the median one, and the least active one.
            ranks = np.linspace(0, len(counts) - 1, min(MAX_TRACED_NEURONS, len(counts)))
            neurons = [by_activity[round(rank)] for rank in ranks]
            levels = [] if recording.threshold is None else [recording.threshold]
            signals = [recording.spikes, *recording.inputs.values()]
            signals += [*recording.states.values(), *levels]
            signals_SNT = torch.stack([signal[:, 0, neurons].T for signal in signals])
            arrays[f"traced_{name}"] = np.array(neurons, np.int32)
            arrays[f"trace_{name}"] = signals_SNT.float().cpu().numpy()
        return arrays


def _curves(values: Tensor) -> NDArray[np.float32]:
    """Returns the first neurons and steps of values [steps, *shape], float32 [steps, neurons]."""
    curves = values[:MAX_EVENTS].flatten(1)
    neurons = max(1, min(MAX_CURVES, MAX_EVENTS // len(curves)))
    return curves[:, :neurons].float().cpu().numpy()


def flat_raster(name: str, spikes: Tensor, max_events: int) -> NamedArrays:
    """Returns the ``raster`` of ``spikes`` [steps, *shape]."""
    return raster(name, spikes.flatten(1).cpu().numpy(), max_events)


class ActivityRecorder:
    """Records spikes of a run's network during training, and writes them to ``activity.npz``.

    ``changed`` says whether something was recorded since the file was written.
    """

    def __init__(self, path: Path, graph: Graph, batches: Batches, part: str, epochs: int) -> None:
        self.path = path
        self.part = part
        self.graph = graph
        layers = graph.layers
        cells = graph.steps * math.prod(graph.input_shape)
        cells += sum(layer.steps * math.prod(layer.output_shape) for layer in layers)
        count = max(1, min(MAX_SAMPLES, MAX_CELLS // cells))
        chosen = evenly_spaced(len(batches.samples), min(count, len(batches.samples)))
        self._batches = replace(batches, samples=batches.samples[chosen])
        self._first_sample = replace(self._batches, samples=batches.samples[:1])
        self._learns_from = graph.loss.learns_from
        self._probe = ActivityProbe(graph, batches.device)
        has_frames = self._learns_from != "target values"
        self.frame_epochs = frame_epochs(epochs) if has_frames else set[int]()
        self.frames: dict[int, NamedArrays] = {}
        """Number of complete epochs -> the ``raster`` of the first sample's output, ``frame``."""
        self.changed = True

    def record_frame(self, epoch: int, network: nn.Module) -> None:
        """Records the output for the first sample if a frame is planned after so many epochs."""
        if epoch not in self.frame_epochs or epoch in self.frames:
            return
        self._probe.network.load_state_dict(network.state_dict())
        snapshot = self._probe(next(self._first_sample.in_order()))
        self.frames[epoch] = flat_raster("frame", snapshot.output_TBN[:, 0], MAX_EVENTS)
        self.changed = True

    def save(
        self, weights: Mapping[str, Tensor], epoch: int | None, *, is_last: bool = False
    ) -> None:
        """Runs the network with the best ``weights`` on the samples, and writes the file.

        ``epoch`` is that of the weights, None for the initial ones. If ``is_last``, NeuroBench's
        metrics of states are added, which take longer. StorageError if writing fails.
        """
        arrays = self._record_samples(weights, is_last)
        arrays |= {"part": np.array(self.part), "samples": np.int32(len(self._batches.samples))}
        write_activity(self.path, arrays, self.frames, epoch)
        self.changed = False

    def frame_tensors(self) -> dict[str, Tensor]:
        """Returns the frames for a checkpoint; the names are ``<epoch>.<name of the array>``."""
        return {
            f"{epoch}.{name}": torch.as_tensor(array)
            for epoch, frame in self.frames.items()
            for name, array in frame.items()
        }

    def restore_frames(self, tensors: Mapping[str, Tensor], epoch: int) -> None:
        """Replaces the frames by those of a checkpoint after so many epochs.

        If the run had another number of epochs, those nearest to the planned frames are kept.
        ValueError if a name holds no epoch.
        """
        frames: dict[int, NamedArrays] = {}
        for key, tensor in tensors.items():
            at, _, name = key.partition(".")
            # Column-major as ``raster`` returns it, which compresses better.
            array = np.asarray(tensor.numpy(), order="F")
            frames.setdefault(int(at), {})[name] = array
        planned = [at for at in self.frame_epochs if at <= epoch]
        nearest = {min(frames, key=lambda at: abs(at - plan)) for plan in planned if frames}
        self.frames = {at: frames[at] for at in sorted(nearest)}

    def _record_samples(self, weights: Mapping[str, Tensor], is_last: bool = False) -> NamedArrays:
        """Returns the events of the shown samples and the rates of layers, with ``weights``.

        The first ``SHOWN_SAMPLES`` samples are shown. If they are all classified correctly, the
        first wrongly classified sample replaces the last of them.
        """
        self._probe.network.load_state_dict(weights)
        shown: dict[int, NamedArrays] = {}
        spikes: NamedArrays = {}
        traces: NamedArrays = {}
        number, has_wrong = 0, False
        # As in ``traces``: the reference engine compiles nothing.
        bench = NeuroBench(self._probe.network, counts_updates=is_last, engine="reference")
        for batch in self._batches.in_order():
            bench(batch.input_TBN)
            snapshot = self._probe(batch)
            traces = traces or self._probe.traces(batch)
            for sample in range(batch.size):
                is_first_wrong = not has_wrong and snapshot.is_wrong(sample)
                has_wrong |= is_first_wrong
                if number < SHOWN_SAMPLES or is_first_wrong:
                    slot = min(number, SHOWN_SAMPLES - 1)
                    shown[slot] = snapshot.arrays(sample, slot, self._learns_from)
                number += 1
            for name, counts in snapshot.spikes.items():
                spikes[name] = spikes.get(name, 0) + counts
        arrays = {name: array for named in shown.values() for name, array in named.items()}
        rates = {
            f"rate_{name}": np.float32(counts / (number * self.graph.lengths[name]))
            for name, counts in spikes.items()
        }
        of_steps: NamedArrays = {
            f"operations_{name}": counts / self.graph.lengths[name]
            for name, counts in bench.operations.items()
        }
        of_steps["neurobench"] = np.array(json.dumps(bench.metrics()))
        return arrays | traces | rates | of_steps


def evenly_spaced(samples: int, count: int) -> NDArray[np.int64]:
    """Returns indices of ``count`` samples at equal distances, because they may be sorted by class.

    The first ``SHOWN_SAMPLES`` are at equal distances as well, and begin with sample 0.
    """
    indices, shown = np.arange(count) * samples // count, min(SHOWN_SAMPLES, count)
    first = -(-np.arange(shown) * count // shown)
    return np.concatenate([indices[first], np.delete(indices, first)])


def frame_epochs(epochs: int) -> set[int]:
    """Returns the numbers of complete epochs after which frames are recorded, most early."""
    return {round(epochs * (n / _FRAME_INTERVALS) ** 2) for n in range(_FRAME_INTERVALS + 1)}
