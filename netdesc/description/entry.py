"""What ``netdesc explain`` says of one code."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.description.diagnostic import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """A code's cause and fix, with an example that fails and one that passes.

    Where ``at`` is a JSON pointer, ``wrong`` and ``right`` are text at that place of an otherwise
    good document (the tests check them there); ``--set`` means arguments of that option, and
    ``None`` things that no text of a document shows.
    """

    code: str
    title: str
    cause: str
    fix: str
    wrong: str
    right: str
    at: str | None = None
    severity: Severity = "error"
    """How it is reported; a rule says so itself."""
    is_labelled: bool = False
    """True where that document learns the labels of arrays, False where it learns targets."""
