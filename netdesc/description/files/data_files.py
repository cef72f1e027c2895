"""Checks that the files which a document names exist and that their contents fit (ND3xx).

The contents of very large files are checked only when training reads them.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic, first_diagnostics
from netdesc.description.files.array_checks import ArrayChecks
from netdesc.description.files.array_source import ArrayFileError
from netdesc.description.files.event_checks import EventChecks
from netdesc.description.files.npz import open_arrays
from netdesc.description.files.training_set import listed_training_set
from netdesc.description.json.tree import Parts
from netdesc.description.models import Arrays, Document, EventFile, Lock, SpikeFiles, Weights
from netdesc.description.shape_trace import output_locations, shape_locations, trace_shape
from netdesc.description.shapes import INPUT, wire
from netdesc.description.source import file_size
from netdesc.description.source_map import SourceMap
from netdesc.description.spelling import closest_name
from netdesc.sections import Section

MAX_NAMES = 10_000
"""At most this many names of a directory are compared with the name of a missing file."""
MAX_DIAGNOSTICS = 200
"""The check ends after this many diagnostics."""


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file in lower-case hexadecimal digits. Raises OSError.

    That of a folder is the SHA-256 of the names and the SHA-256 of all files in it.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for each in sorted(path.rglob("*")):
        if each.is_file():
            digest.update(
                os.fsencode(f"{each.relative_to(path).as_posix()}\0{file_sha256(each)}\n")
            )
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file that a document names.

    ``parts`` is the place of ``path`` in the document, ``holder`` the section that contains it.
    """

    parts: Parts
    path: str
    holder: Section


def file_references(document: Document) -> Iterator[FileReference]:
    """Yields every file that the document names, in the order of the models' fields."""
    for parts in structure.file_path_locations(Document, document.model_dump(mode="json")):
        holder: Any = document
        for part in parts[:-1]:
            holder = getattr(holder, str(part)) if isinstance(holder, Section) else holder[part]
        yield FileReference(parts, getattr(holder, str(parts[-1])), holder)


def file_paths(document: Document) -> dict[Parts, str]:
    """Returns all file paths in a document. The keys are their places in the document."""
    return {each.parts: each.path for each in file_references(document)}


def locked_files(lock: Lock, directory: Path) -> dict[str, Path]:
    """Maps each path in the section ``lock`` of a run's lock file to a path in the file system.

    The lock has a relative and an absolute path of each file. The relative path starts in
    ``directory``. The absolute path is used only if the relative path does not exist.
    """
    files: dict[str, Path] = {}
    exists = os.path.exists  # False, too, for a path that the system refuses
    for file in lock.files:
        relative, absolute = Path(os.path.normpath(directory / file.location)), Path(file.absolute)
        files[file.path] = absolute if exists(absolute) and not exists(relative) else relative
    return files


