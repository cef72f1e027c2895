"""Explanations of diagnostic codes, which the TOML files of this folder hold."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from netdesc.description.diagnostics.diagnostic import Severity

ExampleData = Literal["events", "labels", "values"]


@dataclass(frozen=True, slots=True)
class Entry:
    """The explanation of a code: its cause, its fix, a wrong example and a corrected one.

    ``at`` says what the examples are: whole documents (""), arguments of ``--set`` ("--set") or
    command lines ("command"). Otherwise ``at`` is a JSON pointer, and the examples are the text at
    that place of a valid document. Tests check that only the wrong example causes the diagnostic.
    """

    code: str
    title: str
    cause: str
    fix: str
    wrong: str
    right: str
    at: str
    severity: Severity = "error"
    data: ExampleData = "events"
    """The data of the examples: event files with targets, or arrays with labels or values."""
    encoding: str = "utf-8"
    """The encoding in which the document of the wrong example is saved."""

    @property
    def wrong_text(self) -> str:
        """The wrong example as it is printed: "(empty)" for an empty document."""
        return self.wrong or "(empty)"


def _catalogue() -> Iterator[Entry]:
    for path in Path(__file__).parent.glob("*.toml"):
        for code, fields in tomllib.loads(path.read_text("utf-8")).items():
            texts = {name: " ".join(fields[name].split()) for name in ("cause", "fix")}
            yield Entry(code, **(fields | texts))


ENTRIES = {entry.code: entry for entry in sorted(_catalogue(), key=lambda entry: entry.code)}
"""Code -> its explanation, sorted by code."""
