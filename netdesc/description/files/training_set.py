"""Number and labels of the training samples, if they can be known before training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netdesc.description.files.npz import Npz, NpzError
from netdesc.description.models import Arrays, Document, SpikeFiles


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Number and labels of the training samples, before ``validation_split`` sets some aside.

    A field is ``None`` if it is unknown, because the file is invalid or too large to be read.
    """

    samples: int | None = None
    labels: frozenset[int] | None = None
    """The distinct labels. For arrays, also ``None`` if a label has no output neuron."""


def listed_training_set(document: Document) -> TrainingSet:
    """Returns the training set of a document that lists its samples (``spike_files``).

    For other documents, both fields are ``None``.
    """
    data = document.data
    if not isinstance(data, SpikeFiles):
        return TrainingSet()
    labels = [pair.label for pair in data.train]
    known = frozenset(label for label in labels if label is not None)
    return TrainingSet(len(labels), known if None not in labels else None)


def training_samples(document: Document, resolve: Callable[[str], Path]) -> int | None:
    """Returns the number of training samples without those that ``validation_split`` sets aside.

    ``resolve`` turns a path of the document into a path of the file system. The result is ``None``
    if the file is missing or invalid.
    """
    data = document.data
    if isinstance(data, Arrays):
        total = _samples_in_arrays(resolve(data.path), data)
    else:
        total = listed_training_set(document).samples
    return None if total is None else total - document.training.held_out(total)


def _samples_in_arrays(path: Path, data: Arrays) -> int | None:
    if not path.is_file():  # opening a pipe would wait for its writer
        return None
    try:
        with path.open("rb") as file:
            npz = Npz(file)
            if data.split is None:
                return npz.header(data.targets or data.labels).shape[0]
            header = npz.header(data.split)
            is_integer = header.kind in "iu" and header.code is not None
            return npz.values(data.split).count(0) if is_integer else None
    except (OSError, NpzError, IndexError):
        return None
