"""Checks that the files of a document exist and are those that it means (ND301 to ND303, ND305)."""

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from netdesc.data.data_context import Problem
from netdesc.description import Description
from netdesc.description.file_references import (
    FileReference,
    file_references,
    file_sha256,
    files_below,
)
from netdesc.description.models import Arrays, EventFolders, Idx, SpikeFiles, Tonic, Weights
from netdesc.description.models.layers import Mask
from netdesc.description.source import BEST_WEIGHTS, NETWORK_SUFFIXES, file_size
from netdesc.description.spelling import closest_name
from netdesc.events.files import EVENT_SUFFIXES

CHECKED_DATA = "data.json"
"""In the folder of a run: the ``data_stamp`` of the data that it has checked."""

MAX_NAMES = 10_000
"""At most this many names of a directory are compared with the name of a missing file."""


class FileKind(NamedTuple):
    """What files of a section of the document are."""

    noun: str
    suffixes: tuple[str, ...] = ()
    """The suffixes that names may have; empty if all may."""
    folder: Literal["never", "maybe", "always"] = "never"
    must_exist: bool = True

    def allows(self, path: Path) -> bool:
        """Whether a file may have this name, or a folder may be here."""
        if self.folder != "never" and path.is_dir():
            return True
        if self.folder == "always":
            return not path.exists()
        return not self.suffixes or path.suffix.lower() in self.suffixes


KINDS: dict[type, FileKind] = {
    SpikeFiles: FileKind("a file of events", EVENT_SUFFIXES),
    Arrays: FileKind("a file of arrays", (".npz",), folder="maybe"),
    Idx: FileKind("an idx file"),
    EventFolders: FileKind("a folder of event files", folder="always"),
    Tonic: FileKind("a folder", folder="always", must_exist=False),
    Mask: FileKind("a file of a mask", (".npy", ".npz")),
    Weights: FileKind("a file of weights", (*NETWORK_SUFFIXES, ".safetensors")),
}
"""Class of the section that names files -> what they are."""


class FileChecks:
    """Checks the files that a document names, before their contents."""

    def __init__(self, description: Description) -> None:
        self.description, lock = description, description.lock
        self.locked = {file.path: file.sha256 or "" for file in lock.files} if lock else {}
        """Path of a file in a run's lock -> its SHA-256, or "" without one."""
        self.are_checked = lock is not None and _has_stamp(description)
        """Whether a run has checked these data: SHA-256 and values are not checked again."""
        self._names: dict[Path, list[str]] = {}

    def run(self, sections: Collection[str]) -> Iterator[Problem]:
        """Yields the problems of the files in some sections of the document.

        A file of which several samples have a part is checked once if it is valid.
        """
        valid: set[object] = set()
        for reference in file_references(self.description.document):
            section = str(reference.parts[0])
            key = (section, reference.path, getattr(reference.holder, "sha256", None))
            if section not in sections or key in valid:
                continue
            problem = self._check(reference, self.description.resolve(reference.path))
            if problem is None:
                valid.add(key)
            else:
                yield problem

    def _check(self, reference: FileReference, path: Path) -> Problem | None:
        parts, name = reference.parts, reference.path
        holders = {"data": type(self.description.document.data), "layers": Mask}
        kind = KINDS[holders.get(str(parts[0]), Weights)]
        if not kind.allows(path):
            return _wrong_kind(reference, path, kind)
        expected = getattr(reference.holder, "sha256", None) or self.locked.get(name, "")
        try:
            if kind.folder != "never" and path.is_dir():
                next(path.iterdir(), None)
            elif kind.must_exist:
                file_size(path)
                path.open("rb").close()
            is_checked = self.are_checked and parts[0] == "data"
            digest = file_sha256(path) if expected and not is_checked else expected
        except FileNotFoundError:
            return self._missing(reference, path, kind)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Problem("ND302", parts, f"cannot read {name}: {reason}")
        if digest == expected:
            return None
        message = f"{name} has another SHA-256 than expected, so it is another file"
        hint, notes = self._way(reference), (f"its SHA-256 is {digest}",)
        return Problem("ND303", parts, message, hint, notes)

    def _missing(self, reference: FileReference, path: Path, kind: FileKind) -> Problem:
        """Returns ND301 for a missing file, and suggests a file with a similar name."""
        parts, name, suffixes = reference.parts, reference.path, kind.suffixes
        others = self._names_in(path.parent)
        names = [each for each in others if not suffixes or each.lower().endswith(suffixes)]
        best, hint = closest_name(path.name, names), self._way(reference)
        if not hint and best is not None:
            hint = f'did you mean "{os.path.join(os.path.dirname(name), best)}"?'
        elif not hint and parts[0] == "weights":
            hint = "if imported from a network file, `netdesc import` or imported.save() writes it"
        notes = (f"looked for {path.resolve()}",)
        message = f"there is no {'folder' if kind.folder == 'always' else 'file'} {name}"
        return Problem("ND301", parts, message, hint, notes)

    def _way(self, reference: FileReference) -> str:
        """Returns what to do without a file of a run, whose path cannot be corrected; or ""."""
        if reference.path not in self.locked:
            return ""
        hint = "put the file with which the run was trained back in its place"
        if reference.parts[0] == "data":
            hint += "; to evaluate the run on other data: netdesc.evaluate(run, data=…) in Python"
        return hint

    def _names_in(self, directory: Path) -> list[str]:
        """Returns at most ``MAX_NAMES`` names in a directory, which is read only once."""
        if directory not in self._names:
            self._names[directory] = []
            with contextlib.suppress(OSError), os.scandir(directory) as entries:
                self._names[directory] = [each.name for each in islice(entries, MAX_NAMES)]
        return self._names[directory]


