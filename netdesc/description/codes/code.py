"""The explanation of one diagnostic code, which ``netdesc explain`` prints."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.description.diagnostics.diagnostic import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """Cause and fix of a code, an example that has it, and one that does not. Tests check both.

    ``at`` says what ``wrong`` and ``right`` are: for a JSON pointer, the text at that place of an
    otherwise valid document; for "", whole documents; for "--set", arguments of that option; for
    "command", command lines.
    """

    code: str
    title: str
    cause: str
    fix: str
    wrong: str
    right: str
    at: str
    encoding: str = "utf-8"
    """Encoding of the wrong document."""
    severity: Severity = "error"
    is_labelled: bool = False
    """True if that document learns labels of arrays, False if it learns targets of event files."""

    @property
    def wrong_text(self) -> str:
        """The wrong example for output, in which an empty document is visible."""
        return self.wrong or "(empty)"
