"""All code entries, and the text that ``netdesc explain`` prints."""

from __future__ import annotations

import textwrap

from netdesc.description.codes import arrays as entries_arrays
from netdesc.description.codes import files as entries_files
from netdesc.description.codes import shape as entries_shape
from netdesc.description.codes import text as entries_text
from netdesc.description.codes.code import Entry
from netdesc.description.rules import RULES
from netdesc.description.spelling import closest_name

ENTRIES: dict[str, Entry] = {
    entry.code: entry
    for entry in (
        *entries_text.ENTRIES,
        *entries_shape.ENTRIES,
        *(rule.entry for rule in RULES),
        *entries_files.ENTRIES,
        *entries_arrays.ENTRIES,
    )
}

_PLACES = {"": "", "--set": " with --set", "command": ", as a command"}
_ENCODINGS = {"latin-1": "as Latin-1", "utf-8-sig": "with a byte order mark"}


def titles() -> dict[str, str]:
    """Maps every code to its title, sorted by code."""
    return {code: ENTRIES[code].title for code in sorted(ENTRIES)}


def record(code: str) -> dict[str, str]:
    """Returns the entry of a code as an object for JSON. ValueError if the code is unknown."""
    entry = _entry(code)
    return {
        "code": entry.code,
        "title": entry.title,
        "severity": entry.severity,
        "cause": entry.cause,
        "at": entry.at,
        "wrong": entry.wrong,
        "right": entry.right,
        "fix": entry.fix,
    }


def explain(code: str, width: int = 80) -> str:
    """Returns the cause of a code, a wrong example, the corrected example, and the fix, as text.

    Cause and fix are wrapped at ``width`` characters. ValueError if the code is unknown.
    """
    entry = _entry(code)
    lines = [f"{entry.code}: {entry.title}", ""]
    lines += textwrap.wrap(entry.cause, width)
    lines += ["", "wrong" + example_place(entry) + ":", textwrap.indent(entry.wrong_text, "    ")]
    lines += ["right:", textwrap.indent(entry.right, "    "), ""]
    lines += textwrap.wrap(entry.fix, width)
    return "\n".join(lines)


def _entry(code: str) -> Entry:
    name = code.strip().upper()
    entry = ENTRIES.get(name) or ENTRIES.get(f"ND{name}")
    if entry is None:
        best = closest_name(code.upper(), ENTRIES)
        hint = f'; did you mean "{best}"?' if best else ""
        raise ValueError(f'there is no code "{code}"{hint}')
    return entry


def example_place(entry: Entry) -> str:
    """Returns the place of the example, to print after "wrong", such as " at /time/steps"."""
    if entry.encoding in _ENCODINGS:
        return f", saved {_ENCODINGS[entry.encoding]}"
    return _PLACES.get(entry.at, f" at {entry.at}")
