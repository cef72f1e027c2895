"""All code entries, and the text that ``netdesc explain`` prints."""

import textwrap

from netdesc.description.codes import ENTRIES, Entry
from netdesc.description.diagnostics.wording import code_block, prose
from netdesc.description.spelling import did_you_mean

_PLACES = {"": "", "--set": " with --set", "command": ", as a command"}
_ENCODINGS = {
    "utf-8": "",
    "latin-1": ", saved as Latin-1",
    "utf-8-sig": ", saved with a byte order mark",
}


def titles() -> dict[str, str]:
    """Maps every code to its title, in the order of the codes."""
    return {code: entry.title for code, entry in ENTRIES.items()}


def record(code: str) -> dict[str, str]:
    """Returns the entry of a code as an object for JSON. ValueError if the code is unknown."""
    entry = _entry(code)
    names = ("code", "title", "severity", "cause", "at", "wrong", "right", "fix")
    return {name: getattr(entry, name) for name in names}


def explain(code: str) -> str:
    """Returns cause, wrong and right example, and fix of a code. ValueError if it is unknown."""
    entry = _entry(code)
    lines = [f"{entry.code}: {entry.title}", ""]
    lines += textwrap.wrap(entry.cause, 80)
    lines += ["", "wrong" + example_place(entry) + ":", textwrap.indent(entry.wrong_text, "    ")]
    lines += ["right:", textwrap.indent(entry.right, "    "), ""]
    lines += textwrap.wrap(entry.fix, 80)
    return "\n".join(lines)


def explain_in_markdown(entry: Entry) -> str:
    """Returns what ``explain`` says below the title, as Markdown."""
    return (
        f"{prose(entry.cause)}\n\n"
        f"Wrong{prose(example_place(entry))}:\n\n{code_block(entry.wrong_text)}\n\n"
        f"Right:\n\n{code_block(entry.right)}\n\n{prose(entry.fix)}\n"
    )


def _entry(code: str) -> Entry:
    name = code.strip().upper()
    entry = ENTRIES.get(name) or ENTRIES.get(f"ND{name}")
    if entry is None:
        hint = did_you_mean(code, ENTRIES)
        raise ValueError(f'there is no code "{code}"' + (hint and f"; {hint}"))
    return entry


def example_place(entry: Entry) -> str:
    """Returns the place of the example, to print after "wrong", such as " at /time/steps"."""
    return _PLACES.get(entry.at, f" at {entry.at}") + _ENCODINGS[entry.encoding]
