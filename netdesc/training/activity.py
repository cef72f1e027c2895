"""``activity.npz``: spikes of the network for a few samples, now and earlier in training.

It holds what the pictures of a report need, so that they can be drawn from the run's folder alone:

- ``format`` (1); ``epoch`` of the weights, the best so far (-1 where there are none yet); ``part``,
  ``train`` or ``validation``; ``samples``, the number of samples
- ``input_k``, ``output_k`` and, where the data has targets, ``target_k`` of the first samples:
  int32 [events, 2] of (step, row-major cell). Where a sample has one label: ``label_k``,
  ``prediction_k`` (-1 for none) and ``rates_k``, float32 [classes], spikes a step. The last of
  these samples is then a wrongly classified one, if there is any
- ``rate_<layer>``: float32 [neurons], spikes a step of each neuron over the samples
- ``frame_epochs`` int32 [frames] and ``frame_<f>``: output events of the first sample after these
  epochs
- ``cut_<name>``: the step from which on a raster with too many events was cut off
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from netdesc.events import atomic_path
from netdesc.graph import Graph
from netdesc.training.activity_probe import MAX_EVENTS, ActivityProbe, Arrays, raster
from netdesc.training.batches import Batches
from netdesc.training.errors import DataError, storing
from netdesc.training.npz import read_npz

FORMAT = 1
MAX_SAMPLES = 64
"""Most samples that spike rates are computed over."""
SHOWN_SAMPLES = 4
"""Most samples whose events are kept."""
MAX_CELLS = 1 << 24
"""Most values of all layers over the steps of all samples, which bounds the time of a save."""
_FRAME_INTERVALS = 16
_MAX_ARRAY_BYTES = 8 * MAX_EVENTS + 1024
"""Most bytes of an array of events in the file, with its header."""


class Activity:
    """Records the spikes of a run's network from time to time, and writes them to a file.

    ``changed`` says whether there is something to write.
    """

    def __init__(
        self,
        path: Path,
        graph: Graph,
        batches: Batches,
        part: str,
        epochs: int,
        classifier: nn.Module | None = None,
    ) -> None:
        self.path = path
        self.part = part
        self.graph = graph
        count = max(1, min(MAX_SAMPLES, MAX_CELLS // _cells_of(graph)))
        self._batches = replace(batches, samples=batches.samples[:count])
        self._first_sample = replace(self._batches, samples=batches.samples[:1])
        self._has_targets = classifier is None
        self._probe = ActivityProbe(graph, batches.device, classifier)
        self.frame_epochs = frame_epochs(epochs)
        self.frames: dict[int, Arrays] = {}
        """By epoch the raster of the first sample's output, called ``frame``."""
        self.changed = True

    def wants_frame(self, epoch: int) -> bool:
        """Whether the output after ``epoch`` complete epochs is to be kept."""
        return epoch in self.frame_epochs and epoch not in self.frames

    def take_frame(self, epoch: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Keeps the output for the first sample with ``weights``, those after ``epoch`` epochs."""
        self._probe.load(weights)
        snapshot = self._probe(next(self._first_sample.in_order()))
        self.frames[epoch] = raster("frame", snapshot.output_TBN[:, 0])
        self.changed = True

    def save(self, weights: Mapping[str, torch.Tensor], epoch: int | None) -> None:
        """Writes the file for ``weights``, the best ones, those of ``epoch``. StorageError."""
        arrays = self._record_samples(weights) | {
            "format": np.int32(FORMAT),
            "epoch": np.int32(-1 if epoch is None else epoch),
            "part": np.array(self.part),
            "samples": np.int32(len(self._batches.samples)),
            "frame_epochs": np.array(list(self.frames), dtype=np.int32),
        }
        for number, frame in enumerate(self.frames.values()):
            arrays |= {f"{name}_{number}": array for name, array in frame.items()}
        with storing(self.path), atomic_path(self.path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **arrays)
        self.changed = False

    def restore(self, epoch: int) -> None:
        """Reads the frames up to ``epoch`` from the file that the run wrote before it was resumed.

        If that file is missing or damaged, there are no earlier frames: the run goes on.
        """
        try:
            self.frames = read_frames(self.path, epoch)
        except (DataError, ValueError):
            self.frames = {}

    def _record_samples(self, weights: Mapping[str, torch.Tensor]) -> Arrays:
        """The arrays of samples and layers, computed with ``weights``.

        The first ``SHOWN_SAMPLES`` samples are kept. The first sample that is classified wrongly
        replaces the last of them, unless it is one of them.
        """
        self._probe.load(weights)
        shown: dict[int, Arrays] = {}
        spikes: Arrays = {}
        number, has_wrong = 0, False
        for batch in self._batches.in_order():
            snapshot = self._probe(batch)
            for sample in range(batch.size):
                is_first_wrong = not has_wrong and snapshot.is_wrong(sample)
                has_wrong |= is_first_wrong
                if number < SHOWN_SAMPLES or is_first_wrong:
                    place = min(number, SHOWN_SAMPLES - 1)
                    shown[place] = snapshot.arrays(sample, place, self._has_targets)
                number += 1
            for name, counts in snapshot.spikes.items():
                spikes[name] = spikes.get(name, 0) + counts
        arrays = {name: each for of_sample in shown.values() for name, each in of_sample.items()}
        steps = number * self.graph.steps
        return arrays | {f"rate_{name}": np.float32(each / steps) for name, each in spikes.items()}


def _cells_of(graph: Graph) -> int:
    """Values of the input and of all layers over the steps of a sample."""
    shapes = [graph.input_shape, *(layer.output_shape for layer in graph.layers)]
    return graph.steps * sum(map(math.prod, shapes))


def read_frames(path: Path, until: int) -> dict[int, Arrays]:
    """The frames of a file up to the epoch ``until``. DataError, ValueError."""
    epochs = read_npz(path, ["frame_epochs"], largest=_MAX_ARRAY_BYTES)["frame_epochs"]
    if epochs.ndim != 1 or epochs.dtype != np.int32 or len(epochs) > _FRAME_INTERVALS + 1:
        raise ValueError("frame_epochs are no epochs of frames")
    frames: dict[int, Arrays] = {}
    for number, epoch in enumerate(epochs.tolist()):
        if epoch > until:
            continue
        names = {f"frame_{number}": "frame", f"cut_frame_{number}": "cut_frame"}
        found = read_npz(path, list(names)[:1], list(names)[1:], _MAX_ARRAY_BYTES)
        frame = {names[name]: array for name, array in found.items()}
        events, cut = frame["frame"], frame.get("cut_frame", np.int32(0))
        if events.dtype != np.int32 or events.shape[1:] != (2,):
            raise ValueError(f"frame_{number} holds no events")
        if cut.dtype != np.int32 or cut.ndim != 0:
            raise ValueError(f"cut_frame_{number} is no step")
        frames[epoch] = frame
    return frames


def frame_epochs(epochs: int) -> set[int]:
    """The numbers of complete epochs after which a frame is kept, more at the start of training."""
    return {round(epochs * (n / _FRAME_INTERVALS) ** 2) for n in range(_FRAME_INTERVALS + 1)}
