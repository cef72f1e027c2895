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

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from netdesc.events import atomic_path
from netdesc.graph import Graph
from netdesc.modules import build
from netdesc.training.data import Batch, Batches
from netdesc.training.errors import storing
from netdesc.training.score import decide

FORMAT = 1
MOST_SAMPLES = 64
SHOWN_SAMPLES = 4
MOST_CELLS = 1 << 24
"""Values of all layers over the steps of all samples: what one look may cost in memory."""
MOST_EVENTS = 200_000
FRAMES = 16


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
        self.batch = _head(batches, graph)
        self.frame_epochs = frame_epochs(epochs)
        self.frames: dict[int, NDArray[np.int32]] = {}
        self.cuts: dict[str, int] = {}
        self.changed = True
        self._viewer = build(graph).to(batches.device).eval()

    def wants_frame(self, epoch: int) -> bool:
        """Whether the output after ``epoch`` complete epochs is to be kept."""
        return epoch in self.frame_epochs and epoch not in self.frames

    @torch.no_grad()
    def take_frame(self, epoch: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Keeps what the first sample gives with ``weights``, those after ``epoch`` epochs."""
        self._viewer.load_state_dict(weights)
        output_TN = self._viewer(self.batch.input_TBN[:, :1])[:, 0]
        self.frames[epoch] = self._events(f"frame_{len(self.frames)}", output_TN)
        self.changed = True

    def save(self, weights: Mapping[str, torch.Tensor], epoch: int | None) -> None:
        """Looks at ``weights``, the best, those of ``epoch``, and writes the file. StorageError."""
        arrays = self._look(weights)
        arrays |= {
            "format": np.int32(FORMAT),
            "epoch": np.int32(-1 if epoch is None else epoch),
            "part": np.array(self.part),
            "samples": np.int32(self.batch.size),
            "frame_epochs": np.array(list(self.frames), dtype=np.int32),
        }
        arrays |= {f"frame_{n}": events for n, events in enumerate(self.frames.values())}
        arrays |= {f"cut_{name}": np.int32(step) for name, step in self.cuts.items()}
        with storing(self.path), atomic_path(self.path) as temporary:
            np.savez_compressed(temporary, **arrays)
        self.changed = False

    def restore(self, epoch: int) -> None:
        """Takes the frames up to ``epoch`` from the file of an earlier sitting, where it is sound.

        Pictures are not worth a run: without a sound file the frames begin anew.
        """
        try:
            with np.load(self.path, allow_pickle=False) as file:
                epochs = [int(n) for n in file["frame_epochs"]]
                self.frames = {
                    n: file[f"frame_{index}"] for index, n in enumerate(epochs) if n <= epoch
                }
                names = [f"frame_{index}" for index in range(len(self.frames))]
                self.cuts = {n: int(file[f"cut_{n}"]) for n in names if f"cut_{n}" in file}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            self.frames, self.cuts = {}, {}

    @torch.no_grad()
    def _look(self, weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        self._viewer.load_state_dict(weights)
        rates: dict[str, torch.Tensor] = {}
        hooks = [
            block.register_forward_hook(_keep_rates(rates, name))
            for name, block in self._viewer.blocks()
        ]
        output_TBN = self._viewer(self.batch.input_TBN)
        for hook in hooks:
            hook.remove()
        arrays: dict[str, Any] = {
            f"rate_{name}": each.cpu().numpy() for name, each in rates.items()
        }
        predictions = self._predictions(output_TBN)
        for number, sample in enumerate(self._shown(predictions)):
            arrays |= self._rasters(number, sample, output_TBN)
            if predictions is not None:
                arrays |= self._class(number, sample, predictions, output_TBN)
        return arrays

    def _shown(self, predictions: torch.Tensor | None) -> list[int]:
        """The first samples, the last of them a wrong one where there is any: it says the most."""
        shown = list(range(min(SHOWN_SAMPLES, self.batch.size)))
        if predictions is not None:
            wrong = torch.nonzero(predictions != self.batch.target).flatten().tolist()
            if wrong and wrong[0] not in shown:
                shown[-1] = wrong[0]
        return shown

    def _rasters(self, number: int, sample: int, output_TBN: torch.Tensor) -> dict[str, Any]:
        rasters = {"input": self.batch.input_TBN, "output": output_TBN}
        if self.classifier is None:
            rasters["target"] = self.batch.target
        return {
            f"{name}_{number}": self._events(f"{name}_{number}", spikes_TBN[:, sample])
            for name, spikes_TBN in rasters.items()
        }

    def _predictions(self, output_TBN: torch.Tensor) -> torch.Tensor | None:
        """The class of each sample; None where samples have no single label."""
        labels, classes = self.batch.target, self.graph.classes
        if self.classifier is None or classes is None or labels.dim() != 1:
            return None
        return decide(self.classifier(output_TBN), labels, classes)

    def _class(
        self, number: int, sample: int, predictions: torch.Tensor, output_TBN: torch.Tensor
    ) -> dict[str, Any]:
        return {
            f"label_{number}": np.int32(self.batch.target[sample].item()),
            f"prediction_{number}": np.int32(predictions[sample].item()),
            f"rates_{number}": output_TBN[:, sample].flatten(1).mean(0).cpu().numpy(),
        }

    def _events(self, name: str, spikes_TN: torch.Tensor) -> NDArray[np.int32]:
        """Steps and cells of the spikes, and a note in ``cuts`` where there are too many."""
        events = spikes_TN.flatten(1).nonzero().to(torch.int32).cpu().numpy()
        self.cuts.pop(name, None)
        if len(events) > MOST_EVENTS:
            self.cuts[name] = int(events[MOST_EVENTS, 0])
            events = events[events[:, 0] < self.cuts[name]]
        return events


def frame_epochs(epochs: int) -> set[int]:
    """After how many epochs a frame is kept: densely at the start, where most happens."""
    return {round(epochs * (n / FRAMES) ** 2) for n in range(FRAMES + 1)}


def _head(batches: Batches, graph: Graph) -> Batch:
    """The first samples, as many as may be looked at."""
    widths = [graph.input_shape, *(layer.output_shape for layer in graph.layers)]
    cells = graph.steps * sum(int(np.prod(shape)) for shape in widths)
    count = max(1, min(MOST_SAMPLES, MOST_CELLS // cells))
    few = replace(batches, samples=batches.samples[:count], batch_size=None, packs=False)
    return next(few.in_order())


def _keep_rates(rates: dict[str, torch.Tensor], name: str):
    def keep(_block: nn.Module, _inputs: object, spikes_TBN: torch.Tensor) -> None:
        rates[name] = spikes_TBN.flatten(2).mean((0, 1))

    return keep
