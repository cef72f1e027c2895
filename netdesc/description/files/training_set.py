"""What is known of the samples that a network is to be trained on, before any is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netdesc.description.files.npz import Npz, NpzError
from netdesc.description.models import Arrays, Document, SpikeFiles


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """``validation_split`` may yet take some of the samples.

    A field is None where a file would have to tell, and does not, or is too large for a quick look.
    """

    samples: int | None = None
    labels: frozenset[int] | None = None
    """The classes that occur, where all of them are outputs of the network."""


def listed(document: Document) -> TrainingSet:
    """What the document itself says, where it lists its samples."""
    data = document.data
    if not isinstance(data, SpikeFiles):
        return TrainingSet()
    labels = [pair.label for pair in data.train]
    known = frozenset(label for label in labels if label is not None)
    return TrainingSet(len(labels), known if None not in labels else None)


def training_samples(document: Document, resolve: Callable[[str], Path]) -> int | None:
    """How many samples there are to train on.

    ``resolve`` turns a path of the document into a file. None where no data are named, or their
    file does not tell, for whatever reason.
    """
    data = document.data
    if isinstance(data, Arrays):
        total = _in_arrays(resolve(data.path), data)
    else:
        total = listed(document).samples
    return None if total is None else total - document.training.held_out(total)


def _in_arrays(path: Path, data: Arrays) -> int | None:
    try:
        with path.open("rb") as file:
            npz = Npz(file)
            if data.split is None:
                return npz.header(data.labels).shape[0]
            header = npz.header(data.split)
            is_integer = header.kind in "iu" and header.code is not None
            return npz.values(data.split).count(0) if is_integer else None
    except (OSError, NpzError, IndexError):
        return None
