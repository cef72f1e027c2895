"""``netdesc diff``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from netdesc.cli import options
from netdesc.cli.changes import painted
from netdesc.cli.codes import AT_FAULT
from netdesc.cli.output import Output

if TYPE_CHECKING:
    from netdesc.comparing import Comparison, Side
    from netdesc.comparing.figures import Figure
    from netdesc.comparing.files import FileDifference, NamedFile
    from netdesc.comparing.items import Item
    from netdesc.comparing.layers import LayerDifference, Place

_WIDTH = 100
_LONGEST = 1000
"""Characters of a value that are printed."""
_DIGITS = 12
"""Of a SHA-256: enough to tell two files apart."""


@click.command(
    epilog="\b\nExamples:\n  netdesc diff examples/oxford.json examples/oxford_slayer.json\n"
    "  netdesc diff runs/picture runs/first"
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
    from netdesc.comparing import compare, read_side

    found = compare(read_side(first), read_side(second))
    if output.as_json:
        output.give(_record(found))
    else:
        _print(output, found)
    return 0 if found.is_equal else AT_FAULT


# For people


class _Line(NamedTuple):
    """What differs; a side that has nothing there is None."""

    subject: str
    a: str | None
    b: str | None


def _print(output: Output, found: Comparison) -> None:
    colour = output.has_colour(sys.stdout)
    if found.is_equal:
        output.note(f"{found.a.name} and {found.b.name} mean the same")
    else:
        output.say(painted(f"- {_about(found.a)}", "-", colour))
        output.say(painted(f"+ {_about(found.b)}", "+", colour))
    room = get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    for title, lines in _sections(found):
        if lines:
            output.say(f"\n{title}")
            output.say("\n".join(row for line in lines for row in _rows(line, room, colour)))
    if found.results:
        if not found.is_equal:
            output.say("")
        rows = [(each.name, _figure(each.a), _figure(each.b)) for each in found.results]
        output.table(
            ("result", found.a.name, found.b.name), rows, right=(found.a.name, found.b.name)
        )


def _about(side: Side) -> str:
    status = "" if side.record is None else f", {side.record.status}"
    return f"{side.name} ({side.kind}{status})"


def _sections(found: Comparison) -> Iterator[tuple[str, list[_Line]]]:
    yield "document", [_Line(e.place, _value(e.a), _value(e.b)) for e in found.values]
    yield "layers", [line for each in found.layers for line in _layer(each)]
    yield "network", [_of_figure(each) for each in found.network]
    yield "data", [*(_of_figure(e) for e in found.samples), *(_file(e) for e in found.files)]
    yield "versions", [_of_figure(each) for each in found.versions]


def _rows(line: _Line, room: int, colour: bool) -> Iterator[str]:
    """A difference on one line if there is room, or else below one another."""
    ends = [(sign, text) for sign, text in (("-", line.a), ("+", line.b)) if text is not None]
    whole = f"  {line.subject}: {' → '.join(text for _, text in ends)}"
    if len(ends) == 2 and len(whole) <= room:
        texts = (painted(text, sign, colour) for sign, text in ends)
        yield f"  {line.subject}: {' → '.join(texts)}"
        return
    yield f"  {line.subject}"
    for sign, text in ends:
        yield painted(f"    {sign} {text}", sign, colour)


def _value(item: Item | None) -> str | None:
    return None if item is None else f"{_json(item.value)} ({item.origin})"


def _json(value: Any) -> str:
    """A value as a document has it; spelt out where it holds what a terminal would obey."""
    text = json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… (all of it with --json)"


def _layer(each: LayerDifference) -> Iterator[_Line]:
    if each.a is None or each.b is None:
        one = each.a or each.b
        assert one is not None
        yield _Line(each.name, *((_whole(one), None) if each.a else (None, _whole(one))))
        return
    for change in each.changes:
        subject = f"{each.name}, {'place' if change == 'moved' else change.replace('_', ' ')}"
        yield _Line(subject, *(_fact(place, change) for place in (each.a, each.b)))


def _whole(place: Place) -> str:
    row = place.row
    return (
        f"{row.type}, {_figure(row.input_shape)} to {_figure(row.output_shape)}, "
        f"reads {' + '.join(row.inputs)}, {row.parameters:,} parameters"
    )


def _fact(place: Place, change: str) -> str:
    return str(place.position + 1) if change == "moved" else _figure(getattr(place.row, change))


def _of_figure(each: Figure) -> _Line:
    return _Line(each.name, _figure(each.a), _figure(each.b))


def _figure(value: Any) -> str:
    if isinstance(value, tuple):
        return "×".join(map(str, value))
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else str(value)


def _file(each: FileDifference) -> _Line:
    return _Line(each.place, *(None if one is None else _named(one) for one in (each.a, each.b)))


def _named(file: NamedFile) -> str:
    digest = f"SHA-256 {file.sha256[:_DIGITS]}…" if file.sha256 else "contents unknown"
    return f"{_json(file.path)} ({digest})"


# For programs


def _record(found: Comparison) -> dict[str, Any]:
    return {
        "equal": found.is_equal,
        "a": _side(found.a),
        "b": _side(found.b),
        "document": [
            {"place": each.place, "a": _item(each.a), "b": _item(each.b)} for each in found.values
        ],
        "layers": [
            {
                "name": each.name,
                "changes": each.changes,
                "a": each.a and _place(each.a),
                "b": each.b and _place(each.b),
            }
            for each in found.layers
        ],
        "network": _figures(found.network),
        "files": [
            {
                "place": each.place,
                "a": each.a and _as_file(each.a),
                "b": each.b and _as_file(each.b),
            }
            for each in found.files
        ],
        "samples": _figures(found.samples),
        "results": _figures(found.results),
        "versions": _figures(found.versions),
    }


def _side(side: Side) -> dict[str, Any]:
    record = side.record
    return {"path": side.name, "kind": side.kind, "status": record and record.status}


def _item(item: Item | None) -> dict[str, Any] | None:
    if item is None:
        return None
    return {"pointer": item.pointer, "value": item.value, "origin": item.origin}


def _place(place: Place) -> dict[str, Any]:
    row = place.row
    return {
        "pointer": f"/layers/{place.position}",
        "type": row.type,
        "from": row.inputs,
        "input_shape": row.input_shape,
        "output_shape": row.output_shape,
        "parameters": row.parameters,
    }


def _as_file(file: NamedFile) -> dict[str, Any]:
    return {"pointer": file.pointer, "path": file.path, "sha256": file.sha256}


def _figures(figures: list[Figure]) -> dict[str, Any]:
    return {each.name.replace(" ", "_"): {"a": each.a, "b": each.b} for each in figures}
