"""``activity.npz``: what the network does with a few samples, and how that came about.

It holds what the pictures of a report need, so that they can be drawn from the run's folder alone:

- ``format`` (1); ``epoch`` of the weights that were looked at, the best so far (-1 where there are
  none yet); ``part``, ``train`` or ``validation``; ``samples``, how many were looked at
- ``input_k``, ``output_k`` and, where the data has targets, ``target_k`` of the first samples:
  int32 [events, 2] of (step, row-major cell). Where a sample has one label: ``label_k``,
  ``prediction_k`` (-1 for none) and ``rates_k``, float32 [classes], spikes a step. The last of
  these samples is then a wrongly classified one, if there is any
- ``rate_<layer>``: float32 [neurons], spikes a step of each neuron over the samples
- ``frame_epochs`` int32 [frames] and ``frame_<f>``: output events of the first sample as training
  went on
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
SHOWN_SAMPLES = 4
MAX_CELLS = 1 << 24
"""Values of all layers over the steps of all samples: what one look may cost in time."""
FRAMES = 16
_MAX_BYTES = 8 * MAX_EVENTS + 1024
"""Of an array of events, and its header, in the file."""


class Activity:
    """Looks at the network of a run from time to time, and keeps what it saw in a file.

    ``changed`` says that there is something to write.
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
        self._first = replace(self._batches, samples=batches.samples[:1])
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
        """Keeps what the first sample gives with ``weights``, those after ``epoch`` epochs."""
        self._probe.load(weights)
        snapshot = self._probe(next(self._first.in_order()))
        self.frames[epoch] = raster("frame", snapshot.output_TBN[:, 0])
        self.changed = True

    def save(self, weights: Mapping[str, torch.Tensor], epoch: int | None) -> None:
        """Looks at ``weights``, the best, those of ``epoch``, and writes the file. StorageError."""
        arrays = self._look(weights) | {
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
        """Takes the frames up to ``epoch`` from the file of an earlier sitting, where it is sound.

        Pictures are not worth a run: without a sound file the frames begin anew.
        """
        try:
            self.frames = read_frames(self.path, epoch)
        except (DataError, ValueError):
            self.frames = {}

    def _look(self, weights: Mapping[str, torch.Tensor]) -> Arrays:
        """The arrays of samples and layers.

        The first samples are shown. The first one that is classified wrongly says the most: if it
        is none of them, it takes the place of the last.
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
    epochs = read_npz(path, ["frame_epochs"], largest=_MAX_BYTES)["frame_epochs"]
    if epochs.ndim != 1 or epochs.dtype != np.int32 or len(epochs) > FRAMES + 1:
        raise ValueError("frame_epochs are no epochs of frames")
    frames: dict[int, Arrays] = {}
    for number, epoch in enumerate(epochs.tolist()):
        if epoch > until:
            continue
        names = {f"frame_{number}": "frame", f"cut_frame_{number}": "cut_frame"}
        found = read_npz(path, list(names)[:1], list(names)[1:], _MAX_BYTES)
        frame = {names[name]: array for name, array in found.items()}
        events, cut = frame["frame"], frame.get("cut_frame", np.int32(0))
        if events.dtype != np.int32 or events.shape[1:] != (2,):
            raise ValueError(f"frame_{number} holds no events")
        if cut.dtype != np.int32 or cut.ndim != 0:
            raise ValueError(f"cut_frame_{number} is no step")
        frames[epoch] = frame
    return frames


def frame_epochs(epochs: int) -> set[int]:
    """After how many epochs a frame is kept: densely at the start, where most happens."""
    return {round(epochs * (n / FRAMES) ** 2) for n in range(FRAMES + 1)}
