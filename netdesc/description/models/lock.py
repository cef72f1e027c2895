"""The section ``lock``: a run's lock file is a document with this section."""

from __future__ import annotations

from typing import Literal

from netdesc.description.models.data import SHA256_EXAMPLE, PathText, Sha256
from netdesc.sections import Section, field

Origin = Literal["file", "Python", "default", "--set"]
"""``Python`` is a program that gives the document as a dict or a text, or its data as arrays."""


class LockedFile(Section):
    """A data or weights file at the time when the lock was written."""

    path: PathText = field("The path in the document.", example="input.bs1")
    location: PathText = field("The file, relative to the lock.", example="../../input.bs1")
    absolute: PathText = field(
        "The file's absolute path, used if the lock was moved.", example="/home/me/input.bs1"
    )
    sha256: Sha256 | None = field(
        "SHA-256 of the file, 64 lower-case hexadecimal digits. Null for a folder of Tonic, which "
        "checks its own files.",
        default=None,
        example=SHA256_EXAMPLE,
    )


class Lock(Section):
    """The facts that reproduce a run. netdesc writes this section; do not write it by hand."""

    origins: dict[str, Origin] = field(
        "The origin of each value, by JSON pointer: the file, a Python program, a default, or "
        "the command line.",
        example={"/time/steps": "file", "/time/step_ms": "default"},
    )
    files: tuple[LockedFile, ...] = field("The files that the document refers to.", example=[])
    seed: int = field("The seed of the run.", example=0, ge=0, le=(1 << 63) - 1)
    versions: dict[str, str] = field(
        "Versions of netdesc and its libraries.", example={"netdesc": "0.1.0"}
    )
