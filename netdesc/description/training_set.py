"""What is known of the samples that a network is to be trained on, before any is read."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.description.models import Document, SpikeFiles


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
