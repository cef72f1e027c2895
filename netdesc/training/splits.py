"""Reads the data of a document, and divides them into training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from netdesc.description import Description
from netdesc.description.files.array_source import ArraySource
from netdesc.description.files.idx import idx_files
from netdesc.description.models import Arrays, EventFolders, Idx, SpikeFiles, Tonic
from netdesc.description.models.arrays import DATA_EXAMPLE
from netdesc.description.models.idx import IdxPart
from netdesc.training.arrays import ArrayFile
from netdesc.training.errors import DataError, MissingDataError
from netdesc.training.file_checksum import check_file
from netdesc.training.memory_data import MemoryData
from netdesc.training.recordings import RecordedSamples, read_folders, read_tonic
from netdesc.training.samples import Samples, SampleSpec, split
from netdesc.training.spike_files import SpikeFileReader


@dataclass(frozen=True, eq=False)
class Splits:
    """The samples of each split; None if a split has no samples."""

    train: Samples
    validation: Samples | None
    test: Samples | None


def read_splits(
    description: Description,
    spec: SampleSpec,
    warn: Callable[[str], None],
    memory: MemoryData | None = None,
) -> Splits:
    """Reads all data of a description.

    ``warn`` is called with one line for each problem that is not an error. ``memory`` replaces the
    data that the description names. Raises DataError if data are missing or do not fit the network.
    """
    training = description.document.training
    splits = _read(description, spec, warn) if memory is None else _build(memory, spec, warn)
    if splits.validation is not None and training.validation_split:
        raise DataError(
            f"{description.path}: there are validation samples, and training.validation_split "
            "would take more; keep one of the two"
        )
    if training.validation_split:
        train, held_out = split(splits.train, training.validation_split, training.seed)
        splits = replace(splits, train=train, validation=held_out)
    labels = splits.train.labels
    if spec.classes is not None and labels is not None:
        missing = np.setdiff1d(np.arange(spec.classes), labels)
        if len(missing):
            few = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
            which = f"class {few} has" if len(missing) == 1 else f"classes {few} have"
            warn(f"{description.path}: {which} no sample to train on")
    return splits


def _read(description: Description, spec: SampleSpec, warn: Callable[[str], None]) -> Splits:
    data = description.document.data
    if data is None:
        raise MissingDataError(
            f'{description.path}: there is no "data"; add that section to the document, such as '
            f"{DATA_EXAMPLE}; or pass arrays in Python: data={{…}}"
        )
    return _READERS[type(data)](description, data, spec, warn)


def _build(memory: MemoryData, spec: SampleSpec, warn: Callable[[str], None]) -> Splits:
    parts = memory.samples(spec, warn)
    if "train" not in parts:
        raise DataError('data holds no samples to train on: data["train"] is needed')
    return Splits(parts["train"], parts.get("validation"), parts.get("test"))


def _read_arrays(
    description: Description, data: Any, spec: SampleSpec, warn: Callable[[str], None]
) -> Splits:
    path, batch_size = description.resolve(data.path), description.document.training.batch_size
    found = ArrayFile(path, data, spec, batch_size, warn).read()
    return Splits(found["train"], found["validation"] or None, found["test"] or None)


def _read_idx(
    description: Description, data: Any, spec: SampleSpec, warn: Callable[[str], None]
) -> Splits:
    resolve, batch_size = description.resolve, description.document.training.batch_size

    def read(part: IdxPart) -> Samples:
        images, labels = resolve(part.images.path), resolve(part.labels.path)
        check_file(images, part.images.sha256)
        check_file(labels, part.labels.sha256)

        def open_source(path: Path) -> AbstractContextManager[ArraySource]:
            return nullcontext(idx_files(path, labels, spec.input_shape))

        section = data.arrays(part)
        file = ArrayFile(images, section, spec, batch_size, warn, open_source, labels)
        return file.read()["train"]

    found = {name: read(part) for name, part in data.parts.items()}
    return Splits(found["train"], found.get("validation"), found.get("test"))


def _read_spike_files(
    description: Description, data: Any, spec: SampleSpec, warn: Callable[[str], None]
) -> Splits:
    reader = SpikeFileReader(spec, description.resolve, warn)
    train, *others = (reader.read(pairs) for pairs in data.parts.values())
    splits = Splits(train, *(part or None for part in others))
    reader.warn_of_more_files()
    return splits


def _read_recordings(
    read: Callable[[Any, Callable[[str], Path], SampleSpec], Mapping[str, RecordedSamples]],
) -> Callable[[Description, Any, SampleSpec, Callable[[str], None]], Splits]:
    def read_parts(
        description: Description, data: Any, spec: SampleSpec, warn: Callable[[str], None]
    ) -> Splits:
        found = read(data, description.resolve, spec)
        found["train"].warn_of_dropped(str(description.path), warn)
        return Splits(found["train"], found.get("validation"), found.get("test"))

    return read_parts


_READERS: dict[type, Callable[[Description, Any, SampleSpec, Callable[[str], None]], Splits]] = {
    Arrays: _read_arrays,
    SpikeFiles: _read_spike_files,
    Idx: _read_idx,
    EventFolders: _read_recordings(read_folders),
    Tonic: _read_recordings(read_tonic),
}
