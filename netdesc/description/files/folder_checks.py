"""Checks folders of event files, one folder for each class (ND304, ND316, ND327 and ND328)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from netdesc.description.files.event_checks import EventChecks
from netdesc.description.files.event_files import RECORD_BYTES
from netdesc.description.files.event_folders import class_files
from netdesc.description.files.file_context import Diagnostics, FileContext
from netdesc.description.files.file_references import FileReference
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.models import EventFile, EventFolders
from netdesc.description.models.data import Rounding
from netdesc.description.shapes import output_locations


def check_folder(context: FileContext, reference: FileReference, path: Path) -> Diagnostics:
    """Checks the classes, the lengths of their files and the first file of each. Raises OSError."""
    data = cast("EventFolders", context.document.data)
    found, train = class_files(path), context.resolve(data.train.path)
    known = class_files(train) if train.is_dir() else found
    yield from _check_classes(context, reference, found, known)
    for files in found.values():
        problems = list(_check_recordings(context, reference, files, data.rounding))
        yield from problems
        if problems:
            break  # those of other classes are probably alike
    if reference.parts[1] == "train":
        count = sum(map(len, found.values())) or None
        labels = frozenset(range(len(found))) or None
        context.training_set = TrainingSet(count, labels, data.validation is not None)


def _check_classes(
    context: FileContext, reference: FileReference, found: Collection[str], known: Collection[str]
) -> Diagnostics:
    """Checks the names of the classes ``found`` by those to train on, ``known``."""
    diagnostic, parts = context.source_map.diagnostic, reference.parts
    units = context.wiring.classes
    if not found:
        message = f"{reference.path} has no folder with event files"
        yield diagnostic("ND327", parts, message, hint="each class is a folder")
        return
    unknown = [each for each in found if each not in known]
    if unknown:
        message = f'{reference.path} has the class "{unknown[0]}", which no training sample has'
        yield diagnostic("ND328", parts, message)
    elif units is not None and len(found) > units:
        message = f"{reference.path} has {len(found)} classes; the network has {units} outputs"
        related = output_locations(context.document)
        yield diagnostic("ND316", parts, message, related=related)


def _check_recordings(
    context: FileContext, reference: FileReference, files: Sequence[Path], rounding: Rounding
) -> Diagnostics:
    """Checks the lengths of all ``files`` of a class, and the events of the first one."""
    for path in files:
        if path.suffix.lower() != ".npy" and path.stat().st_size % RECORD_BYTES:
            message = f"{_short(reference.path, path)} ends within an event; it is cut off"
            yield context.source_map.diagnostic("ND304", reference.parts, message)
            return
    first = files[0]
    event_file = EventFile(path=_short(reference.path, first), rounding=rounding)
    # Large files are not listed as unchecked: most files of a folder are not checked.
    yield from EventChecks(replace(context, unchecked=[]), event_file, reference.parts).run(first)


def _short(name: str, path: Path) -> str:
    """Returns a recording's path, with the folder as the document names it."""
    return Path(name, *path.parts[-2:]).as_posix()
