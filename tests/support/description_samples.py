"""A sound description with its data files, for the tests of description and graph."""

import functools
import io
import json
import zipfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
from hypothesis import HealthCheck, settings

from netdesc.api.load import check
from netdesc.description import model_structure as structure
from netdesc.description.codes import Entry
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.reader import parse
from netdesc.description.json.tree import Node, Parts
from netdesc.description.models import Document
from netdesc.description.source import Source

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For property tests on a machine that does other things as well."""

FIXTURES = Path(__file__).parents[1] / "fixtures/description"
BASE = (FIXTURES / "base.json").read_text(encoding="utf-8")
LABELLED = (FIXTURES / "labelled.json").read_text(encoding="utf-8")
VALUED = LABELLED.replace('"split": null', '"split": null, "targets": "targets"').replace(
    '{"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03}',
    '{"type": "mean_squared_error", "skip_steps": 5}',
)
"""The labelled document with target values in place of labels."""


def events(*pairs: tuple[int, float]) -> bytes:
    """A .bs1 file of (neuron, milliseconds)."""
    return b"".join(
        neuron.to_bytes(2, "big") + (1 << 23 | round(ms * 1000)).to_bytes(3, "big")
        for neuron, ms in pairs
    )


def plane_events(*rows: tuple[int, int, int, float]) -> bytes:
    """A .bs2 file of (x, y, polarity, milliseconds)."""
    return b"".join(
        bytes((x, y)) + (p << 23 | round(ms * 1000)).to_bytes(3, "big") for x, y, p, ms in rows
    )


def npy(array: Any) -> bytes:
    """An .npy file of this array."""
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    """An .npz file of these arrays."""
    file = io.BytesIO()
    np.savez_compressed(file, **{name: np.asarray(array) for name, array in arrays.items()})
    return file.getvalue()


def base_of(entry: Entry) -> str:
    """The document of the examples of a code."""
    return {"events": BASE, "labels": LABELLED, "values": VALUED}[entry.data]


VALUES = np.linspace(0, 1, 24, dtype=np.float32).reshape(6, 4)
LABELS = np.array([0, 1, 0, 1, 0, 1])
TARGETS = np.linspace(-3, 3, 12, dtype=np.float32).reshape(6, 2)
SOUND = {"inputs": VALUES, "labels": LABELS}
"""The arrays of the labelled document: six samples of four values in two classes."""


@functools.cache
def samples() -> bytes:
    """The sound arrays, and such as other documents and the examples of ``explain`` name."""
    return npz(
        **SOUND,
        split=[0, 0, 0, 0, 1, 2],
        spikes=np.arange(6 * 100 * 4, dtype=np.uint8).reshape(6, 100, 4) % 2,
        targets=TARGETS,
        labels_of_steps=np.arange(600).reshape(6, 100) % 2,
        # What is wrong, for the examples of ``explain``:
        pickled=np.array([{}] * 6),
        labels_as_floats=[0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
        targets_of_others=TARGETS[:5],
        labels_of_others=[0, 1, 0, 1, 0],
        labels_from_1=[1, 2, 1, 2, 1, 2],
        labels_without_1=[0, 0, 0, 0, 0, 0],
        split_without_0=[1, 1, 1, 1, 2, 2],
        split_with_3=[0, 0, 0, 0, 1, 3],
        split_of_0=[0, 0, 0, 0, 0, 0],
        inputs_to_16=VALUES * 16,
        spikes_of_2=np.full((6, 100, 4), 2, dtype=np.uint8),
    )


@functools.cache
def tight() -> bytes:
    """A small file that claims to unpack to 5 GiB of inputs."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in SOUND.items():
            archive.writestr(f"{name}.npy", npy(array))
        archive.getinfo("inputs.npy").file_size = 5 << 30
    return file.getvalue()


