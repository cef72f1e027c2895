"""An operand of the comparison: a document, a lock (``network.lock.json``), or a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from netdesc.description import Description, load
from netdesc.graph import Graph, build_graph
from netdesc.runs.files import RECORD, lock_of
from netdesc.runs.state import read_state

if TYPE_CHECKING:
    from netdesc.report.record import Record


@dataclass(frozen=True, eq=False)
class Operand:
    """One side of a comparison. ``name`` is the path that the user gave.

    ``record`` is the content of a run's ``run.json``. It is None for a document, a lock, and a run
    without this file.
    """

    name: str
    kind: Literal["document", "lock", "run"]
    description: Description
    graph: Graph
    record: Record | None = None

    @property
    def status(self) -> str | None:
        """The status of a run, ``unknown`` without its record; None for documents and locks."""
        if self.record is not None:
            return self.record.status
        return "unknown" if self.kind == "run" else None


def read_operand(path: Path) -> Operand:
    """Reads a document, a lock or the folder of a run, without its data files.

    Raises DescriptionError, NoRunError or ReportError.
    """
    is_run = path.is_dir()
    description = load(lock_of(path) if is_run else path, with_files=False)
    record = None
    if is_run and (path / RECORD).exists():
        from netdesc.report.record import read_record  # loads numpy

        record = read_record(path)
        if (state := read_state(path)) is not None:  # knows whether a process still works on it
            record = record.model_copy(update={"status": state.status})
    kind = "run" if is_run else "document" if description.lock is None else "lock"
    return Operand(str(path), kind, description, build_graph(description.document), record)
