"""Explanations of diagnostic codes, which the TOML files of this folder hold."""

import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from netdesc.description.diagnostics.diagnostic import Severity
from netdesc.description.spelling import did_you_mean

ExampleData = Literal["events", "labels", "values"]

_PLACES = {"": "", "--set": " with --set", "command": ", as a command"}
_ENCODINGS = {
    "utf-8": "",
    "latin-1": ", saved as Latin-1",
    "utf-8-sig": ", saved with a byte order mark",
}


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

    @property
    def place(self) -> str:
        """The place of the example, to print after "wrong", such as " at /time/steps"."""
        return _PLACES.get(self.at, f" at {self.at}") + _ENCODINGS[self.encoding]


def _catalogue() -> Iterator[Entry]:
    for path in Path(__file__).parent.glob("*.toml"):
        for code, fields in tomllib.loads(path.read_text("utf-8")).items():
            texts = {name: " ".join(fields[name].split()) for name in ("cause", "fix")}
            yield Entry(code, **(fields | texts))


ENTRIES = {entry.code: entry for entry in sorted(_catalogue(), key=lambda entry: entry.code)}
"""Code -> its explanation, sorted by code."""


def _entry(code: str) -> Entry:
    name = code.strip().upper()
    entry = ENTRIES.get(name) or ENTRIES.get(f"ND{name}")
    if entry is None:
        hint = did_you_mean(code, ENTRIES)
        raise ValueError(f'there is no code "{code}"' + (hint and f"; {hint}"))
    return entry


def record(code: str) -> dict[str, str]:
    """Returns the entry of a code as an object for JSON. ValueError if the code is unknown."""
    names = ("code", "title", "severity", "cause", "at", "wrong", "right", "fix")
    return {name: getattr(_entry(code), name) for name in names}


def explain(code: str) -> str:
    """Returns cause, wrong and right example, and fix of a code. ValueError if it is unknown."""
    entry = _entry(code)
    lines = [f"{entry.code}: {entry.title}", ""]
    lines += textwrap.wrap(entry.cause, 80)
    lines += ["", f"wrong{entry.place}:", textwrap.indent(entry.wrong_text, "    ")]
    lines += ["right:", textwrap.indent(entry.right, "    "), ""]
    lines += textwrap.wrap(entry.fix, 80)
    return "\n".join(lines)
