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
from netdesc.cli.exit_codes import INVALID_INPUT
from netdesc.cli.output import Output, SafeText, escape

if TYPE_CHECKING:
    from netdesc.comparing import Comparison, Difference, Operand

_DEFAULT_WIDTH = 100
_MAX_VALUE_CHARACTERS = 1000
_SHA256_DIGITS = 12
"""The number of digits of a SHA-256 that are shown."""


@click.command(
    epilog="\b\nExamples:\n  netdesc diff examples/oxford.json examples/oxford_slayer.json\n"
    "  netdesc diff runs/second runs/first"
)
@click.argument("first", metavar="FILE.json|RUN", type=click.Path(path_type=Path))
@click.argument("second", metavar="FILE.json|RUN", type=click.Path(path_type=Path))
@options.json_and_quiet
def diff(output: Output, first: Path, second: Path) -> int:
    """Show how two documents, locks or runs differ in meaning.

    The command compares all values, including defaults, and where they come from. It compares
    layers by name, shapes and parameters; data files by their contents, if known; the results of
    two runs, with losses per sample; and the versions that runs and locks record. It ignores
    layout, the order of keys, defaults that only one document spells out, and the duration of runs.

    The exit code is 0 if nothing differs, 1 if something differs or a document is wrong (then
    standard output is empty), 2 for wrong usage and 3 for a missing file.
    """
    from netdesc.comparing import compare, read_operand

    comparison = compare(read_operand(first), read_operand(second))
    if output.as_json:
        output.print_json(_record(comparison))
    else:
        _print(output, comparison)
    return 0 if comparison.is_equal else INVALID_INPUT


def _record(comparison: Comparison) -> dict[str, Any]:
    """Returns the object that ``--json`` prints."""
    operands = {
        side: {"path": each.name, "kind": each.kind, "status": each.status}
        for side, each in (("a", comparison.a), ("b", comparison.b))
    }
    differences = {
        section: [each._asdict() for each in differences]
        for section, differences in comparison.differences.items()
    }
    return {"equal": comparison.is_equal, **operands, **differences}


def _print(output: Output, comparison: Comparison) -> None:
    colour = output.has_colour(sys.stdout)
    if comparison.is_equal:
        output.info(f"{comparison.a.name} and {comparison.b.name} mean the same")
    else:
        output.print(colourise(f"- {_title(comparison.a)}", "-", colour))
        output.print(colourise(f"+ {_title(comparison.b)}", "+", colour))
    width = get_terminal_size().columns if sys.stdout.isatty() else _DEFAULT_WIDTH
    sections = dict(comparison.differences)
    results = sections.pop("results")
    for section, differences in sections.items():
        if differences:
            rows = (row for each in differences for row in _rows(section, each, width, colour))
            output.print("", section, *rows)
    if results:
        if not comparison.is_equal:
            output.print("")
        columns = (comparison.a.name, comparison.b.name)
        cells = [(each.place, _format_fact(each.a), _format_fact(each.b)) for each in results]
        output.print_table(("result", *columns), cells, right=columns)


def _title(operand: Operand) -> str:
    status = "" if operand.status is None else f", {operand.status}"
    return f"{operand.name} ({operand.kind}{status})"


def _rows(section: str, difference: Difference, width: int, colour: bool) -> Iterator[str]:
    """Yields a difference on one line if it fits into ``width``, otherwise on one line per side."""
    place, format_value = difference.place, _FORMATTERS.get(section, _format_fact)
    sides = [
        (sign, format_value(each))
        for sign, each in (("-", difference.a), ("+", difference.b))
        if each is not None
    ]
    plain = f"  {place}: {' → '.join(text for _, text in sides)}"
    if len(sides) == 2 and len(plain) <= width:
        values = " → ".join(colourise(text, sign, colour) for sign, text in sides)
        yield SafeText(f"  {escape(place)}: {values}")
        return
    yield f"  {place}"
    for sign, text in sides:
        yield colourise(f"    {sign} {text}", sign, colour)


def _format_json(value: Any) -> str:
    """Formats a value as in a document, with control characters escaped."""
    text = json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(value)
    if len(text) <= _MAX_VALUE_CHARACTERS:
        return text
    return f"{text[:_MAX_VALUE_CHARACTERS]}… (all of it with --json)"


def _format_fact(value: Any) -> str:
    """Formats a shape, list, number or word that is not part of a document."""
    if isinstance(value, tuple):
        return "×".join(map(str, value))  # a shape
    if isinstance(value, list):
        return _format_json(value)
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else str(value)


def _format_layer(value: Any) -> str:
    """Formats one side of a difference: a whole layer (a dict) or one inferred value of a layer."""
    if not isinstance(value, dict):
        return _format_fact(value)
    shapes = f"{_format_fact(value['input_shape'])} to {_format_fact(value['output_shape'])}"
    return f"{value['type']}, {shapes}, {value['parameters']:,} parameters"


def _format_file(value: Any) -> str:
    digest = value["sha256"]
    contents = f"SHA-256 {digest[:_SHA256_DIGITS]}…" if digest else "contents unknown"
    return f"{_format_json(value['path'])} ({contents})"


_FORMATTERS: dict[str, Callable[[Any], str]] = {
    "document": lambda value: f"{_format_json(value['value'])} ({value['origin']})",
    "layers": _format_layer,
    "files": _format_file,
}
"""The function that formats the values of a section; in other sections, ``_format_fact``."""
