"""``netdesc diff``."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from netdesc.cli import INVALID_INPUT, options
from netdesc.cli.output import Output, SafeText, escape

if TYPE_CHECKING:
    from netdesc.description import Description
    from netdesc.graph import Graph

_RESULTS = ("loss", "accuracy", "validation_loss", "validation_accuracy")
_COLOURS = {"-": "\x1b[31m", "+": "\x1b[32m"}
_WIDTH = 100
"""A difference in a longer line has a line for each side."""
_MAX_VALUE_CHARACTERS = 1000


class Difference(NamedTuple):
    """The two values at ``place``; None if one side has no value there."""

    place: str
    a: Any
    b: Any


class Operand(NamedTuple):
    """A document, a lock or a run. ``document`` has all defaults, and its layers by their names.

    ``results`` are those of a run, with losses per sample and epochs from 1; otherwise empty.
    """

    path: str
    kind: str
    document: dict[str, Any]
    results: dict[str, Any]


@click.command(
    epilog="\b\nExamples:\n  netdesc diff examples/oxford.json examples/oxford_slayer.json\n"
    "  netdesc diff runs/second runs/first"
)
@click.argument("first", metavar="FILE.json|RUN", type=options.PATH)
@click.argument("second", metavar="FILE.json|RUN", type=options.PATH)
@options.json_and_quiet
def diff(output: Output, first: Path, second: Path) -> int:
    """Show how two documents, locks or runs differ in meaning.

    The command compares all values, including defaults: layers by name, and files by their paths.
    It ignores layout, the order of keys, defaults that only one document spells out, and the
    duration of runs. Of two runs it also shows the results, with losses per sample.

    The exit code is 0 if nothing differs, 1 if something differs or a document is wrong (then
    standard output is empty), 2 for wrong usage and 3 for a missing file.
    """
    a, b = _read(first), _read(second)
    differences = list(_differences(a.document, b.document))
    results: list[Difference] = []
    if a.results and b.results:
        names = dict.fromkeys([*a.results, *b.results])
        results = [Difference(name, a.results.get(name), b.results.get(name)) for name in names]
    has_equal_results = all(each.a == each.b for each in results if each.place != "seconds")
    is_equal = has_equal_results and not differences
    if output.as_json:
        output.print_json(
            equal=is_equal,
            a={"path": a.path, "kind": a.kind},
            b={"path": b.path, "kind": b.kind},
            document=[difference._asdict() for difference in differences],
            results=[difference._asdict() for difference in results],
        )
    else:
        if is_equal:
            output.info(f"{a.path} and {b.path} mean the same")
        _print(output, (a, b), differences, results)
    return 0 if is_equal else INVALID_INPUT


def _read(path: Path) -> Operand:
    """Reads one side, without its data files."""
    from netdesc.description import load
    from netdesc.graph import build_graph
    from netdesc.runs.folder import RECORD, lock_of

    description = load(lock_of(path) if path.is_dir() else path)
    graph = build_graph(description.document)
    document = _normal_form(description, graph)
    if not path.is_dir():
        kind = "document" if description.lock is None else "lock"
        return Operand(str(path), kind, document, {})
    results = _results(path, graph) if (path / RECORD).exists() else {"status": "unknown"}
    return Operand(str(path), "run", document, results)


def _normal_form(description: "Description", graph: "Graph") -> dict[str, Any]:
    """Returns the document as a dict that is equal for documents with the same meaning."""
    from netdesc.description.file_references import file_references
    from netdesc.description.json_pointer import lookup

    document = description.document.model_dump(mode="json", exclude={"format", "schema_"})
    for file in file_references(description.document):
        path = os.path.relpath(description.resolve(file.path))
        lookup(document, file.parts[:-1])[file.parts[-1]] = path
    neurons = document.pop("neurons")
    for layer, node in zip(document["layers"], graph.layers, strict=True):
        layer["from"] = list(node.inputs)
        name = layer.get("neuron")
        layer["neuron"] = neurons[name] if isinstance(name, str) else name
    document["layers"] = {layer.pop("name"): layer for layer in document["layers"]}
    return document | {"output": graph.layers[-1].name}


def _results(run: Path, graph: "Graph") -> dict[str, Any]:
    from netdesc.runs.run_record import read_record
    from netdesc.runs.state import read_state

    record, state = read_record(run), read_state(run)  # which knows whether it still trains
    results: dict[str, Any] = {
        "status": record.status if state is None else state.status,
        "epochs": record.epochs_done,
        "seconds": record.seconds,
    }
    if record.best is not None:
        results["best_epoch"] = record.best.epoch + 1
    scale = record.scale(graph.loss.reduction)
    parts = {"best": (record.best, scale), "final": (record.final, scale)}
    for prefix, (metrics, by) in (parts | {"test": (record.test, scale.of_test)}).items():
        shown = by.shown(metrics.model_dump()) if metrics is not None else {}
        results |= {f"{prefix}_{name}": shown.get(name) for name in _RESULTS}
    return {name: value for name, value in results.items() if value is not None}


def _differences(a: Any, b: Any, place: str = "") -> Iterator[Difference]:
    """Yields the places where two documents differ. Lists without objects are one value."""
    one, other = _parts(a), _parts(b)
    if one is None or other is None:
        if a != b:
            yield Difference(place, a, b)
        return
    for key in dict.fromkeys([*one, *other]):
        yield from _differences(one.get(key), other.get(key), f"{place}.{key}" if place else key)


def _parts(value: Any) -> Mapping[str, Any] | None:
    """Returns the parts of an object, or of a list of objects; None if it is compared whole."""
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return {str(index): entry for index, entry in enumerate(value)}
    return value if isinstance(value, dict) else None


def _print(
    output: Output,
    sides: tuple[Operand, Operand],
    differences: list[Difference],
    results: list[Difference],
) -> None:
    colour = output.has_colour(sys.stdout)
    for sign, side in zip("-+", sides, strict=True) if differences else ():
        output.print(_colourise(f"{sign} {side.path} ({side.kind})", colour))
    for place, *values in differences:
        texts = [_format(value) for value in values]
        line = f"  {place}: {' → '.join(texts)}"
        if len(line) <= _WIDTH:
            output.print(line)
        else:
            lines = (f"{sign}   {text}" for sign, text in zip("-+", texts, strict=True))
            output.print(f"  {place}:", *(_colourise(line, colour) for line in lines))
    if results:
        columns = (sides[0].path, sides[1].path)
        rows = [(place, *map(_format_result, both)) for place, *both in results]
        output.print_table(("result", *columns), rows, right=columns)


def _colourise(line: str, colour: bool) -> SafeText:
    text, code = escape(line), _COLOURS[line[0]] if colour else ""
    return SafeText(f"{code}{text}\x1b[0m") if code else text


def _format(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _MAX_VALUE_CHARACTERS:
        return text
    return f"{text[:_MAX_VALUE_CHARACTERS]}… (all of it with --json)"


def _format_result(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:,.6g}"
