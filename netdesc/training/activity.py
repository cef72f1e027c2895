"""Writes ``activity.npz``: the spikes of a few samples with the best weights and during training.

The report draws its pictures from these arrays:

- ``format`` (1); ``epoch``: the epoch of the best weights so far (-1 for the initial weights);
  ``part``: the split, ``train`` or ``validation``; ``samples``: the number of samples for the rates
- ``input_k``, ``output_k`` and, if the data has targets, ``target_k``: the events of sample k,
  int32 [events, 2], each (step, row-major index of the neuron). If each sample has one label:
  ``label_k``, ``prediction_k`` (-1 if the output is silent) and ``rates_k``, what the
  classifier compares, by default spikes per step, float32 [classes]
  Inputs and outputs that are real numbers have no events
- ``values_k`` and ``goals_k``, if samples have target values: the output, float32 [steps, neurons]
  of the first neurons, and its targets, [steps, neurons] or [1, neurons]
- ``hidden_k_<layer>``: the events of a hidden layer for sample k, as ``output_k``
- ``rate_<layer>``: each neuron's mean spikes per step over the samples, float32 [neurons]
- ``trace_<layer>``: what a few neurons of a layer did in the first steps of sample 0, float32
  [signals, neurons, steps] in the unit of the threshold: the output, each input, each state before
  its reset, and for most neurons that spike the threshold; ``traced_<layer>``: the indices of these
  neurons, int32 [neurons]
- ``frame_epochs``: the numbers of complete epochs at which frames were recorded, int32 [frames];
  ``frame_<f>``: frame f, which is the output events of the first sample at that time
- ``cut_<name>``: if the raster ``name`` had too many events, the first step that is left out
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from netdesc.data.batches import Batches
from netdesc.graph import Graph
from netdesc.training.activity_probe import ActivityProbe, NamedArrays, raster
from netdesc.training.run_directory import write_file

FORMAT = 1
MAX_SAMPLES = 64
"""Largest number of samples over which spike rates are computed."""
SHOWN_SAMPLES = 4
"""Number of samples whose events are written."""
MAX_CELLS = 1 << 24
"""Limit on the number of values of input and layers, over all steps and samples. It bounds the time
that saving takes."""
_FRAME_INTERVALS = 16


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
        cells += sum(each.steps * math.prod(each.output_shape) for each in layers)
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
        self._probe.load(network.state_dict())
        snapshot = self._probe(next(self._first_sample.in_order()))
        self.frames[epoch] = raster("frame", snapshot.output_TBN[:, 0])
        self.changed = True

    def save(self, weights: Mapping[str, torch.Tensor], epoch: int | None) -> None:
        """Runs the network with the best ``weights`` on the samples, and writes the file.

        ``epoch`` is that of the weights, None for the initial ones. StorageError if writing fails.
        """
        arrays = self._record_samples(weights) | {
            "format": np.int32(FORMAT),
            "epoch": np.int32(-1 if epoch is None else epoch),
            "part": np.array(self.part),
            "samples": np.int32(len(self._batches.samples)),
            "frame_epochs": np.array(sorted(self.frames), dtype=np.int32),
        }
        for number, (_, frame) in enumerate(sorted(self.frames.items())):
            arrays |= {f"{name}_{number}": frame[name] for name in sorted(frame)}
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        write_file(self.path, content.getvalue())
        self.changed = False

    def frame_tensors(self) -> dict[str, torch.Tensor]:
        """Returns the frames for a checkpoint; the names are ``<epoch>.<name of the array>``."""
        return {
            f"{epoch}.{name}": torch.as_tensor(array)
            for epoch, frame in self.frames.items()
            for name, array in frame.items()
        }

    def restore_frames(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Replaces the frames by those of a checkpoint. ValueError if a name holds no epoch."""
        self.frames = {}
        for key, tensor in tensors.items():
            epoch, _, name = key.partition(".")
            # Column-major as ``raster`` returns it, which compresses better.
            array = np.asarray(tensor.numpy(), order="F")
            self.frames.setdefault(int(epoch), {})[name] = array

    def _record_samples(self, weights: Mapping[str, torch.Tensor]) -> NamedArrays:
        """Returns the events of the shown samples and the rates of layers, with ``weights``.

        The first ``SHOWN_SAMPLES`` samples are shown. If they are all classified correctly, the
        first wrongly classified sample replaces the last of them.
        """
        self._probe.load(weights)
        shown: dict[int, NamedArrays] = {}
        spikes: NamedArrays = {}
        traces: NamedArrays = {}
        number, has_wrong = 0, False
        for batch in self._batches.in_order():
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
        arrays = {name: each for of_sample in shown.values() for name, each in of_sample.items()}
        rates = {
            f"rate_{name}": np.float32(each / (number * self.graph.lengths[name]))
            for name, each in spikes.items()
        }
        return arrays | traces | rates


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
