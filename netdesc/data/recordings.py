"""Samples that are recordings of events with a class each, read when a batch needs them."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.samples import Indices, SampleSpec
from netdesc.data.spike_files import SparseSpikes, bin_event, dense_spikes
from netdesc.description.files.event_folders import class_files
from netdesc.events import Event, read_events

_CHECKED = 100
"""The events of at most this many recordings are read before training begins."""


@dataclass(frozen=True, eq=False)
class RecordedSamples:
    """The recordings ``rows`` of a list, with the class of each recording of the list.

    ``read`` returns a recording of the list by its number. ``binning`` is the section of the
    document that says how events are binned.
    """

    spec: SampleSpec
    read: Callable[[int], Event]
    classes: NDArray[np.int64]
    binning: Any
    rows: Indices

    is_random = False

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.classes[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: slice | Indices) -> RecordedSamples:
        return replace(self, rows=self.rows[which])

    def dense(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray]:
        """Reads all samples (see ``samples.Samples``); ``rng`` is not used."""
        spec, spikes = self.spec, [self._spikes(row)[0] for row in self.rows]
        return dense_spikes(spikes, spec.steps, spec.input_shape), self.labels

    def warn_of_dropped(self, source: str, warn: Callable[[str], None]) -> None:
        """Warns if events of some recordings, at equal distances, lie outside of the network."""
        spec, checked = self.spec, self.rows[:: max(1, len(self) // _CHECKED)]
        dropped = [self._spikes(row)[1] for row in checked]
        if any(dropped):
            events = sum(len(self.read(row)) for row in checked)
            warn(
                f"{source}: {sum(dropped):,} of {events:,} events in {len(checked)} recordings lie "
                f"outside {spec.steps} steps of {spec.step_ms:g} ms and shape "
                f"{list(spec.input_shape)}, and are left out"
            )

    def _spikes(self, row: int) -> tuple[SparseSpikes, int]:
        spec = self.spec
        try:
            event = self.read(row)
            return bin_event(event, (spec.steps, *spec.input_shape), spec.step_ms, self.binning)
        except ValueError as error:
            raise DataError(str(error)) from error


def read_folders(
    data: Any, resolve: Callable[[str], Path], spec: SampleSpec
) -> dict[str, RecordedSamples]:
    """Finds the recordings in folders of classes. DataError if one is missing or does not fit."""
    found: dict[str, RecordedSamples] = {}
    names: list[str] = []
    for part, section in data.parts.items():
        folder = resolve(section.path)
        try:
            classes = class_files(folder)
        except OSError as error:
            raise MissingDataError(
                f"{folder}: cannot read it: {error.strerror or error}"
            ) from error
        if not classes:
            raise DataError(f"{folder}: no folder in it has event files; each class is a folder")
        names = names or list(classes)
        labels = _numbered([name for name, files in classes.items() for _ in files], names, folder)
        paths = [path for files in classes.values() for path in files]
        found[part] = _samples(spec, functools.partial(_read_path, paths), labels, data, folder)
    return found


def _read_path(paths: Sequence[Path], number: int) -> Event:
    return read_events(paths[number])


def read_tonic(
    data: Any, resolve: Callable[[str], Path], spec: SampleSpec
) -> dict[str, RecordedSamples]:
    """Loads the parts of a dataset of Tonic, which downloads it if necessary.

    Raises MissingDataError if Tonic is not installed or cannot load the dataset, DataError if the
    dataset does not fit the network.
    """
    try:
        known = importlib.import_module("tonic.datasets")
    except ImportError as error:
        raise MissingDataError(
            f"the dataset {data.dataset} needs Tonic ({error}): pip install tonic"
        ) from error
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
            raise MissingDataError(
                f"Tonic cannot load {data.dataset} in {folder}: {error}"
            ) from error
        if not all(isinstance(label, int | np.integer) for label in labels):
            names = names or sorted(set(map(str, labels)))
            labels = _numbered(list(map(str, labels)), names, data.dataset)
        found[part] = _samples(spec, _tonic_reader(dataset), labels, data, data.dataset)
    return found


def _part_options(kind: type, options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the arguments that choose each part of a dataset of Tonic, unless ``options`` do.

    DataError if the dataset does not take the options.
    """
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
        raise DataError(
            f"{source}: the class {wrong[0]} is none of 0 to {spec.classes - 1}, one an output"
        )
    return RecordedSamples(spec, read, classes, binning, np.arange(len(classes)))