class FileChecks:
    """Checks all files of a document.

    ``resolve`` turns a path of the document into a path of the file system. ``locked`` maps a path
    of the document to its SHA-256 in the section ``lock``. ``run`` sets ``training_set``, and
    ``unchecked``: sentences about files whose values are not checked, because they are too large.
    """

    def __init__(
        self,
        document: Document,
        source_map: SourceMap,
        resolve: Callable[[str], Path],
        locked: Mapping[str, str],
    ) -> None:
        self.document = document
        self.source_map = source_map
        self.resolve = resolve
        self.locked = locked
        self.wiring = wire(document)
        self.training_set = listed_training_set(document)
        self.unchecked: list[str] = []
        self.names: dict[Path, list[str]] = {}
        self.valid: set[tuple[Any, ...]] = set()

    def run(self) -> list[Diagnostic]:
        """Returns the diagnostics of all files, in the order of the document."""
        diagnostics = (
            diagnostic
            for reference in file_references(self.document)
            if not self.source_map.is_guessed(reference.parts)
            for diagnostic in self._check_once(reference)
        )
        return first_diagnostics(diagnostics, MAX_DIAGNOSTICS)

    def _check_once(self, reference: FileReference) -> list[Diagnostic]:
        """Returns a file's diagnostics. A reference that equals a valid one is not checked again:
        thousands of samples may name the same file.
        """
        parts = reference.parts
        key = (parts[0], parts[-2], *vars(reference.holder).values())
        found = (
            self._check(reference, self.resolve(reference.path)) if key not in self.valid else []
        )
        if not found:
            self.valid.add(key)
        return found

    def _check(self, reference: FileReference, path: Path) -> list[Diagnostic]:
        parts, name = reference.parts, reference.path
        kind = _KINDS[type(self.document.data) if parts[0] == "data" else Weights]
        diagnostic = self.source_map.diagnostic
        if not kind.allows(path):
            suffix = path.suffix.lower()
            why = f"its name ends in {suffix}" if suffix else "its name has no suffix"
            why = "it is a folder" if path.is_dir() else why
            message = f"{name} is not {kind.noun}: {why}"
            folder = ("a folder of .npy files",) if kind.may_be_folder else ()
            notes = ("allowed: " + ", ".join((*kind.suffixes, *folder)),)
            return [diagnostic("ND305", parts, message, hint=_type_for(suffix), notes=notes)]
        expected = getattr(reference.holder, "sha256", None) or self.locked.get(name, "")
        try:
            if not path.is_dir():
                file_size(path)
            digest = file_sha256(path) if expected else ""
            found = list(kind.check(self, reference, path))
        except FileNotFoundError:
            return [self._missing(parts, name, path, kind.suffixes)]
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            return [diagnostic("ND302", parts, f"cannot read {name}: {reason}")]
        if digest != expected:
            message = f"{name} has another SHA-256 than expected, so it is another file"
            hint, notes = self._way(parts, name), (f"its SHA-256 is {digest}",)
            return [diagnostic("ND303", parts, message, hint=hint, notes=notes)]
        return found

    @property
    def output_trace(self) -> str:
        """A text that shows how the output's shape follows from the layers."""
        return trace_shape(self.document, self.wiring, len(self.document.layers) - 1)

    def _missing(
        self, parts: Parts, name: str, path: Path, suffixes: tuple[str, ...]
    ) -> Diagnostic:
        """Returns ND301 for a missing file, and suggests a file with a similar name."""
        names = self._names_in(path.parent)
        best = closest_name(path.name, [each for each in names if each.lower().endswith(suffixes)])
        hint = self._way(parts, name)
        if not hint and best is not None:
            hint = f'did you mean "{os.path.join(os.path.dirname(name), best)}"?'
        elif not hint and parts[0] == "weights":
            hint = "if imported from a .net file, `netdesc import` or imported.save() writes it"
        notes = (f"looked for {path.resolve()}",)
        message = f"there is no file {name}"
        return self.source_map.diagnostic("ND301", parts, message, hint=hint, notes=notes)

    def _way(self, parts: Parts, name: str) -> str:
        """Returns what to do without a file of a run, whose path cannot be corrected; or ""."""
        if name not in self.locked:
            return ""
        way = "put the file with which the run was trained back in its place"
        if parts[0] == "data":
            way += "; to evaluate the run on other data: netdesc.evaluate(run, data=…) in Python"
        return way

    def _names_in(self, directory: Path) -> list[str]:
        """Returns at most ``MAX_NAMES`` names in a directory, which is read only once."""
        if directory not in self.names:
            self.names[directory] = []
            with contextlib.suppress(OSError), os.scandir(directory) as entries:
                self.names[directory] = [each.name for each in itertools.islice(entries, MAX_NAMES)]
        return self.names[directory]


def _check_weights(checks: FileChecks, reference: FileReference, path: Path) -> list[Diagnostic]:
    with path.open("rb") as file:
        file.read(1)  # raises OSError if it cannot be read
    return []


def _check_events(checks: FileChecks, reference: FileReference, path: Path) -> Iterator[Diagnostic]:
    document, parts = checks.document, reference.parts
    shape, locations = document.input.shape, shape_locations(document, INPUT)
    if parts[-2] == "target":
        shape, locations = checks.wiring.outputs[-1], output_locations(document)
    events = EventChecks(
        cast("EventFile", reference.holder),
        document.time,
        shape,
        checks.source_map,
        parts,
        locations,
        checks.output_trace,
    )
    with path.open("rb") as file:
        yield from events.run(file, path.suffix.lower(), file_size(path))
    checks.unchecked += events.unchecked


def _check_arrays(checks: FileChecks, reference: FileReference, path: Path) -> list[Diagnostic]:
    data = cast("Arrays", reference.holder)
    arrays = ArrayChecks(
        checks.document,
        data,
        checks.source_map,
        checks.wiring.outputs[-1],
        checks.wiring.steps[-1],
        checks.output_trace,
    )
    try:
        with open_arrays(path) as source:
            found = arrays.run(source)
    except ArrayFileError as problem:
        message = f"{reference.path} {problem}"
        return [checks.source_map.diagnostic("ND309", reference.parts, message)]
    checks.training_set = arrays.training_set
    checks.unchecked += arrays.unchecked
    return found


class _Kind(NamedTuple):
    """What files of a section of the document are, and how their contents are checked."""

    noun: str
    suffixes: tuple[str, ...]
    check: Callable[[FileChecks, FileReference, Path], Iterable[Diagnostic]]
    may_be_folder: bool = False

    def allows(self, path: Path) -> bool:
        """Whether a file may have this name, or is a folder and may be one."""
        return path.suffix.lower() in self.suffixes or (self.may_be_folder and path.is_dir())


_KINDS: dict[type, _Kind] = {
    SpikeFiles: _Kind("a file of events", (".bs1", ".bs2", ".npy"), _check_events),
    Arrays: _Kind("a file of arrays", (".npz",), _check_arrays, may_be_folder=True),
    Weights: _Kind("a file of weights", (".net", ".safetensors"), _check_weights),
}


def _type_for(suffix: str) -> str:
    """Returns a hint with the type of data that reads files with this suffix, or ""."""
    types = {SpikeFiles: "spike_files", Arrays: "arrays"}
    fitting = [name for kind, name in types.items() if suffix in _KINDS[kind].suffixes]
    return f'data of "type": "{fitting[0]}" reads {suffix} files' if fitting else ""
