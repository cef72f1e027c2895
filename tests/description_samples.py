"""A sound description with its data files, for the tests of description and graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from netdesc.description.diagnostic import Diagnostic
from netdesc.description.load import check
from netdesc.description.source import Source
from netdesc.description.tree import Parts, parse

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For property tests on a machine that does other things as well."""

BASE = (Path(__file__).parent / "fixtures/description/base.json").read_text(encoding="utf-8")


def events(*pairs: tuple[int, float]) -> bytes:
    """A .bs1 file of (neuron, milliseconds)."""
    return b"".join(
        neuron.to_bytes(2, "big") + (1 << 23 | round(ms * 1000)).to_bytes(3, "big")
        for neuron, ms in pairs
    )


def write_files(directory: Path) -> None:
    """The files to which the base document and the examples of ``explain`` refer."""
    (directory / "input.bs1").write_bytes(events((0, 5), (3, 50)))
    (directory / "target.bs1").write_bytes(events((0, 8), (1, 60)))
    (directory / "empty.bs1").write_bytes(b"")
    (directory / "cut.bs1").write_bytes(events((0, 5), (1, 6))[:-1])
    (directory / "input.csv").write_text("0,5\n")
    (directory / "directory.bs1").mkdir(exist_ok=True)


def parts_of(pointer: str) -> Parts:
    """A JSON pointer as keys and indices."""
    return tuple(int(part) if part.isdigit() else part for part in pointer.split("/")[1:])


def with_text(pointer: str, text: str, base: str = BASE) -> str:
    """The base document with other text at a pointer; a missing last key is added."""
    root = parse(Source(base, "base")).root
    assert root is not None
    parts = parts_of(pointer)
    node = root.find(parts)
    if node is not None:
        return base[: node.start] + text + base[node.end :]
    parent = root.find(parts[:-1])
    assert parent is not None
    return f'{base[: parent.start + 1]}"{parts[-1]}": {text}, {base[parent.start + 1 :]}'


def findings(directory: Path, text: str | bytes, *overrides: str) -> list[Diagnostic]:
    """All findings about a text that stands among the base document's files."""
    write_files(directory)
    path = directory / "network.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check(path, overrides)[1]


def codes(found: list[Diagnostic]) -> list[str]:
    return [finding.code for finding in found]


def as_json(value: Any) -> Any:
    """Tuples as lists, as JSON reads them back."""
    if isinstance(value, dict):
        return {key: as_json(member) for key, member in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value
