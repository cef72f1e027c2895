"""Reads the data of a document, and divides them into training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from netdesc.data.array_samples import ArrayFile
from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.file_checksum import check_file
from netdesc.data.memory_data import MemoryData
from netdesc.data.recordings import RecordedSamples, read_folders, read_tonic
from netdesc.data.samples import Samples, SampleSpec, split
from netdesc.data.spike_files import SpikeFileReader
from netdesc.description import Description
from netdesc.description.files.array_source import ArraySource
from netdesc.description.files.idx import idx_files
from netdesc.description.models import Arrays, EventFolders, Idx, SpikeFiles, Tonic
from netdesc.description.models.arrays import DATA_EXAMPLE, IdxPart

Warn = Callable[[str], None]
SamplesByPart = Mapping[str, Samples]


@dataclass(frozen=True, eq=False)
class Splits:
    """The samples of each split; None if a split has no samples."""

    train: Samples
    validation: Samples | None
    test: Samples | None


def read_splits(
    description: Description, spec: SampleSpec, warn: Warn, memory: MemoryData | None = None
) -> Splits:
    """Reads all data of a description, or ``memory`` in their place.

    ``warn`` is called with one line for each problem that is not an error. Raises DataError if data
    are missing or do not fit the network.
    """
    training = description.document.training
    parts = _read(description, spec, warn) if memory is None else memory.samples(spec, warn)
    if "train" not in parts:
        raise DataError('data holds no samples to train on: data["train"] is needed')
    splits = Splits(parts["train"], *(parts.get(name) or None for name in ("validation", "test")))
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


def _read(description: Description, spec: SampleSpec, warn: Warn) -> SamplesByPart:
    data = description.document.data
    if data is None:
        raise MissingDataError(
            f'{description.path}: there is no "data"; add that section to the document, such as '
            f"{DATA_EXAMPLE}; or pass arrays in Python: data={{…}}"
        )
    return _READERS[type(data)](description, data, spec, warn)


def _read_arrays(
    description: Description, data: Any, spec: SampleSpec, warn: Warn
) -> SamplesByPart:
    path, batch_size = description.resolve(data.path), description.document.training.batch_size
    return ArrayFile(path, data, spec, batch_size, warn).read()


def _read_idx(description: Description, data: Any, spec: SampleSpec, warn: Warn) -> SamplesByPart:
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

    return {name: read(part) for name, part in data.parts.items()}


def _read_spike_files(
    description: Description, data: Any, spec: SampleSpec, warn: Warn
) -> SamplesByPart:
    reader = SpikeFileReader(spec, description.resolve, warn)
    parts = {name: reader.read(pairs) for name, pairs in data.pairs.items()}
    reader.warn_of_dropped()
    reader.require_events(parts["train"])
    return parts


def _read_recordings(
    read: Callable[[Any, Callable[[str], Path], SampleSpec], Mapping[str, RecordedSamples]],
    description: Description,
    data: Any,
    spec: SampleSpec,
    warn: Warn,
) -> SamplesByPart:
    parts = read(data, description.resolve, spec)
    parts["train"].warn_of_dropped(str(description.path), warn)
    return parts


_READERS: dict[type, Callable[[Description, Any, SampleSpec, Warn], SamplesByPart]] = {
    Arrays: _read_arrays,
    SpikeFiles: _read_spike_files,
    Idx: _read_idx,
    EventFolders: partial(_read_recordings, read_folders),
    Tonic: partial(_read_recordings, read_tonic),
}
"""Class of the section ``data`` -> what reads the samples of its parts."""
