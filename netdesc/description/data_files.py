"""Files that a document refers to (ND3xx): are they there, and can they be what they should be?

Event files are looked into as far as that is quick; reading them for training checks the rest.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from netdesc.description import structure
from netdesc.description.array_checks import ArrayChecks
from netdesc.description.diagnostic import Diagnostic, Severity
from netdesc.description.models import Arrays, Document, Lock, SpikeFiles
from netdesc.description.places import Places
from netdesc.description.plain import lookup
from netdesc.description.shapes import Shape, wire
from netdesc.description.training_set import listed
from netdesc.description.tree import Parts

EVENT_BYTES = {".bs1": 5, ".bs2": 5}
"""Bytes of one event. A .npy file has a header and is left to the reader of events."""
SUFFIXES = {
    "events": (".bs1", ".bs2", ".npy"),
    "arrays": (".npz",),
    "weights": (".net", ".safetensors"),
}
QUICK_BYTES = 1 << 20
"""Event files up to this size are checked event by event."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in lower-case hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def paths_of(document: Document) -> dict[Parts, str]:
    """Every path in a document, by its place."""
    data = document.model_dump(mode="json")
    return {parts: lookup(data, parts) for parts in structure.path_places(Document, data)}


def locked_files(lock: Lock, directory: Path) -> dict[str, Path]:
    """Where a lock's files are: beside it as when it was written, or else where they were."""
    found: dict[str, Path] = {}
    for file in lock.files:
        near, far = Path(os.path.normpath(directory / file.location)), Path(file.absolute)
        found[file.path] = far if far.exists() and not near.exists() else near
    return found


class FileChecks:
    """Checks all files of a document.

    ``resolve`` turns a path of the document into a file; ``locked`` holds the SHA-256 of the files
    of a lock, by their paths in the document.
    """

    def __init__(
        self,
        document: Document,
        places: Places,
        resolve: Callable[[str], Path],
        locked: Mapping[str, str],
    ) -> None:
        self.document = document
        self.places = places
        self.resolve = resolve
        self.locked = locked
        self.data = document.model_dump(mode="json")
        self.output_shape = wire(document).outputs[-1]
        self.training_set = listed(document)

    def run(self) -> list[Diagnostic]:
        """What is wrong with the files, in the order of the document.

        ``training_set`` is known afterwards.
        """
        return [
            finding
            for parts, quoted in paths_of(self.document).items()
            if not self.places.is_guessed(parts)
            for finding in self._check(parts, quoted, self.resolve(quoted))
        ]

    def _check(self, parts: Parts, quoted: str, path: Path) -> Iterator[Diagnostic]:
        data = self.document.data if parts[0] == "data" else None
        kind = "weights" if data is None else "arrays" if isinstance(data, Arrays) else "events"
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES[kind]:
            message = f"{quoted} is no file of {kind}: its name ends in {suffix or 'nothing'}"
            note = "allowed: " + ", ".join(SUFFIXES[kind])
            yield self._finding("ND305", parts, message, notes=(note,))
            return
        wanted = lookup(self.data, (*parts[:-1], "sha256")) or self.locked.get(quoted, "")
        quick = QUICK_BYTES if suffix == ".bs1" else 1
        try:
            size = _size(path)
            with path.open("rb") as file:
                raw = file.read(quick)
            digest = file_sha256(path) if wanted else ""
            of_arrays = self._arrays(data, path) if isinstance(data, Arrays) else []
        except FileNotFoundError:
            note = f"looked for {path.resolve()}"
            yield self._finding("ND301", parts, f"there is no file {quoted}", notes=(note,))
            return
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            yield self._finding("ND302", parts, f"cannot read {quoted}: {reason}")
            return
        if digest != wanted:
            message = f"{quoted} is not the file that was meant: its SHA-256 differs"
            yield self._finding("ND303", parts, message, notes=(f"its SHA-256 is {digest}",))
            return
        if suffix in EVENT_BYTES:
            yield from self._events(parts, quoted, EVENT_BYTES[suffix], size, raw)
        yield from of_arrays

    def _arrays(self, data: Arrays, path: Path) -> list[Diagnostic]:
        checks = ArrayChecks(self.document, data, self.places, self.output_shape)
        with path.open("rb") as file:
            found = checks.run(file)
        self.training_set = checks.training_set
        return found

    def _events(
        self, parts: Parts, quoted: str, each: int, size: int, raw: bytes
    ) -> Iterator[Diagnostic]:
        """What length and contents say; ``each`` is the size of one event in bytes."""
        if size % each:
            message = f"{quoted} has {size} bytes, which is no multiple of the {each} of an event"
            yield self._finding("ND304", parts, message)
            return
        events = size // each
        whole = len(raw) == size and each == EVENT_BYTES[".bs1"]
        outside = self._outside(parts, raw) if whole else 0
        is_target = parts[-2] == "target"
        code = "ND306" if is_target else "ND307"
        severity: Severity = "error" if is_target else "warning"
        if events == 0:
            yield self._finding(code, parts, f"{quoted} holds no events", severity)
        elif outside == events:
            message = f"all {events} events of {quoted} lie outside {self._extent(parts)}"
            yield self._finding(code, parts, message, severity)
        elif outside:
            message = f"{outside} of {events} events of {quoted} lie outside {self._extent(parts)}"
            yield self._finding("ND308", parts, message, "warning", hint="they are dropped")

    def _shape(self, parts: Parts) -> Shape | None:
        if parts[-2] == "input":
            return self.document.input.shape
        return self.output_shape

    def _extent(self, parts: Parts) -> str:
        shape = self._shape(parts)
        assert shape is not None
        time = self.document.time
        side = "inputs" if parts[-2] == "input" else "outputs"
        return f"the {math.prod(shape)} {side} and {time.steps * time.step_ms:g} ms of the network"

    def _outside(self, parts: Parts, raw: bytes) -> int:
        """How many events of a .bs1 file name no neuron or no step that there is."""
        shape = self._shape(parts)
        if shape is None:
            return 0
        neurons = math.prod(shape)
        data = self.document.data
        assert isinstance(data, SpikeFiles), "the file stands in it"
        samples = data.train if parts[1] == "train" else data.validation
        sample = samples[int(parts[2])]
        file = sample.input if parts[-2] == "input" else sample.target
        assert file is not None
        step_us = self.document.time.step_ms * 1000
        binned = math.floor if file.rounding == "floor" else round
        steps = self.document.time.steps
        return sum(
            (high << 8 | low) >= neurons
            or binned(((a & 0x7F) << 16 | b << 8 | c) / step_us) >= steps
            for high, low, a, b, c in zip(*(raw[i::5] for i in range(5)), strict=False)
        )

    def _finding(
        self,
        code: str,
        parts: Parts,
        message: str,
        severity: Severity = "error",
        *,
        hint: str = "",
        notes: tuple[str, ...] = (),
    ) -> Diagnostic:
        return self.places.diagnostic(
            code, parts, message, hint=hint, notes=notes, severity=severity
        )


def _size(path: Path) -> int:
    """Size of a regular file in bytes. Others are refused: reading a pipe would never end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        reason = "it is a directory" if stat.S_ISDIR(status.st_mode) else "it is no ordinary file"
        raise ValueError(reason)
    return status.st_size
