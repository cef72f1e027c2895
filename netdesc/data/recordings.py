"""Samples that are recordings of events with a class each, read when a batch needs them."""

import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc import machine
from netdesc.data.data_context import DataContext, TrainingSet
from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.event_reader import EventReader, SparseSpikes, bin_event, dense_spikes
from netdesc.data.samples import Indices, Rngs, Samples, SampleSpec
from netdesc.description.json.tree import Parts
from netdesc.events import Event, read_events
from netdesc.events.files import EVENT_SUFFIXES, RECORD_BYTES

RESERVED_SHARE = 0.25
"""Share of the memory that stays free. If less is free, spikes of recordings are not kept."""


@dataclass(frozen=True, eq=False)
class RecordedSamples(Samples):
    """The recordings ``rows`` of a list, with the class of each recording of the list.

    ``read`` returns a recording of the list by its number. ``binning`` is the section of the
    document that says how events are binned. ``cache`` keeps the spikes of recordings by number as
    long as memory is free, so that later epochs do not read them again.
    """

    spec: SampleSpec
    read: Callable[[int], Event]
    classes: NDArray[np.int64]
    binning: Any
    rows: Indices
    cache: dict[int, SparseSpikes]

    @property
    def reads_files(self) -> bool:
        return any(row not in self.cache for row in self.rows.tolist())

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.classes[self.rows]

    def dense(self, rngs: Rngs) -> tuple[NDArray[np.float32], NDArray]:
        """Reads all samples (see ``samples.Samples``); ``rngs`` are not used."""
        spec, cache = self.spec, self.loaded().cache
        spikes = [cache[row] for row in self.rows.tolist()]
        return dense_spikes(spikes, spec.steps, spec.input_shape), self.labels

    def loaded(self) -> "RecordedSamples":
        if not self.reads_files:
            return self
        cache = self.cache
        spikes = {row: cache.get(row) or self._read_spikes(row) for row in self.rows.tolist()}
        total, available = machine.memory()
        if total is not None and available is not None and available > RESERVED_SHARE * total:
            cache.update(spikes)
        return replace(self, cache=spikes)

    def _read_spikes(self, row: int) -> SparseSpikes:
        size = self.spec.steps, *self.spec.input_shape
        try:
            return bin_event(self.read(row), size, self.spec.step_ms, self.binning)[0]
        except ValueError as error:
            raise DataError(str(error)) from error


def class_files(folder: Path) -> dict[str, list[Path]]:
    """Returns the event files of each class, both in the order of their names. Raises OSError.

    Names that are all numbers are sorted by value. Other files and empty folders are passed over.
    """
    found: dict[str, list[Path]] = {}
    with os.scandir(folder) as classes:
        for entry in classes:
            if entry.is_dir():
                with os.scandir(entry) as files:
                    names = [file.name for file in files if file.is_file()]
                recordings = [each for each in names if each.lower().endswith(EVENT_SUFFIXES)]
                found[entry.name] = sorted(Path(entry.path, name) for name in recordings)
    names = sorted(name for name, files in found.items() if files)
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    return {name: found[name] for name in names}


def read_folders(context: DataContext) -> dict[str, RecordedSamples]:
    """Finds the recordings in folders of classes. Checks the classes, the lengths of all files and
    the events of the first file of each class. Other files are checked when a batch needs them.
    """
    data: Any = context.document.data
    spec, resolve = context.spec, context.description.resolve
    parts: dict[str, RecordedSamples] = {}
    names: list[str] = []
    reader = EventReader(context)
    for part, section in data.parts.items():
        at: Parts = ("data", part, "path")
        classes = class_files(resolve(section.path))
        names = names or list(classes)
        unknown = [name for name in classes if name not in names]
        if not classes:
            message = f"{section.path} has no folder with event files"
            context.add("ND327", at, message, hint="each class is a folder")
        elif unknown:
            message = f'{section.path} has the class "{unknown[0]}", which no training sample has'
            context.add("ND328", at, message)
        elif spec.classes is not None and len(classes) > spec.classes:
            message = f"{section.path} has {len(classes)} classes; the network has {spec.classes} "
            context.add("ND316", at, f"{message}outputs", about="output")
        _check_recordings(reader, classes, section.path, at)
        if part == "train" and classes:
            count, labels = sum(map(len, classes.values())), frozenset(range(len(classes)))
            context.training_set = TrainingSet(count, labels, data.validation is not None)
        if context.has_error:
            continue
        labels = _numbered([name for name, files in classes.items() for _ in files], names, at)
        paths = [path for files in classes.values() for path in files]
        parts[part] = _samples(
            spec, lambda number, paths=paths: read_events(paths[number]), labels, data, at
        )
    reader.report_dropped()
    return parts


