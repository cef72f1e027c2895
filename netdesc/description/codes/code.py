"""The explanation of one diagnostic code, which ``netdesc explain`` prints."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.description.diagnostics.diagnostic import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """The explanation of a code: its cause, its fix, a wrong example and a corrected one.

    Tests check that only the wrong example has the diagnostic. ``at`` is the place of the examples.
    A JSON pointer means that they are the text at this place of an otherwise valid document; ""
    that they are whole documents; "--set" that they are arguments of that option; and "command"
    that they are command lines.
    """

    code: str
    title: str
    cause: str
    fix: str
    wrong: str
    right: str
    at: str
    encoding: str = "utf-8"
    """The encoding in which the document of the wrong example is saved."""
    severity: Severity = "error"
    is_labelled: bool = False
    """True if the examples' document learns labels of arrays, False if it learns targets of event
    files.
    """

    @property
    def wrong_text(self) -> str:
        """The wrong example as it is printed: "(empty)" for an empty document."""
        return self.wrong or "(empty)"
