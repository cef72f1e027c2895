"""An operand of the comparison: a document, a lock (``network.lock.json``), or a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from netdesc.description import Description, load
from netdesc.graph import Graph, build_graph
from netdesc.runs.folder import RECORD, lock_of
from netdesc.runs.state import read_state

if TYPE_CHECKING:
    from netdesc.runs.run_record import RunRecord


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
    record: RunRecord | None = None
    status: str | None = None
    """The status of a run, ``unknown`` without its record; None for documents and locks."""


def read_operand(path: Path) -> Operand:
    """Reads a document, a lock or the folder of a run, without its data files.

    Raises DescriptionError or RunError.
    """
    is_run = path.is_dir()
    description = load(lock_of(path) if is_run else path, with_files=False)
    graph = build_graph(description.document)
    if not is_run:
        kind = "document" if description.lock is None else "lock"
        return Operand(str(path), kind, description, graph)
    record, state = None, read_state(path)  # which knows whether a process still works on it
    if (path / RECORD).exists():
        from netdesc.runs.run_record import read_record  # loads numpy

        record = read_record(path)
    status = "unknown" if state is None else state.status
    return Operand(str(path), "run", description, graph, record, status)
