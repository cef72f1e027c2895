"""Checks folders of event files, one folder for each class (ND304, ND316, ND327 and ND328)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.files.event_checks import EventChecks
from netdesc.description.files.event_files import RECORD_BYTES
from netdesc.description.json.tree import Parts
from netdesc.description.models import Document, EventFile
from netdesc.description.models.data import Rounding
from netdesc.description.shape_trace import output_locations, shape_locations
from netdesc.description.shapes import INPUT
from netdesc.description.source_map import SourceMap


def check_classes(
    document: Document,
    source_map: SourceMap,
    parts: Parts,
    name: str,
    found: Sequence[str],
    known: Sequence[str],
    outputs: int | None,
) -> Iterator[Diagnostic]:
    """Checks the classes ``found`` in the folder ``name`` by those to train on, ``known``."""
    if not found:
        message = f"{name} has no folder with event files"
        yield source_map.diagnostic("ND327", parts, message, hint="each class is a folder")
        return
    unknown = [each for each in found if each not in known]
    if unknown:
        message = f'{name} has the class "{unknown[0]}", which no training sample has'
        yield source_map.diagnostic("ND328", parts, message)
    elif outputs is not None and len(found) > outputs:
        message = f"{name} has {len(found)} classes; the network has {outputs} outputs"
        related = output_locations(document)
        yield source_map.diagnostic("ND316", parts, message, related=related)


def check_recordings(
    document: Document,
    source_map: SourceMap,
    parts: Parts,
    name: str,
    files: Sequence[Path],
    rounding: Rounding,
) -> Iterator[Diagnostic]:
    """Checks the length of all ``files`` of the folder ``name``, and the events of the first one.

    Raises OSError.
    """
    for path in files:
        if path.suffix.lower() != ".npy" and path.stat().st_size % RECORD_BYTES:
            message = f"{_short(name, path)} ends within an event; it is cut off"
            yield source_map.diagnostic("ND304", parts, message)
            return
    first = files[0]
    with first.open("rb") as file:
        checks = EventChecks(
            EventFile(path=_short(name, first), rounding=rounding),
            document.time,
            document.input.shape,
            source_map,
            parts,
            shape_locations(document, INPUT),
        )
        yield from checks.run(file, first.suffix.lower(), first.stat().st_size)


def _short(name: str, path: Path) -> str:
    """Returns a recording's path, with the folder as the document names it."""
    return Path(name, *path.parts[-2:]).as_posix()
