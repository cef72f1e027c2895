"""One finding about a description, and the error that carries findings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning"]


_LACKING = frozenset({"ND001", "ND301", "ND302"})


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains a finding; ``message`` says what is there.

    Lines and columns count as in ``Diagnostic``; they are ``None`` where there is no place.
    """

    message: str
    file: str
    pointer: str = ""
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    excerpt: str = ""
    """The source line in which the place starts."""
    override: str | None = None
    """The ``--set`` argument that put the value there, if one did: then there is no line."""


@dataclass(frozen=True, slots=True)
class Edit:
    """``text[start:end]`` of the file becomes ``replacement``; offsets count characters from 0.

    Lines and columns say the same as in ``Diagnostic``; every fix of a finding has them.
    """

    start: int
    end: int
    replacement: str
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None


@dataclass(frozen=True, slots=True)
class Fix:
    """A remedy that is certain: it does what ``title`` says and keeps all else of the file."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding with its place. Lines and columns count from 1, columns in characters.

    A finding about the file as a whole (it is missing, it is not UTF-8 at all) or about a value
    that came from ``--set`` has no place: then ``line``, ``column`` and their ends are ``None``.
    """

    code: str
    severity: Severity
    file: str
    message: str
    pointer: str = ""
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    hint: str = ""
    """What to do, in a few words. It stands beside the caret."""
    notes: tuple[str, ...] = ()
    """Further lines under the excerpt, such as ``allowed: …``."""
    excerpt: str = ""
    """The source line in which the finding starts."""
    related: tuple[Related, ...] = ()
    """Other places that explain the finding, such as the layer whose shape does not fit."""
    fix: Fix | None = None
    """What ``netdesc validate --fix`` does about it, where that is certain."""
    override: str | None = None
    """The ``--set`` argument at fault, if it is one."""
    is_last_looked_for: bool = False
    """After it no others of its kind were looked for: there may be more."""

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    @property
    def lacks_data(self) -> bool:
        """True where a file is missing or cannot be read: the document, its data or its weights.

        A command that fails only because of such files ends with exit code 3, not 1: the document
        and the files that are there may be sound.
        """
        return self.code in _LACKING


def first(found: Iterable[Diagnostic], most: int) -> list[Diagnostic]:
    """The first findings. Where there may be more, the last of these says so."""
    taken = list(itertools.islice(found, most))
    if len(taken) == most:
        taken[-1] = without_others(taken[-1], "there may be more: no others were looked for")
    return taken


def without_others(finding: Diagnostic, note: str) -> Diagnostic:
    """The finding as the last one of its kind that was looked for; the note says so to people."""
    return replace(finding, notes=(*finding.notes, note), is_last_looked_for=True)


class DescriptionError(ValueError):
    """The description has errors. ``diagnostics`` holds all findings, warnings included."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = list(diagnostics)
        # Imported here: rendering needs the class above.
        from netdesc.description.diagnostics.render import render_text

        super().__init__(render_text(self.diagnostics))

    @property
    def lacks_data(self) -> bool:
        """True where every error is a file that is missing or unreadable (see Diagnostic)."""
        return all(finding.lacks_data for finding in self.diagnostics if finding.is_error)