def _check_recordings(
    reader: EventReader, classes: Mapping[str, Sequence[Path]], folder: str, at: Parts
) -> None:
    context = reader.context
    data: Any = context.document.data
    for files in classes.values():
        count = len(context.problems)
        for path in files:
            if path.suffix.lower() != ".npy" and path.stat().st_size % RECORD_BYTES:
                message = f"{_short(folder, path)} ends within an event; it is cut off"
                context.add("ND304", at, message)
                return
        reader.read(files[0], _short(folder, files[0]), at, data)
        if len(context.problems) > count:
            return  # those of other classes are probably alike


def _short(name: str, path: Path) -> str:
    """Returns a recording's path, with the folder as the document names it."""
    return Path(name, *path.parts[-2:]).as_posix()


def read_tonic(context: DataContext) -> dict[str, RecordedSamples]:
    """Loads the parts of a dataset of Tonic, which downloads it if necessary; for training only.

    Raises MissingDataError if Tonic is not installed or cannot load the dataset, DataError if the
    dataset does not fit the network.
    """
    data: Any = context.document.data
    spec, resolve = context.spec, context.description.resolve
    installed = importlib.util.find_spec("tonic")
    if installed is None or installed.origin is None:  # a folder of this name is no package
        message = "data of Tonic need the package tonic, which is not installed"
        context.add("ND329", ("data", "type"), message, hint="pip install tonic")
        return {}
    if not context.for_training:
        return {}
    known = importlib.import_module("tonic.datasets")
    if data.dataset not in known.__all__:
        raise DataError(f"Tonic has no dataset {data.dataset}; it has {', '.join(known.__all__)}")
    kind, folder = getattr(known, data.dataset), resolve(data.path)
    found: dict[str, RecordedSamples] = {}
    names: list[str] = []
    for part, choice in _part_options(kind, data.options).items():
        try:
            dataset = kind(save_to=str(folder), **choice, **data.options)
            labels = list(dataset.targets)
            if len(labels) != len(dataset):
                labels = [dataset[number][1] for number in range(len(dataset))]
        except TypeError as error:
            raise DataError(f"{data.dataset} of Tonic needs other data.options: {error}") from error
        except (OSError, ValueError, RuntimeError) as error:
            problem = f"Tonic cannot load {data.dataset} in {folder}: {error}"
            raise MissingDataError(problem) from error
        if not all(isinstance(label, int | np.integer) for label in labels):
            names = names or sorted(set(map(str, labels)))
            labels = _numbered(list(map(str, labels)), names, data.dataset)
        found[part] = _samples(spec, _tonic_reader(dataset), labels, data, data.dataset)
    if train := found.get("train"):
        labels = frozenset(np.unique(train.labels).tolist())
        context.training_set = TrainingSet(len(train), labels, "validation" in found)
    return found


def _part_options(kind: type, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the arguments that choose each part of a dataset of Tonic, unless ``options`` do.
    DataError if the dataset does not take the options."""
    known = inspect.signature(kind).parameters
    allowed = [name for name in known if name != "save_to" and "transform" not in name]
    unknown = next((name for name in options if name not in allowed), None)
    if unknown is not None:
        listed = f"it takes {', '.join(allowed)}" if allowed else "it takes none"
        raise DataError(f'{kind.__name__} of Tonic takes no option "{unknown}"; {listed}')
    parameters = known.keys() - options
    if "split" in parameters:
        splits = {"train": "train", "validation": "valid", "test": "test"}
        return {part: {"split": name} for part, name in splits.items()}
    if "train" in parameters:
        return {"train": {"train": True}, "test": {"train": False}}
    return {"train": {}}


def _tonic_reader(dataset: Any) -> Callable[[int], Event]:
    """Reads recordings of Tonic, whose times are microseconds."""

    def read(number: int) -> Event:
        events = dataset[number][0]
        columns = getattr(getattr(events, "dtype", None), "names", None) or ()
        if not {"x", "t"}.issubset(columns):
            raise DataError(f"{dataset!r} of Tonic has no events with x and t")
        y, p = (events[name].astype(np.int32) if name in columns else None for name in "yp")
        return Event(events["x"].astype(np.int32), y, p, events["t"] / 1000)

    return read


def _numbered(names: Sequence[str], known: Sequence[str], source: object) -> list[int]:
    """Returns the number of each class in ``known``. DataError if it has none."""
    numbers = {name: number for number, name in enumerate(known)}
    unknown = next((name for name in names if name not in numbers), None)
    if unknown is not None:
        raise DataError(f'{source}: the class "{unknown}" has no training sample')
    return [numbers[name] for name in names]


def _samples(
    spec: SampleSpec,
    read: Callable[[int], Event],
    labels: Sequence[int],
    binning: Any,
    source: object,
) -> RecordedSamples:
    assert spec.classes is not None, "the document was checked: its loss learns from labels"
    classes = np.asarray(labels, np.int64)
    wrong = classes[(classes < 0) | (classes >= spec.classes)]
    if len(wrong):
        outputs = f"0 to {spec.classes - 1}, one an output"
        raise DataError(f"{source}: the class {wrong[0]} is none of {outputs}")
    return RecordedSamples(spec, read, classes, binning, np.arange(len(classes)), {})
