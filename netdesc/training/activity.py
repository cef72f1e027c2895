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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from netdesc.events import atomic_path
from netdesc.graph import Graph
from netdesc.modules import build
from netdesc.training.activity_probe import ActivitySnapshot, probe_activity
from netdesc.training.array_file import write_npz
from netdesc.training.batches import Batch, Batches
from netdesc.training.errors import DataError, storing
from netdesc.training.npz import read_npz
from netdesc.training.rasters import MOST_EVENTS, Raster, raster_of
from netdesc.training.score import decide

FORMAT = 1
MOST_SAMPLES = 64
SHOWN_SAMPLES = 4
MOST_CELLS = 1 << 24
"""Values of all layers over the steps of all samples: what one look may cost in time."""
FRAMES = 16
_LARGEST = 8 * MOST_EVENTS + 1024
"""Bytes of an array of events, and its header, in the file."""


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
        self.classifier = classifier
        count = max(1, min(MOST_SAMPLES, MOST_CELLS // _cells_of(graph)))
        self._batches = replace(batches, samples=batches.samples[:count])
        self.frame_epochs = frame_epochs(epochs)
        self.frames: dict[int, Raster] = {}
        self.changed = True
        self._network = build(graph).to(batches.device).eval()

    def wants_frame(self, epoch: int) -> bool:
        """Whether the output after ``epoch`` complete epochs is to be kept."""
        return epoch in self.frame_epochs and epoch not in self.frames

    @torch.no_grad()
    def take_frame(self, epoch: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Keeps what the first sample gives with ``weights``, those after ``epoch`` epochs."""
        self._show(weights)
        first = replace(self._batches, samples=self._batches.samples[:1])
        output_TBN = self._network(next(first.in_order()).input_TBN)
        self.frames[epoch] = raster_of(output_TBN[:, 0])
        self.changed = True

    def save(self, weights: Mapping[str, torch.Tensor], epoch: int | None) -> None:
        """Looks at ``weights``, the best, those of ``epoch``, and writes the file. StorageError."""
        looked = self._look(weights)
        with storing(self.path), atomic_path(self.path) as temporary:
            write_npz(temporary, self._arrays(looked, epoch))
        self.changed = False

    def restore(self, epoch: int) -> None:
        """Takes the frames up to ``epoch`` from the file of an earlier sitting, where it is sound.

        Pictures are not worth a run: without a sound file the frames begin anew.
        """
        try:
            self.frames = _frames_in(self.path, epoch)
        except (DataError, ValueError):
            self.frames = {}

    def _arrays(
        self, looked: Mapping[str, Any], epoch: int | None
    ) -> Iterator[tuple[str, ArrayLike]]:
        """What the file holds, by name."""
        yield from looked.items()
        yield "format", np.int32(FORMAT)
        yield "epoch", np.int32(-1 if epoch is None else epoch)
        yield "part", np.array(self.part)
        yield "samples", np.int32(len(self._batches.samples))
        yield "frame_epochs", np.array(list(self.frames), dtype=np.int32)
        for number, frame in enumerate(self.frames.values()):
            yield from _named(f"frame_{number}", frame)

    @torch.no_grad()
    def _look(self, weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        self._show(weights)
        arrays: dict[str, Any] = {}
        spikes: dict[str, NDArray[np.float64]] = {}
        first, has_wrong = 0, False
        for batch in self._batches.in_order():
            look = probe_activity(self._network, self.classifier, batch)
            seen = _Seen(batch, look, self._predictions(batch, look))
            wrong = None if has_wrong else seen.wrong
            has_wrong |= wrong is not None
            for number, sample in shown_of(first, batch.size, wrong).items():
                arrays |= self._rasters(number, sample, seen) | _class_of(number, sample, seen)
            for name, counts in look.spikes.items():
                spikes[name] = spikes[name] + counts if name in spikes else counts
            first += batch.size
        looks = first * self.graph.steps
        return arrays | {f"rate_{name}": np.float32(each / looks) for name, each in spikes.items()}

    def _show(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Has the network that is looked at these weights, and no copy of them."""
        self._network.load_state_dict(weights, assign=True)

    def _rasters(self, number: int, sample: int, seen: _Seen) -> dict[str, Any]:
        batch = seen.batch
        shown = {"input": batch.input_TBN, "output": seen.look.output_TBN}
        if self.classifier is None:
            shown["target"] = batch.target
        named = (_named(f"{name}_{number}", raster_of(x[:, sample])) for name, x in shown.items())
        return dict(array for arrays in named for array in arrays)

    def _predictions(self, batch: Batch, look: ActivitySnapshot) -> torch.Tensor | None:
        """The class of each sample; None where samples have no single label."""
        classes = self.graph.classes
        if look.predictions is None or classes is None or batch.target.dim() != 1:
            return None
        return decide(look.predictions, batch.target, classes)


def _cells_of(graph: Graph) -> int:
    """Values of the input and of all layers over the steps of a sample."""
    shapes = [graph.input_shape, *(layer.output_shape for layer in graph.layers)]
    return graph.steps * sum(map(math.prod, shapes))


def _named(name: str, raster: Raster) -> Iterator[tuple[str, ArrayLike]]:
    """A raster's arrays in the file."""
    yield name, raster.events
    if raster.cut is not None:
        yield f"cut_{name}", np.int32(raster.cut)


def _frames_in(path: Path, until: int) -> dict[int, Raster]:
    """The frames of a file, but for later ones. DataError, ValueError."""
    epochs = read_npz(path, ["frame_epochs"], largest=_LARGEST)["frame_epochs"]
    if epochs.ndim != 1 or epochs.dtype != np.int32 or len(epochs) > FRAMES + 1:
        raise ValueError("frame_epochs are no epochs of frames")
    return {
        int(epoch): _raster_in(path, f"frame_{number}")
        for number, epoch in enumerate(epochs)
        if epoch <= until
    }


def _raster_in(path: Path, name: str) -> Raster:
    arrays = read_npz(path, [name], [f"cut_{name}"], _LARGEST)
    events, cut = arrays[name], arrays.get(f"cut_{name}")
    if events.dtype != np.int32 or events.ndim != 2 or events.shape[1] != 2:
        raise ValueError(f"{name} holds no events")
    if cut is None:
        return Raster(events)
    if cut.dtype != np.int32 or cut.ndim != 0:
        raise ValueError(f"cut_{name} is no step")
    return Raster(events, int(cut))


def frame_epochs(epochs: int) -> set[int]:
    """After how many epochs a frame is kept: densely at the start, where most happens."""
    return {round(epochs * (n / FRAMES) ** 2) for n in range(FRAMES + 1)}


def shown_of(first: int, size: int, wrong: int | None) -> dict[int, int]:
    """Which of ``size`` samples are kept, numbered from 0: by the number that they get in the file.

    The ``first`` stands at that place among all. ``wrong`` is the first wrong one of all, where it
    is one of these. It says the most, so it takes the place of the last that is shown.
    """
    shown = {first + k: k for k in range(size) if first + k < SHOWN_SAMPLES}
    if wrong is not None and first + wrong >= SHOWN_SAMPLES:
        shown[SHOWN_SAMPLES - 1] = wrong
    return shown


@dataclass(frozen=True, eq=False)
class _Seen:
    """Some samples, and what the network made of them."""

    batch: Batch
    look: ActivitySnapshot
    predictions: torch.Tensor | None

    @property
    def wrong(self) -> int | None:
        """The first sample that is taken for another class than its own."""
        if self.predictions is None:
            return None
        wrong = torch.nonzero(self.predictions != self.batch.target).flatten()
        return int(wrong[0]) if len(wrong) else None


def _class_of(number: int, sample: int, seen: _Seen) -> dict[str, Any]:
    if seen.predictions is None:
        return {}
    return {
        f"label_{number}": np.int32(seen.batch.target[sample].item()),
        f"prediction_{number}": np.int32(seen.predictions[sample].item()),
        f"rates_{number}": seen.look.rates_BN[sample].cpu().numpy(),
    }
