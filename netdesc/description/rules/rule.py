"""What a rule about the meaning of a document is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from netdesc.description.diagnostic import Severity
from netdesc.description.entry import Entry
from netdesc.description.models import Cuba, Document
from netdesc.description.shapes import Wiring
from netdesc.description.tree import Parts


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule found, at a path of the document."""

    parts: Parts
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    on: Literal["key", "value"] = "value"


@dataclass(frozen=True, slots=True)
class Context:
    """What rules look at: a document of the right shape, and how its layers are wired."""

    document: Document
    wiring: Wiring
    samples: int | None
    """Samples to train on, those for ``validation_split`` included; None where it is unknown."""

    def neurons(self) -> Iterator[tuple[Parts, Cuba]]:
        """Every neuron with its place: those with a name, then those inside layers."""
        for name, neuron in self.document.neurons.items():
            yield ("neurons", name), neuron
        for index, layer in enumerate(self.document.layers):
            if layer.type == "dense" and isinstance(layer.neuron, Cuba):
                yield ("layers", index, "neuron"), layer.neuron


@dataclass(frozen=True, slots=True)
class Rule:
    """A check with its severity and its explanation."""

    entry: Entry
    severity: Severity
    check: Callable[[Context], Iterator[Finding]]
