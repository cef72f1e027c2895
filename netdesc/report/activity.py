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
from netdesc.run_files import ACTIVITY

FORMAT = 1
MOST_SAMPLES = 4
MOST_FRAMES = 64


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
    """The activity of a run, None where it has none. ReportError where it fits no such network.

    It is worth no report: without it, one is written that says so.
    """
    path = run / ACTIVITY
    if not path.exists():
        return None
    arrays = read_npz(path)
    try:
        return _Reader(arrays, graph).read()
    except (KeyError, ValueError, OverflowError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ReportError(f"{path}: does not belong to this run: {what}") from error


class _Reader:
    """Takes the arrays of a file apart. KeyError and ValueError name the one that does not fit."""

    def __init__(self, arrays: dict[str, NDArray[Any]], graph: Graph) -> None:
        self._arrays = arrays
        self._graph = graph
        self._inputs = math.prod(graph.input_shape)
        self._outputs = math.prod(graph.output_shape)

    def read(self) -> Activity:
        given = self._whole("format")
        if given != FORMAT:
            raise ValueError(f"it has format {given}, and this netdesc reads {FORMAT}")
        count = next(k for k in range(MOST_SAMPLES + 1) if not self._has_sample(k))
        frames = self._vector("frame_epochs", "iu")
        if len(frames) > MOST_FRAMES:
            raise ValueError(f"frame_epochs holds {len(frames)} frames")
        part = self._arrays["part"]
        return Activity(
            epoch=self._whole("epoch") + 1,
            part=str(part)[:20] if part.dtype.kind == "U" and part.ndim == 0 else "",
            samples=self._whole("samples"),
            shown=[self._sample(k) for k in range(count)],
            rates={
                layer.name: self._rates(f"rate_{layer.name}", math.prod(layer.output_shape))
                for layer in self._graph.layers
                if isinstance(layer, Dense)
            },
            frames=[
                Frame(int(epochs), self._raster(f"frame_{number}", self._outputs))
                for number, epochs in enumerate(frames)
            ],
        )

    def _has_sample(self, k: int) -> bool:
        return k < MOST_SAMPLES and f"input_{k}" in self._arrays

    def _sample(self, k: int) -> Sample:
        labelled = f"label_{k}" in self._arrays
        return Sample(
            input=self._raster(f"input_{k}", self._inputs),
            output=self._raster(f"output_{k}", self._outputs),
            target=self._raster(f"target_{k}", self._outputs)
            if f"target_{k}" in self._arrays
            else None,
            label=self._whole(f"label_{k}") if labelled else None,
            prediction=self._whole(f"prediction_{k}") if labelled else None,
            rates=self._rates(f"rates_{k}", self._outputs) if labelled else None,
        )

    def _raster(self, name: str, cells: int) -> Raster:
        events, steps = self._arrays[name], self._graph.steps
        if events.ndim != 2 or events.shape[1] != 2 or events.dtype.kind not in "iu":
            raise ValueError(f"{name} is no list of (step, cell)")
        if len(events) and (
            events.min() < 0 or events[:, 0].max() >= steps or events[:, 1].max() >= cells
        ):
            raise ValueError(f"{name} has events outside {steps:,} steps of {cells:,} cells")
        cut = self._whole(f"cut_{name}") if f"cut_{name}" in self._arrays else None
        if cut is not None and not 0 <= cut <= steps:
            raise ValueError(f"cut_{name} is {cut}, which is no step")
        return Raster(events.astype(np.int32, copy=False), steps, cells, cut)

    def _rates(self, name: str, neurons: int) -> NDArray[np.floating]:
        rates = self._vector(name, "f")
        if len(rates) != neurons:
            raise ValueError(f"{name} holds {len(rates):,} rates of {neurons:,} neurons")
        return rates

    def _vector(self, name: str, kinds: str) -> NDArray[Any]:
        values = self._arrays[name]
        if values.ndim != 1 or values.dtype.kind not in kinds:
            raise ValueError(f"{name} is no list of numbers")
        return values

    def _whole(self, name: str) -> int:
        value = self._arrays[name]
        if value.ndim != 0 or value.dtype.kind not in "iu":
            raise ValueError(f"{name} is no whole number")
        return int(value)
