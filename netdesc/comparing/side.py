"""One of the two that are compared: a document, a lock, or a run with its lock and record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from netdesc.description import Description, load
from netdesc.graph import Graph, build_graph
from netdesc.run_files import RECORD, lock_of

if TYPE_CHECKING:
    from netdesc.report.record import Record


@dataclass(frozen=True, eq=False)
class Side:
    """``name`` is as the user gave it; only a run has a ``record``, unless that is lost."""

    name: str
    kind: Literal["document", "lock", "run"]
    description: Description
    graph: Graph
    record: Record | None = None

    @property
    def versions(self) -> dict[str, str] | None:
        """Versions of the programs that took part; None for what was never run."""
        if self.record is not None and self.record.versions:
            return self.record.versions
        lock = self.description.lock
        return None if lock is None else lock.versions


def read_side(path: Path) -> Side:
    """What is at a path, without its data. DescriptionError, NoRunError or ReportError."""
    if not path.is_dir():
        description = load(path, with_files=False)
        kind = "document" if description.lock is None else "lock"
        return Side(str(path), kind, description, build_graph(description.document))
    description = load(lock_of(path), with_files=False)
    record = None
    if (path / RECORD).exists():
        from netdesc.report.record import read_record  # loads numpy

        record = read_record(path)
    return Side(str(path), "run", description, build_graph(description.document), record)
