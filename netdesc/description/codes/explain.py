"""``netdesc explain``: cause, example and fix of every code."""

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

_WHERE = {"": "", "--set": " with --set", "command": ", as a command"}
_SAVED = {"latin-1": "as Latin-1", "utf-8-sig": "with a byte order mark"}


def titles() -> dict[str, str]:
    """Every code with what it is about, in the order of the codes."""
    return {code: ENTRIES[code].title for code in sorted(ENTRIES)}


def record(code: str) -> dict[str, str]:
    """What ``explain`` says, for programs. Raises ValueError for an unknown code."""
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
    """What a code means, an example that fails, and the same one mended.

    Raises ValueError for an unknown code.
    """
    entry = _entry(code)
    lines = [f"{entry.code}: {entry.title}", ""]
    lines += textwrap.wrap(entry.cause, width)
    lines += ["", "wrong" + place(entry) + ":", textwrap.indent(entry.shown, "    ")]
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


def place(entry: Entry) -> str:
    """Where the example stands, to be said after a word such as "wrong"."""
    if entry.encoding in _SAVED:
        return f", saved {_SAVED[entry.encoding]}"
    return _WHERE.get(entry.at, f" at {entry.at}")
