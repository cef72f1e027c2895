"""One diagnostic about a document: what is wrong, where, and how to fix it."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning"]

_MISSING_DATA_CODES = frozenset({"ND001", "ND301", "ND302"})


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains a diagnostic; ``message`` is its label.

    Lines and columns count as in ``Diagnostic``. They are ``None`` if the place is a whole file or
    a ``--set`` argument.
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
    """The ``--set`` argument that sets the value at this place, if any."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces ``text[start:end]`` of the file by ``replacement``; offsets count characters from 0.

    Lines and columns give the same range, counted as in ``Diagnostic``. Every edit in
    ``Diagnostic.fix`` has them.
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
    """An unambiguous correction: it does what ``title`` says and changes nothing else."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or a warning with its place in the document.

    Lines and columns count from 1. Columns count characters, and the end column is exclusive. All
    four numbers are ``None`` if the diagnostic is about a value from ``--set`` or about a whole
    file, such as a missing or a binary file.
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
    """A short text that says what to change, shown beside the caret."""
    notes: tuple[str, ...] = ()
    """Further lines under the excerpt, such as ``allowed: …``."""
    excerpt: str = ""
    """The source line in which the place starts."""
    related: tuple[Related, ...] = ()
    """Other places that explain the diagnostic, such as the layer whose shape does not fit."""
    fix: Fix | None = None
    """The edits of ``netdesc validate --fix``; ``None`` if the correction is ambiguous."""
    override: str | None = None
    """The ``--set`` argument that is wrong, if any."""
    ends_search: bool = False
    """True if the search stopped here because it reached its limit, so there may be more."""

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    @property
    def lacks_data(self) -> bool:
        """True if the document, a data file or a weights file is missing or cannot be read.

        A command that fails only because of such files exits with code 3 instead of 1, because
        the document itself may be valid.
        """
        return self.code in _MISSING_DATA_CODES


def first_diagnostics(diagnostics: Iterable[Diagnostic], limit: int) -> list[Diagnostic]:
    """Returns at most ``limit`` diagnostics. ``end_search`` marks the last if there may be more."""
    taken = list(itertools.islice(diagnostics, limit))
    if len(taken) == limit:
        taken[-1] = end_search(taken[-1], f"there may be more: the search ended after {limit}")
    return taken


def end_search(diagnostic: Diagnostic, note: str) -> Diagnostic:
    """Returns the diagnostic with ``ends_search`` set and a note that says why the search ended."""
    return replace(diagnostic, notes=(*diagnostic.notes, note), ends_search=True)
