"""Writes and reads ``activity.npz``: spikes of a few samples with the best weights and in training.

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
- ``operations_<layer>``: events that reach a layer in a step, its additions of weights, and those
  that multiply before, on average over the samples, float64 [3]; ``neurobench``: JSON
- ``trace_<layer>``: what a few neurons of a layer did in the first steps of sample 0, float32
  [signals, neurons, steps] in the unit of the threshold: the output, each input, each state before
  its reset, and for most neurons that spike the threshold; ``traced_<layer>``: the indices of these
  neurons, int32 [neurons]
- ``frame_epochs``: the numbers of complete epochs at which frames were recorded, int32 [frames];
  ``frame_<f>``: frame f, which is the output events of the first sample at that time
- ``cut_<name>``: if the raster ``name`` had too many events, the first step that is left out
"""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.neuron_text import neuron_record
from netdesc.runs.errors import RunError
from netdesc.runs.folder import ACTIVITY, open_to_read, write_file

FORMAT = 1
SHOWN_SAMPLES = 4
"""Number of samples whose events are written."""
MIN_SATURATED_RATE = 0.9
"""The lowest rate, in spikes per step, at which a neuron counts as saturated."""
MAX_EVENTS = 200_000
"""Largest number of events in a raster. If there are more, the last steps are left out."""
MAX_BYTES = 256 << 20
"""Limit on the sum of all arrays of a file. Runs write only a small fraction of this size."""

_UNREADABLE = (ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, RuntimeError)
"""What numpy raises for a damaged file. RuntimeError: a password, or another compression."""

NamedArrays = dict[str, Any]
Size = tuple[int, int]


def raster(name: str, spikes_TN: NDArray[Any], max_events: int) -> NamedArrays:
    """Returns the events of ``spikes_TN`` as the array ``name``, int32 [events, 2].

    Each event is (step, index of the neuron); events are ordered by step. If there are more than
    ``max_events``, the result also holds the number ``cut_<name>``, and events from this step on
    are left out. Such a large array is in column-major order, which compresses several times
    better.
    """
    events = np.argwhere(spikes_TN).astype(np.int32)
    if len(events) <= max_events:
        return {name: events}
    cut = events[max_events, 0]
    count = np.searchsorted(events[:, 0], cut)
    return {name: np.asfortranarray(events[:count]), f"cut_{name}": cut}


def write_activity(
    path: Path, arrays: Mapping[str, Any], frames: Mapping[int, NamedArrays], epoch: int | None
) -> None:
    """Writes the file. StorageError if that fails.

    ``frames`` maps numbers of complete epochs to the ``raster`` ``frame`` of that time. ``epoch``
    is that of the best weights, None for the initial ones.
    """
    head: NamedArrays = {
        "format": np.int32(FORMAT),
        "epoch": np.int32(-1 if epoch is None else epoch),
        "frame_epochs": np.array(sorted(frames), dtype=np.int32),
    }
    numbered = {
        f"{name}_{number}": frame[name]
        for number, (_, frame) in enumerate(sorted(frames.items()))
        for name in sorted(frame)
    }
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **head, **arrays, **numbered)
    write_file(path, content.getvalue())


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


class Activity:
    """The spikes of the network on one part of the data, ``training`` or ``validation``.

    The network has the weights that it had after epoch ``epoch``, which counts from 1 (in the file
    from 0); 0 stands for the weights before training. ``rates`` maps each layer to the spikes per
    step of its neurons, [neurons], over ``sample_count`` samples, ``operations`` to its events,
    additions and multiplications per step, and ``neurobench`` metrics of NeuroBench, or groups of
    them, to numbers. ``samples`` are the first few of these samples. ``traces`` maps layers to
    their traces, and ``snapshots`` numbers of complete epochs to the output for the first sample.
    A run of an older netdesc has no operations, neurobench and traces.
    """

    def __init__(self, arrays: "_Arrays", graph: Any) -> None:
        if (version := arrays.integer("format")) != FORMAT:
            raise ValueError(f"it has format {version}, but this netdesc reads format {FORMAT}")
        layers, part = graph.neuron_layers, str(arrays["part"])
        outputs = graph.output_steps, math.prod(graph.output_shape)
        self.epoch = arrays.integer("epoch") + 1
        self.part = "training" if part == "train" else part
        self.sample_count = arrays.integer("samples")
        self.samples = [
            arrays.sample(k, graph)
            for k in range(SHOWN_SAMPLES)
            if any(f"{name}_{k}" in arrays for name in ("input", "output", "values", "label"))
        ]
        self.rates = {each.name: arrays.rates(f"rate_{each.name}", each.neurons) for each in layers}
        self.operations = {
            layer.name: arrays.rates(name, 3)
            for layer in layers
            if (name := f"operations_{layer.name}") in arrays
        }
        self.neurobench: dict[str, Any] = {}
        if "neurobench" in arrays:
            self.neurobench = numbers_by_name(str(arrays["neurobench"]))
        self.snapshots = {
            int(epochs): arrays.raster(f"frame_{number}", outputs)
            for number, epochs in enumerate(arrays.array("frame_epochs", 1, "iu"))
        }
        self.traces = {
            layer.name: arrays.traces(layer) for layer in layers if f"trace_{layer.name}" in arrays
        }


