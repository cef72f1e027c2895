"""What ``netdesc explain`` says of one code."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.description.diagnostics.diagnostic import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """A code's cause and fix, with an example that fails and one that passes; the tests run both.

    Where ``at`` is a JSON pointer, ``wrong`` and ``right`` are text at that place of an otherwise
    good document, and where it is empty, they are whole documents. ``--set`` means arguments of
    that option, and ``command`` command lines.
    """

    code: str
    title: str
    cause: str
    fix: str
    wrong: str
    right: str
    at: str
    encoding: str = "utf-8"
    """How the wrong document is saved."""
    severity: Severity = "error"
    """How it is reported."""
    is_labelled: bool = False
    """True where that document learns the labels of arrays, False where it learns targets."""

    @property
    def shown(self) -> str:
        """The wrong example as a reader sees it."""
        return self.wrong or "(empty)"
