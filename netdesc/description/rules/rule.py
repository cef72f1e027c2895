"""What a rule about the meaning of a document is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netdesc.description.codes.code import Entry
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.json.tree import Parts
from netdesc.description.models import Cuba, Document, Pair, SpikeFiles
from netdesc.description.shapes import Wiring
from netdesc.description.source_map import On, RelatedPath


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule found, at a path of the document."""

    parts: Parts
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    on: On = "value"
    related: tuple[RelatedPath, ...] = ()
    meant: str | None = None
    """The text that certainly belongs there instead."""


@dataclass(frozen=True, slots=True)
class Context:
    """What rules look at: a document of the right shape, its layers' wiring and its samples."""

    document: Document
    wiring: Wiring
    training_set: TrainingSet

    @property
    def classes(self) -> int | None:
        """How many output neurons there are, if that is known."""
        shape = self.wiring.outputs[-1]
        return None if shape is None else math.prod(shape)

    def pairs(self) -> Iterator[tuple[Parts, Pair]]:
        """Every sample that the document lists, with its place."""
        data = self.document.data
        if isinstance(data, SpikeFiles):
            for part, pairs in (("train", data.train), ("validation", data.validation)):
                for index, pair in enumerate(pairs):
                    yield ("data", part, index), pair

    def neurons(self) -> Iterator[tuple[Parts, Cuba]]:
        """Every neuron with its place: those with a name, then those inside layers."""
        for name, neuron in self.document.neurons.items():
            yield ("neurons", name), neuron
        for index, layer in enumerate(self.document.layers):
            if layer.type == "dense" and isinstance(layer.neuron, Cuba):
                yield ("layers", index, "neuron"), layer.neuron


@dataclass(frozen=True, slots=True)
class Rule:
    """A check with its explanation."""

    entry: Entry
    check: Callable[[Context], Iterator[Finding]]
