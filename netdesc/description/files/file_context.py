"""What the checks of a document's files share: the document, and what they find out about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.models import Document
from netdesc.description.shapes import Wiring, trace_shape
from netdesc.description.source_map import SourceMap

Diagnostics = Iterator[Diagnostic]


@dataclass(slots=True)
class FileContext:
    """The document whose files are checked, and what the checks find beside diagnostics.

    ``resolve`` turns a path of the document into a path of the file system. ``unchecked`` are
    sentences about files whose values are not checked, because they are too large.
    """

    document: Document
    source_map: SourceMap
    resolve: Callable[[str], Path]
    wiring: Wiring
    training_set: TrainingSet
    unchecked: list[str] = field(default_factory=list[str])

    @property
    def output_trace(self) -> str:
        """A text that shows how the output's shape follows from the layers."""
        return trace_shape(self.document, self.wiring, len(self.document.layers) - 1)
