"""``activity.npz``: what the network does with a few samples, checked against the network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import Dense, Graph
from netdesc.report.errors import ReportError
from netdesc.report.npz import read_npz
from netdesc.runs.files import ACTIVITY

FORMAT = 1
MAX_SAMPLES = 4
MAX_FRAMES = 64


@dataclass(frozen=True, eq=False)
class Raster:
    """Spikes as events, int32 [events, 2] of (step, row-major cell).

    ``cut`` is the step from which on they were left out, for they were too many.
    """

    events: NDArray[np.int32]
    steps: int
    cells: int
    cut: int | None


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample on its way through the network.

    ``target`` is there where the data has targets; ``label``, ``prediction`` (-1: none) and
    ``rates``, spikes a step of each class, where there is a classifier.
    """

    input: Raster
    output: Raster
    target: Raster | None
    label: int | None
    prediction: int | None
    rates: NDArray[np.floating] | None


@dataclass(frozen=True, eq=False)
class Frame:
    """The first sample's output after ``epochs`` complete epochs."""

    epochs: int
    output: Raster


@dataclass(frozen=True, eq=False)
class Activity:
    """``epoch`` of the weights that were looked at, on ``part`` of the data.

    It counts from 1, that of the file from 0, and is 0 for the weights before training.

    ``rates`` maps a layer to the spikes a step of each of its neurons over ``samples`` samples.
    """

    epoch: int
    part: str
    samples: int
    shown: list[Sample]
    rates: dict[str, NDArray[np.floating]]
    frames: list[Frame]


def read_activity(run: Path, graph: Graph) -> Activity | None:
    """The activity of a run, None where it has none. ReportError where it fits no such network."""
    path = run / ACTIVITY
    if not path.exists():
        return None
    arrays = read_npz(path)
    try:
        return _read(_Arrays(arrays, graph.steps), graph)
    except (KeyError, ValueError, OverflowError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ReportError(f"{path}: does not belong to this run: {what}") from error


def _read(arrays: _Arrays, graph: Graph) -> Activity:
    inputs, outputs = math.prod(graph.input_shape), math.prod(graph.output_shape)
    if (given := arrays.integer("format")) != FORMAT:
        raise ValueError(f"it has format {given}, and this netdesc reads {FORMAT}")
    frame_epochs = arrays.vector("frame_epochs", "iu")
    if len(frame_epochs) > MAX_FRAMES:
        raise ValueError(f"frame_epochs holds {len(frame_epochs)} frames")

    def sample(k: int) -> Sample:
        labelled = f"label_{k}" in arrays
        return Sample(
            input=arrays.raster(f"input_{k}", inputs),
            output=arrays.raster(f"output_{k}", outputs),
            target=arrays.raster(f"target_{k}", outputs) if f"target_{k}" in arrays else None,
            label=arrays.integer(f"label_{k}") if labelled else None,
            prediction=arrays.integer(f"prediction_{k}") if labelled else None,
            rates=arrays.vector(f"rates_{k}", "f", outputs) if labelled else None,
        )

    return Activity(
        epoch=arrays.integer("epoch") + 1,
        part=str(arrays["part"])[:20],
        samples=arrays.integer("samples"),
        shown=[sample(k) for k in range(MAX_SAMPLES) if f"input_{k}" in arrays],
        rates={
            layer.name: arrays.vector(f"rate_{layer.name}", "f", math.prod(layer.output_shape))
            for layer in graph.layers
            if isinstance(layer, Dense)
        },
        frames=[
            Frame(int(epochs), arrays.raster(f"frame_{number}", outputs))
            for number, epochs in enumerate(frame_epochs)
        ],
    )


class _Arrays(dict[str, NDArray[Any]]):
    """The arrays of a file. KeyError and ValueError name the one that does not fit."""

    def __init__(self, arrays: dict[str, NDArray[Any]], steps: int) -> None:
        super().__init__(arrays)
        self._steps = steps

    def raster(self, name: str, cells: int) -> Raster:
        events, steps = self[name], self._steps
        if events.ndim != 2 or events.shape[1] != 2 or events.dtype.kind not in "iu":
            raise ValueError(f"{name} is no list of (step, cell)")
        if len(events) and (events.min() < 0 or (events.max(axis=0) >= (steps, cells)).any()):
            raise ValueError(f"{name} has events outside {steps:,} steps of {cells:,} cells")
        cut = self.integer(f"cut_{name}") if f"cut_{name}" in self else None
        if cut is not None and not 0 <= cut <= steps:
            raise ValueError(f"cut_{name} is {cut}, which is no step")
        return Raster(events.astype(np.int32, copy=False), steps, cells, cut)

    def vector(self, name: str, kinds: str, length: int | None = None) -> NDArray[Any]:
        values = self[name]
        if values.ndim != 1 or values.dtype.kind not in kinds:
            raise ValueError(f"{name} is no list of numbers")
        if length not in (None, len(values)):
            raise ValueError(f"{name} holds {len(values):,} numbers instead of {length:,}")
        return values

    def integer(self, name: str) -> int:
        value = self[name]
        if value.ndim != 0 or value.dtype.kind not in "iu":
            raise ValueError(f"{name} is no integer")
        return int(value)
