"""What can be known of the training samples before training: their number and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.description.files.array_source import ArrayFileError, array_values
from netdesc.description.files.event_folders import class_files
from netdesc.description.files.idx import idx_files
from netdesc.description.files.npz import open_arrays
from netdesc.description.models import Arrays, Document, EventFolders, Idx, SpikeFiles

TRAIN, VALIDATION, TEST = 0, 1, 2
"""The values of the array ``split``: the set to which each sample belongs."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Number and labels of the training samples, before ``validation_split`` sets some aside.

    A field is ``None`` if it is unknown, because the file is invalid or too large to be read.
    """

    samples: int | None = None
    labels: frozenset[int] | None = None
    """The distinct labels. For arrays, also ``None`` if a label has no output neuron."""
    has_validation: bool | None = None
    """Whether the data hold samples for validation."""


def listed_training_set(document: Document) -> TrainingSet:
    """Returns the training set of a document that lists its samples; an unknown one for others."""
    data = document.data
    if not isinstance(data, SpikeFiles):
        return TrainingSet()
    labels = [pair.label for pair in data.train]
    known = frozenset(label for label in labels if label is not None)
    return TrainingSet(
        len(labels), known if None not in labels else None, has_validation=bool(data.validation)
    )


def read_training_set(document: Document, resolve: Callable[[str], Path]) -> TrainingSet:
    """Returns the training set of a document, without the labels of arrays.

    ``resolve`` turns a path of the document into a path of the file system. The fields are ``None``
    if the file is missing or invalid.
    """
    data = document.data
    try:
        count = _COUNTS.get(type(data))
        return listed_training_set(document) if count is None else count(document, data, resolve)
    except (OSError, ArrayFileError, IndexError):
        return TrainingSet()


_Resolve = Callable[[str], Path]


def _count_in_idx(document: Document, data: Any, resolve: _Resolve) -> TrainingSet:
    images, labels = resolve(data.images.path), resolve(data.labels.path)
    header = idx_files(images, labels, document.input.shape).header("labels")
    return TrainingSet(header.shape[0], has_validation=data.validation is not None)


def _count_in_folders(document: Document, data: Any, resolve: _Resolve) -> TrainingSet:
    found = class_files(resolve(data.train.path)).values()
    return TrainingSet(sum(map(len, found)), has_validation=data.validation is not None)


def _count_in_arrays(document: Document, data: Any, resolve: _Resolve) -> TrainingSet:
    with open_arrays(resolve(data.path)) as source:
        if data.split is None:
            return TrainingSet(source.header(data.goal[1]).shape[0], has_validation=False)
        header = source.header(data.split)
        if header.kind not in "iu" or header.code is None:
            return TrainingSet()
        parts = array_values(source, data.split)
        return TrainingSet(parts.count(TRAIN), has_validation=VALIDATION in parts)


_COUNTS: dict[type, Callable[[Document, Any, _Resolve], TrainingSet]] = {
    Arrays: _count_in_arrays,
    Idx: _count_in_idx,
    EventFolders: _count_in_folders,
}
