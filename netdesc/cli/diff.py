"""``netdesc diff``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from netdesc.cli import options
from netdesc.cli.diff_colour import colourise
from netdesc.cli.exit_codes import AT_FAULT
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.comparing import Comparison, Difference, Operand

_WIDTH = 100
_MAX_VALUE_CHARACTERS = 1000
_SHOWN_DIGITS = 12
"""Of a SHA-256: enough to tell two files apart."""


@click.command(
    epilog="\b\nExamples:\n  netdesc diff examples/oxford.json examples/oxford_slayer.json\n"
    "  netdesc diff runs/second runs/first"
)
@click.argument("first", metavar="FILE.json|RUN", type=click.Path(path_type=Path))
@click.argument("second", metavar="FILE.json|RUN", type=click.Path(path_type=Path))
@options.as_json
@options.quiet
@click.pass_obj
def diff(output: Output, first: Path, second: Path) -> int:
    """Say in what two documents, locks or runs differ by their meaning.

    Compared are the values with all defaults, and who set them; the layers by their names, with
    shapes and parameters; the files that they name, by their contents where these are known; the
    results of two runs; and the versions that runs and locks note. Layout, the order of keys, and
    defaults that one side writes out are no difference, and neither are the seconds of a run.

    The exit code is 0 where nothing differs and 1 where something does (or a document is faulty;
    then nothing is on standard output), 2 for usage and 3 for a missing file.
    """
    from netdesc.comparing import compare, read_operand

    found = compare(read_operand(first), read_operand(second))
    if output.as_json:
        output.give(_record(found))
    else:
        _print(output, found)
    return 0 if found.is_equal else AT_FAULT


def _record(found: Comparison) -> dict[str, Any]:
    """The object of ``--json``."""
    operands = {
        side: {
            "path": each.name,
            "kind": each.kind,
            "status": None if each.record is None else each.record.status,
        }
        for side, each in (("a", found.a), ("b", found.b))
    }
    differences = {
        section: [each._asdict() for each in listed]
        for section, listed in found.differences.items()
    }
    return {"equal": found.is_equal, **operands, **differences}


def _print(output: Output, found: Comparison) -> None:
    colour = output.has_colour(sys.stdout)
    if found.is_equal:
        output.note(f"{found.a.name} and {found.b.name} mean the same")
    else:
        output.say(colourise(f"- {_title(found.a)}", "-", colour))
        output.say(colourise(f"+ {_title(found.b)}", "+", colour))
    width = get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    sections = dict(found.differences)
    results = sections.pop("results")
    for section, listed in sections.items():
        if listed:
            rows = (row for each in listed for row in _rows(section, each, width, colour))
            output.say("\n".join([f"\n{section}", *rows]))
    if results:
        if not found.is_equal:
            output.say("")
        columns = (found.a.name, found.b.name)
        cells = [(each.place, _number(each.a), _number(each.b)) for each in results]
        output.table(("result", *columns), cells, right=columns)


def _title(operand: Operand) -> str:
    status = "" if operand.record is None else f", {operand.record.status}"
    return f"{operand.name} ({operand.kind}{status})"


def _rows(section: str, found: Difference, width: int, colour: bool) -> Iterator[str]:
    """A difference on one line if there is room, or else one side below the other."""
    write = _WRITERS.get(section, _number)
    sides = [
        (sign, write(each)) for sign, each in (("-", found.a), ("+", found.b)) if each is not None
    ]
    whole = f"  {found.place}: {' → '.join(text for _, text in sides)}"
    if len(sides) == 2 and len(whole) <= width:
        yield f"  {found.place}: " + " → ".join(
            colourise(text, sign, colour) for sign, text in sides
        )
        return
    yield f"  {found.place}"
    for sign, text in sides:
        yield colourise(f"    {sign} {text}", sign, colour)


def _json(value: Any) -> str:
    """A value as a document has it, with control characters escaped."""
    text = json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(value)
    if len(text) <= _MAX_VALUE_CHARACTERS:
        return text
    return f"{text[:_MAX_VALUE_CHARACTERS]}… (all of it with --json)"


def _number(value: Any) -> str:
    if isinstance(value, tuple):
        return "×".join(map(str, value))  # a shape
    if isinstance(value, list):
        return _json(value)
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else str(value)


def _layer(value: Any) -> str:
    """A layer that only one side has, or what is inferred of a layer."""
    if not isinstance(value, dict):
        return _number(value)
    shapes = f"{_number(value['input_shape'])} to {_number(value['output_shape'])}"
    return f"{value['type']}, {shapes}, {value['parameters']:,} parameters"


def _file(value: Any) -> str:
    digest = value["sha256"]
    contents = f"SHA-256 {digest[:_SHOWN_DIGITS]}…" if digest else "contents unknown"
    return f"{_json(value['path'])} ({contents})"


_WRITERS: dict[str, Callable[[Any], str]] = {
    "document": lambda value: f"{_json(value['value'])} ({value['origin']})",
    "layers": _layer,
    "files": _file,
}
"""How each section's values are written for people; those of the others are numbers and words."""