def write_files(directory: Path) -> None:
    """The files to which the base document and the examples of ``explain`` refer."""
    (directory / "input.bs1").write_bytes(events((0, 5), (3, 50)))
    (directory / "target.bs1").write_bytes(events((0, 8), (1, 60)))
    (directory / "empty.bs1").write_bytes(b"")
    (directory / "cut.bs1").write_bytes(events((0, 5), (1, 6))[:-1])
    (directory / "events.npy").write_bytes(npy([[0, 1, 5.0], [3, 1, 50.0]]))
    (directory / "in_seconds.npy").write_bytes(npy([[0, 1, 0.005], [3, 1, 0.05]] * 5))
    (directory / "two_columns.npy").write_bytes(npy([[0, 5.0], [3, 50.0]]))
    (directory / "plane.bs2").write_bytes(plane_events((3, 2, 1, 5.0)))
    (directory / "input.csv").write_text("0,5\n")
    (directory / "samples.npz").write_bytes(samples())
    (directory / "tight.npz").write_bytes(tight())
    (directory / "cut.npz").write_bytes(samples()[:-10])
    (directory / "directory.bs1").mkdir(exist_ok=True)
    for path in ("recordings/left/a.bs1", "recordings/right/b.bs1", "other_recordings/up/a.bs1"):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(events((0, 5), (3, 50)))


def parts_of(pointer: str) -> Parts:
    """A JSON pointer as keys and indices."""
    return tuple(int(part) if part.isdigit() else part for part in pointer.split("/")[1:])


def with_text(pointer: str, text: str, base: str = BASE) -> str:
    """The base document with other text at a pointer; a missing last key is added."""
    root = parse(Source(base, "base"))
    assert isinstance(root, Node)
    parts = parts_of(pointer)
    node = root.find(parts)
    if node is not None:
        return base[: node.start] + text + base[node.end :]
    parent = root.find(parts[:-1])
    return f'{base[: parent.start + 1]}"{parts[-1]}": {text}, {base[parent.start + 1 :]}'


def findings(directory: Path, text: str | bytes, *overrides: str) -> list[Diagnostic]:
    """All diagnostics about a text that stands among the base document's files."""
    write_files(directory)
    path = directory / "network.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check(path, overrides)[1]


def labelled(**changes: Any) -> str:
    """The labelled document with other sections."""
    return json.dumps(json.loads(LABELLED) | changes)


def slowed(text: str) -> str:
    """The document with an output of steps that are ten times as long."""
    document = json.loads(text)
    document["layers"].insert(-1, {"name": "slow", "type": "time_decimation", "factor": 10})
    return json.dumps(document)


def labelled_data(**changes: Any) -> str:
    """The labelled document with other fields of its data."""
    return labelled(data=json.loads(LABELLED)["data"] | changes)


def array_findings(
    directory: Path, base: str = LABELLED, *overrides: str, **arrays: Any
) -> list[Diagnostic]:
    """All diagnostics about a document whose file has these arrays beside the sound ones."""
    (directory / "own.npz").write_bytes(npz(**(SOUND | arrays)))
    return findings(directory, with_text("/data/path", '"own.npz"', base), *overrides)


def codes(found: list[Diagnostic]) -> list[str]:
    return [diagnostic.code for diagnostic in found]


def text_of(diagnostic: Diagnostic) -> str:
    return " | ".join(filter(None, (diagnostic.message, diagnostic.hint, *diagnostic.notes)))


def as_json(value: Any) -> Any:
    """Tuples as lists, as JSON reads them back."""
    if isinstance(value, dict):
        return {key: as_json(member) for key, member in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value


def all_models() -> list[structure.Model]:
    """Every model of the language, each before its parts."""
    found: list[structure.Model] = []

    def visit(annotation: Any) -> None:
        for model in structure.models(annotation):
            if model not in found:
                found.append(model)
                for info in structure.fields(model).values():
                    visit(info.annotation)
        for each in get_args(annotation):
            visit(each)

    visit(Document)
    return found
