"""Checks that the files which a document names exist and that their contents fit (ND3xx).

The contents of very large files are checked only when training reads them.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from netdesc.description.diagnostics.diagnostic import Diagnostic, first_diagnostics
from netdesc.description.files.file_context import FileContext
from netdesc.description.files.file_kinds import KINDS, FileKind
from netdesc.description.files.file_references import FileReference, file_references
from netdesc.description.json.tree import Parts
from netdesc.description.models import Arrays, Document, Lock, SpikeFiles, Weights
from netdesc.description.models.layers import Mask
from netdesc.description.source import BEST_WEIGHTS, file_size
from netdesc.description.spelling import closest_name

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


@dataclass(slots=True)
class FileChecks:
    """Checks all files of a document.

    ``locked`` maps a path of the document to its SHA-256 in the section ``lock``. ``run`` sets what
    ``context`` has beside diagnostics.
    """

    context: FileContext
    locked: Mapping[str, str]
    names: dict[Path, list[str]] = field(default_factory=dict[Path, "list[str]"])
    valid: set[tuple[Any, ...]] = field(default_factory=set[tuple[Any, ...]])

    def run(self) -> list[Diagnostic]:
        """Returns the diagnostics of all files, in the order of the document."""
        diagnostics = (
            diagnostic
            for reference in file_references(self.context.document)
            for diagnostic in self._check_once(reference)
        )
        return self._refuse_silence(first_diagnostics(diagnostics, MAX_DIAGNOSTICS))

    def _refuse_silence(self, found: list[Diagnostic]) -> list[Diagnostic]:
        """Makes ND307 an error if no input to train on has events, as training does."""
        data = self.context.document.data
        train = [each for each in found if each.pointer.startswith("/data/train/")]
        silent = [each for each in train if each.code == "ND307"]
        if not isinstance(data, SpikeFiles) or len(silent) < len(data.train):
            return found
        return [replace(each, severity="error") if each in silent else each for each in found]

    def _check_once(self, reference: FileReference) -> list[Diagnostic]:
        """Returns a file's diagnostics. A reference that equals a valid one is not checked again:
        thousands of samples may name the same file.
        """
        parts = reference.parts
        place = parts[1] if parts[0] == "layers" else parts[-2]
        key = (parts[0], place, repr(reference.holder))
        if key in self.valid:
            return []
        found = self._check(reference, self.context.resolve(reference.path))
        if not found:
            self.valid.add(key)
        return found

    def _check(self, reference: FileReference, path: Path) -> list[Diagnostic]:
        parts, name = reference.parts, reference.path
        kinds = {"data": type(self.context.document.data), "layers": Mask}
        kind = KINDS[kinds.get(str(parts[0]), Weights)]
        diagnostic = self.context.source_map.diagnostic
        if not kind.allows(path):
            suffix = path.suffix.lower()
            why = f"its name ends in {suffix}" if suffix else "its name has no suffix"
            why = "it is a folder" if path.is_dir() else why
            why = "it is a file" if kind.folder == "always" else why
            message = f"{name} is not {kind.noun}: {why}"
            folder = ("a folder of .npy files",) if kind.folder == "maybe" else ()
            allowed = ", ".join((*kind.suffixes, *folder))
            notes = (f"allowed: {allowed}",) if allowed else ()
            hint = _type_for(suffix)
            if (path / BEST_WEIGHTS).is_file():
                hint = f'write "{name}/{BEST_WEIGHTS}", the weights of this run'
            return [diagnostic("ND305", parts, message, hint=hint, notes=notes)]
        expected = getattr(reference.holder, "sha256", None) or self.locked.get(name, "")
        try:
            if kind.must_exist and not path.is_dir():
                file_size(path)
            digest = file_sha256(path) if expected else ""
            found = list(kind.check(self.context, reference, path))
        except FileNotFoundError:
            return [self._missing(reference, path, kind)]
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            return [diagnostic("ND302", parts, f"cannot read {name}: {reason}")]
        if digest != expected:
            message = f"{name} has another SHA-256 than expected, so it is another file"
            hint, notes = self._way(parts, name), (f"its SHA-256 is {digest}",)
            return [diagnostic("ND303", parts, message, hint=hint, notes=notes)]
        return found

    def _missing(self, reference: FileReference, path: Path, kind: FileKind) -> Diagnostic:
        """Returns ND301 for a missing file, and suggests a file with a similar name."""
        parts, name, suffixes = reference.parts, reference.path, kind.suffixes
        names = self._names_in(path.parent)
        best = closest_name(
            path.name, [each for each in names if not suffixes or each.lower().endswith(suffixes)]
        )
        hint = self._way(parts, name)
        if not hint and best is not None:
            hint = f'did you mean "{os.path.join(os.path.dirname(name), best)}"?'
        elif not hint and parts[0] == "weights":
            hint = "if imported from a .net file, `netdesc import` or imported.save() writes it"
        notes = (f"looked for {path.resolve()}",)
        message = f"there is no {'folder' if kind.folder == 'always' else 'file'} {name}"
        return self.context.source_map.diagnostic("ND301", parts, message, hint=hint, notes=notes)

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


def _type_for(suffix: str) -> str:
    """Returns a hint with the type of data that reads files with this suffix, or ""."""
    types = {SpikeFiles: "spike_files", Arrays: "arrays"}
    fitting = [name for kind, name in types.items() if suffix in KINDS[kind].suffixes]
    return f'data of "type": "{fitting[0]}" reads {suffix} files' if fitting else ""
