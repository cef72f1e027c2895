"""The explanation of one diagnostic code, which ``netdesc explain`` prints."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.description.diagnostics.diagnostic import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """The explanation of a code: its cause, its fix, a wrong example and a corrected one.

    ``at`` tells what the examples are: "" whole documents, "--set" arguments of that option,
    "command" command lines. Any other value is a JSON pointer: the examples are the text at that
    place of an otherwise valid document. Tests check that only the wrong example has the
    diagnostic.
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