def data_stamp(description: Description) -> str:
    """Returns a text that is equal as long as the data of a run have not changed.

    It holds size, times and place on the disk of each file, and a digest of the document without
    ``training``, because the document decides how values are checked. Raises OSError.
    """
    whole = description.document.model_dump(mode="json", exclude={"training"})
    files: dict[str, tuple[int, ...]] = {}
    for reference in file_references(description.document):
        if reference.parts[0] != "data":
            continue
        path = description.resolve(reference.path)
        for file in (path, *files_below(path)):
            status = file.stat()
            name = Path(reference.path, file.relative_to(path)).as_posix()
            times = status.st_mtime_ns, status.st_ctime_ns  # a copy may keep the first
            files[name] = status.st_size, *times, status.st_ino
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()
    return json.dumps({"document": digest, "files": files}, indent=1) + "\n"


def _has_stamp(description: Description) -> bool:
    path = description.path.parent / CHECKED_DATA
    try:
        return file_size(path) > 0 and path.read_text("utf-8") == data_stamp(description)
    except (OSError, ValueError):
        return False


def _wrong_kind(reference: FileReference, path: Path, kind: FileKind) -> Problem:
    suffix, name = path.suffix.lower(), reference.path
    why = f"its name ends in {suffix}" if suffix else "its name has no suffix"
    why = "it is a folder" if path.is_dir() else why
    why = "it is a file" if kind.folder == "always" else why
    folder = ("a folder of .npy files",) if kind.folder == "maybe" else ()
    allowed = ", ".join((*kind.suffixes, *folder))
    types = {"spike_files": SpikeFiles, "arrays": Arrays}
    fitting = [name for name, section in types.items() if suffix in KINDS[section].suffixes]
    hint = f'data of "type": "{fitting[0]}" reads {suffix} files' if fitting else ""
    if (path / BEST_WEIGHTS).is_file():
        hint = f'write "{name}/{BEST_WEIGHTS}", the weights of this run'
    notes = (f"allowed: {allowed}",) if allowed else ()
    return Problem("ND305", reference.parts, f"{name} is not {kind.noun}: {why}", hint, notes)