def numbers_by_name(text: str) -> dict[str, Any]:
    """Returns a JSON object of numbers and objects of numbers; ValueError if it is none."""
    try:
        found: Any = json.loads(text)
    except RecursionError as error:
        raise ValueError("neurobench is nested too deeply") from error
    values = list[Any]()
    for each in found.values() if isinstance(found, dict) else [text]:
        values += each.values() if isinstance(each, dict) else [each]
    if not all(isinstance(each, (int, float)) and 0 <= each < 1e18 for each in values):
        raise ValueError("neurobench holds something else than numbers")
    return found


def read_activity(run: Path, graph: Any) -> Activity | None:
    """Reads the activity file, if there is one. RunError if it does not fit ``graph``."""
    path = run / ACTIVITY
    if not path.exists():
        return None
    try:
        with open_to_read(path) as file:
            size = sum(member.file_size for member in zipfile.ZipFile(file).infolist())
            if size > MAX_BYTES:
                raise RunError(f"{path}: claims {size:,} bytes, more than a run ever writes")
            with np.load(file, allow_pickle=False) as npz:
                arrays = {name: npz[name] for name in npz.files}
    except RunError:
        raise
    except _UNREADABLE as error:
        raise RunError(f"{path}: is not a complete .npz file: {error}") from error
    try:
        return Activity(_Arrays(arrays), graph)
    except (KeyError, ValueError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise RunError(f"{path}: does not belong to this run: {reason}") from error


class _Arrays(dict[str, NDArray[Any]]):
    """The arrays of an activity file, by name.

    Each method checks and returns one array. KeyError if the array is missing, ValueError if its
    shape, type or values are wrong.
    """

    def array(self, name: str, dimensions: int, kinds: str) -> NDArray[Any]:
        values = self[name]
        is_number = values.dtype.kind in kinds and values.dtype.itemsize <= 8
        if values.ndim != dimensions or not is_number:
            raise ValueError(f"{name} has {values.ndim} dimensions and the type {values.dtype}")
        return values

    def integer(self, name: str) -> int:
        return int(self.array(name, 0, "iu"))

    def rates(self, name: str, length: int) -> NDArray[Any]:
        values = self.array(name, 1, "f")
        if len(values) != length:
            raise ValueError(f"{name} holds {len(values):,} numbers instead of {length:,}")
        return values

    def raster(self, name: str, size: Size) -> SpikeRaster:
        events, (steps, cells) = self.array(name, 2, "iu"), size
        if events.shape[1] != 2:
            raise ValueError(f"{name} has no pairs of step and cell")
        if len(events) and (events.min() < 0 or (events.max(axis=0) >= (steps, cells)).any()):
            raise ValueError(f"{name} has events outside {steps:,} steps of {cells:,} cells")
        cut = self.integer(f"cut_{name}") if f"cut_{name}" in self else None
        return SpikeRaster(events.astype(np.int32, copy=False), steps, cells, cut)

    def sample(self, k: int, graph: Any) -> Sample:
        has_label, is_valued = f"label_{k}" in self, f"values_{k}" in self
        inputs = graph.steps, math.prod(graph.input_shape)
        outputs = graph.output_steps, math.prod(graph.output_shape)
        rasters = {
            name: self.raster(f"{name}_{k}", size) if f"{name}_{k}" in self else None
            for name, size in (("input", inputs), ("output", outputs), ("target", outputs))
        }
        return Sample(
            **rasters,
            values=self.array(f"values_{k}", 2, "f") if is_valued else None,
            goals=self.array(f"goals_{k}", 2, "f") if is_valued else None,
            label=self.integer(f"label_{k}") if has_label else None,
            prediction=self.integer(f"prediction_{k}") if has_label else None,
            rates=self.rates(f"rates_{k}", outputs[1]) if has_label else None,
            hidden={
                layer.name: self.raster(name, (layer.steps, layer.neurons))
                for layer in graph.neuron_layers
                if (name := f"hidden_{k}_{layer.name}") in self
            },
        )

    def traces(self, layer: Any) -> LayerTraces:
        values = self.array(f"trace_{layer.name}", 3, "f")
        neurons = self.array(f"traced_{layer.name}", 1, "iu")
        record = neuron_record(layer.neuron)
        inputs, states = record["inputs"], record["states"]
        count = 1 + len(inputs) + len(states)
        if values.shape[:2] not in {(count + more, len(neurons)) for more in (0, 1)}:
            raise ValueError(f"trace_{layer.name} does not hold the states of the layer's neurons")
        output, *signals = values
        return LayerTraces(
            neurons.tolist(),
            output,
            dict(zip(inputs, signals, strict=False)),
            dict(zip(states, signals[len(inputs) :], strict=False)),
            signals[-1] if len(values) > count else None,
        )
