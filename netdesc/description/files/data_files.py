"""Files that a document refers to (ND3xx): are they there, and can they be what they should be?

Event files are looked into as far as that is quick; reading them for training checks the rest.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from netdesc.description.diagnostics.diagnostic import Diagnostic, Severity, first_diagnostics
from netdesc.description.files.array_checks import ArrayChecks
from netdesc.description.files.event_checks import EventChecks
from netdesc.description.files.file_references import Mention, mentions
from netdesc.description.files.training_set import listed
from netdesc.description.json.tree import Parts
from netdesc.description.models import Arrays, Document, Lock, SpikeFiles
from netdesc.description.shape_trace import output_locations, shape_locations, trace_shape
from netdesc.description.shapes import INPUT, wire
from netdesc.description.source import file_size
from netdesc.description.source_map import SourceMap
from netdesc.description.spelling import closest_name

SUFFIXES = {
    "events": (".bs1", ".bs2", ".npy"),
    "arrays": (".npz",),
    "weights": (".net", ".safetensors"),
}
MOST_NAMES = 10_000
"""So many names of a directory are looked at for the one that is not there."""
MOST_FINDINGS = 200
"""After so many findings the files that are left are not looked at."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in lower-case hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def paths_of(document: Document) -> dict[Parts, str]:
    """Every path in a document, by its place."""
    return {each.parts: each.path for each in mentions(document)}


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
        source_map: SourceMap,
        resolve: Callable[[str], Path],
        locked: Mapping[str, str],
    ) -> None:
        self.document = document
        self.source_map = source_map
        self.resolve = resolve
        self.locked = locked
        self.wiring = wire(document)
        self.output_shape = self.wiring.outputs[-1]
        self.training_set = listed(document)
        self.names: dict[Path, list[str]] = {}
        self.sound: set[tuple[Any, ...]] = set()

    def run(self) -> list[Diagnostic]:
        """What is wrong with the files, in the order of the document.

        ``training_set`` is known afterwards.
        """
        found = (
            finding
            for mention in mentions(self.document)
            if not self.source_map.is_guessed(mention.parts)
            for finding in self._check_once(mention)
        )
        return first_diagnostics(found, MOST_FINDINGS)

    def _check_once(self, mention: Mention) -> Iterator[Diagnostic]:
        """The findings about one mention of a file; none where it was found to be sound already.

        Thousands of samples may name the same files.
        """
        parts = mention.parts
        said = (parts[0], parts[-2], *vars(mention.holder).values())
        if said in self.sound:
            return
        is_sound = True
        for finding in self._check(mention, self.resolve(mention.path)):
            is_sound = False
            yield finding
        if is_sound:
            self.sound.add(said)

    def _check(self, mention: Mention, path: Path) -> Iterator[Diagnostic]:
        parts, quoted = mention.parts, mention.path
        data = self.document.data if parts[0] == "data" else None
        kind = "weights" if data is None else "arrays" if isinstance(data, Arrays) else "events"
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES[kind]:
            why = f"its name ends in {suffix}" if suffix else "its name has no ending"
            message = f"{quoted} is no file of {kind}: {'it is a folder' if path.is_dir() else why}"
            note = "allowed: " + ", ".join(SUFFIXES[kind])
            yield self._finding(
                "ND305", parts, message, hint=_type_for(suffix, kind), notes=(note,)
            )
            return
        wanted = getattr(mention.holder, "sha256", None) or self.locked.get(quoted, "")
        try:
            size = file_size(path)
            with path.open("rb") as file:
                file.read(1)
            digest = file_sha256(path) if wanted else ""
            inside = self._inside(data, parts, path, size)
        except FileNotFoundError:
            yield self._missing(parts, quoted, path, SUFFIXES[kind])
            return
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            yield self._finding("ND302", parts, f"cannot read {quoted}: {reason}")
            return
        if digest != wanted:
            message = f"{quoted} is not the file that was meant: its SHA-256 differs"
            yield self._finding("ND303", parts, message, notes=(f"its SHA-256 is {digest}",))
            return
        yield from inside

    def _inside(
        self, data: Arrays | SpikeFiles | None, parts: Parts, path: Path, size: int
    ) -> list[Diagnostic]:
        """What is wrong with the contents of a file that is there."""
        if data is None:
            return []
        with path.open("rb") as file:
            if isinstance(data, SpikeFiles):
                checks = self._event_checks(data, parts)
                return list(checks.run(file, path.suffix.lower(), size))
            way = trace_shape(self.document, self.wiring, len(self.document.layers) - 1)
            checks = ArrayChecks(self.document, data, self.source_map, self.output_shape, way)
            found = checks.run(file)
            self.training_set = checks.training_set
            return found

    def _event_checks(self, data: SpikeFiles, parts: Parts) -> EventChecks:
        samples = data.train if parts[1] == "train" else data.validation
        sample = samples[int(parts[2])]
        is_input = parts[-2] == "input"
        file = sample.input if is_input else sample.target
        assert file is not None
        document, time = self.document, self.document.time
        if is_input:
            shape = document.input.shape
            return EventChecks(
                file, time, shape, self.source_map, parts, shape_locations(document, INPUT)
            )
        way = trace_shape(document, self.wiring, len(document.layers) - 1)
        return EventChecks(
            file, time, self.output_shape, self.source_map, parts, output_locations(document), way
        )

    def _missing(
        self, parts: Parts, quoted: str, path: Path, suffixes: tuple[str, ...]
    ) -> Diagnostic:
        """Says where the file should be, and which one there is instead."""
        names = self._names_in(path.parent)
        best = closest_name(path.name, [each for each in names if each.lower().endswith(suffixes)])
        meant = os.path.join(os.path.dirname(quoted), best) if best is not None else None
        return self._finding(
            "ND301",
            parts,
            f"there is no file {quoted}",
            hint=f'did you mean "{meant}"?' if meant is not None else "",
            notes=(f"looked for {path.resolve()}",),
        )

    def _names_in(self, directory: Path) -> list[str]:
        """The names of a directory, which is read once for all the files that it lacks."""
        if directory not in self.names:
            try:
                with os.scandir(directory) as entries:
                    found = [each.name for each in itertools.islice(entries, MOST_NAMES)]
            except OSError:
                found = []
            self.names[directory] = found
        return self.names[directory]

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
        return self.source_map.diagnostic(
            code, parts, message, hint=hint, notes=notes, severity=severity
        )


def _type_for(suffix: str, kind: str) -> str:
    """The type of data that takes a file, where it is another than the document has."""
    types = {"events": "spike_files", "arrays": "arrays"}
    fits = [other for other in types if suffix in SUFFIXES[other] and other != kind]
    return f'data of "type": "{types[fits[0]]}" takes {suffix} files' if fits else ""
