"""Reads ``activity.npz``: input and output spikes of a few samples, and spike rates of neurons."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.neuron_text import neuron_record
from netdesc.graph import Graph, SynapticNode
from netdesc.report.errors import ReportError
from netdesc.report.npz import read_npz
from netdesc.runs.files import ACTIVITY

FORMAT = 1
MAX_SAMPLES = 4
MAX_FRAMES = 64


@dataclass(frozen=True, eq=False)
class SpikeRaster:
    """The spikes of one sample as events, int32 [events, 2]: step and flat (row-major) cell index.

    ``cut`` is None if all spikes are stored. If there were too many, the spikes from step ``cut``
    on are missing.
    """

    events: NDArray[np.int32]
    steps: int
    cells: int
    cut: int | None


@dataclass(frozen=True, eq=False)
class Sample:
    """Input and output of the network for one sample.

    ``target`` is None if the sample has no target. ``label``, ``prediction`` (-1: no class) and
    ``rates`` (what the classifier compares) are None if the sample has no label. ``hidden`` maps
    the names of hidden layers to their spikes. It is empty in a run of an older netdesc. ``input``
    and ``output`` are None if they are real numbers. If samples have target values, ``values`` are
    the outputs of the first neurons, [steps, neurons], and ``goals`` their targets, [steps,
    neurons] or [1, neurons].
    """

    input: SpikeRaster | None
    output: SpikeRaster | None
    target: SpikeRaster | None
    label: int | None
    prediction: int | None
    rates: NDArray[np.floating] | None
    values: NDArray[np.floating] | None = None
    goals: NDArray[np.floating] | None = None
    hidden: dict[str, SpikeRaster] = field(default_factory=dict[str, SpikeRaster])


@dataclass(frozen=True, eq=False)
class LayerTraces:
    """What a few neurons of a layer did in the first steps of the first sample.

    ``neurons`` are their indices. ``output`` is [neurons, steps], and ``inputs`` and ``states`` map
    the names in the equations to such arrays, in the unit of the threshold. States are those before
    the reset. ``threshold`` is what a state must reach or exceed for a spike, None if the neuron
    has none.
    """

    neurons: list[int]
    output: NDArray[np.floating]
    inputs: dict[str, NDArray[np.floating]]
    states: dict[str, NDArray[np.floating]]
    threshold: NDArray[np.floating] | None


@dataclass(frozen=True, eq=False)
class OutputSnapshot:
    """The output for the first sample after ``epochs`` complete epochs."""

    epochs: int
    output: SpikeRaster


@dataclass(frozen=True, eq=False)
class Activity:
    """The spikes of the network on one part of the data, ``training`` or ``validation``.

    The network has the weights that it had after epoch ``epoch``, which counts from 1 (in the file
    from 0); 0 stands for the weights before training. ``rates`` maps each layer to the spikes per
    step of its neurons, [neurons], over ``sample_count`` samples. ``samples`` are the first few of
    these samples. ``traces`` maps layers to their traces; it is empty in a run of an older netdesc.
    """

    epoch: int
    part: str
    sample_count: int
    samples: list[Sample]
    rates: dict[str, NDArray[np.floating]]
    snapshots: list[OutputSnapshot]
    traces: dict[str, LayerTraces]


def read_activity(run: Path, graph: Graph) -> Activity | None:
    """Reads the activity file, if there is one. ReportError if it does not fit the network."""
    path = run / ACTIVITY
    if not path.exists():
        return None
    arrays = read_npz(path)
    try:
        return _read(_Arrays(arrays), graph)
    except (KeyError, ValueError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ReportError(f"{path}: does not belong to this run: {reason}") from error


def _read(arrays: _Arrays, graph: Graph) -> Activity:
    inputs = graph.steps, math.prod(graph.input_shape)
    outputs = graph.output_steps, math.prod(graph.output_shape)
    if (version := arrays.integer("format")) != FORMAT:
        raise ValueError(f"it has format {version}, but this netdesc reads format {FORMAT}")
    frame_epochs = arrays.vector("frame_epochs", "iu")
    if len(frame_epochs) > MAX_FRAMES:
        raise ValueError(f"frame_epochs holds {len(frame_epochs)} frames")
    part = str(arrays["part"])[:20]

    def sample(k: int) -> Sample:
        has_label, is_valued = f"label_{k}" in arrays, f"values_{k}" in arrays
        values = arrays.curves(f"values_{k}", graph.output_steps) if is_valued else None
        goals = arrays.curves(f"goals_{k}", graph.output_steps) if is_valued else None
        if values is not None and goals is not None and values.shape[1] != goals.shape[1]:
            raise ValueError(f"values_{k} and goals_{k} have different neurons")
        return Sample(
            input=arrays.raster_if_any(f"input_{k}", inputs),
            output=arrays.raster_if_any(f"output_{k}", outputs),
            target=arrays.raster_if_any(f"target_{k}", outputs),
            values=values,
            goals=goals,
            label=arrays.integer(f"label_{k}") if has_label else None,
            prediction=arrays.integer(f"prediction_{k}") if has_label else None,
            rates=arrays.vector(f"rates_{k}", "f", outputs[1]) if has_label else None,
            hidden={
                layer.name: arrays.raster(name, (layer.steps, layer.neurons))
                for layer in graph.neuron_layers
                if (name := f"hidden_{k}_{layer.name}") in arrays
            },
        )

    return Activity(
        epoch=arrays.integer("epoch") + 1,
        part="training" if part == "train" else part,
        sample_count=arrays.integer("samples"),
        samples=[
            sample(k)
            for k in range(MAX_SAMPLES)
            if any(f"{name}_{k}" in arrays for name in ("input", "output", "values", "label"))
        ],
        rates={
            layer.name: arrays.vector(f"rate_{layer.name}", "f", math.prod(layer.output_shape))
            for layer in graph.neuron_layers
        },
        snapshots=[
            OutputSnapshot(int(epochs), arrays.raster(f"frame_{number}", outputs))
            for number, epochs in enumerate(frame_epochs)
        ],
        traces={
            layer.name: arrays.traces(layer)
            for layer in graph.neuron_layers
            if f"trace_{layer.name}" in arrays
        },
    )


class _Arrays(dict[str, NDArray[Any]]):
    """The arrays of an activity file, by name.

    Each method checks and returns one array. KeyError if the array is missing, ValueError if its
    shape, type or values are wrong.
    """

    def raster(self, name: str, size: tuple[int, int]) -> SpikeRaster:
        events, (steps, cells) = self[name], size
        if events.ndim != 2 or events.shape[1] != 2 or events.dtype.kind not in "iu":
            raise ValueError(f"{name} is not a list of (step, cell)")
        if len(events) and (events.min() < 0 or (events.max(axis=0) >= (steps, cells)).any()):
            raise ValueError(f"{name} has events outside {steps:,} steps of {cells:,} cells")
        cut = self.integer(f"cut_{name}") if f"cut_{name}" in self else None
        if cut is not None and not 0 <= cut <= steps:
            raise ValueError(f"cut_{name} is {cut}, which is not a step")
        return SpikeRaster(events.astype(np.int32, copy=False), steps, cells, cut)

    def raster_if_any(self, name: str, size: tuple[int, int]) -> SpikeRaster | None:
        return self.raster(name, size) if name in self else None

    def curves(self, name: str, steps: int) -> NDArray[Any]:
        values = self[name]
        if values.ndim != 2 or values.dtype.kind != "f" or not 0 < len(values) <= steps:
            raise ValueError(f"{name} is no list of values")
        return values

    def traces(self, layer: SynapticNode) -> LayerTraces:
        values, name = self[f"trace_{layer.name}"], f"traced_{layer.name}"
        neurons, cells = self.vector(name, "iu"), math.prod(layer.output_shape)
        if len(neurons) and not 0 <= neurons.min() <= neurons.max() < cells:
            raise ValueError(f"{name} names neurons that the layer does not have")
        record = neuron_record(layer.neuron)
        inputs, states = record["inputs"], record["states"]
        count = 1 + len(inputs) + len(states)
        shapes = {(count + more, len(neurons)) for more in (0, 1)}
        if values.ndim != 3 or values.dtype.kind != "f" or values.shape[:2] not in shapes:
            raise ValueError(f"trace_{layer.name} does not hold the states of the layer's neurons")
        if not 0 < values.shape[2] <= layer.steps:
            raise ValueError(f"trace_{layer.name} has {values.shape[2]:,} steps")
        output, *signals = values
        return LayerTraces(
            neurons.tolist(),
            output,
            dict(zip(inputs, signals, strict=False)),
            dict(zip(states, signals[len(inputs) :], strict=False)),
            signals[-1] if len(values) > count else None,
        )

    def vector(self, name: str, kinds: str, length: int | None = None) -> NDArray[Any]:
        values = self[name]
        if values.ndim != 1 or values.dtype.kind not in kinds:
            raise ValueError(f"{name} is not a list of numbers")
        if length not in (None, len(values)):
            raise ValueError(f"{name} holds {len(values):,} numbers instead of {length:,}")
        return values

    def integer(self, name: str) -> int:
        value = self[name]
        if value.ndim != 0 or value.dtype.kind not in "iu":
            raise ValueError(f"{name} is not an integer")
        return int(value)
