"""What the files of each section of a document are, and how their contents are checked."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, cast

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.files.array_checks import ArrayChecks
from netdesc.description.files.array_source import ArrayFileError
from netdesc.description.files.event_checks import EventChecks
from netdesc.description.files.event_files import SUFFIXES as EVENT_SUFFIXES
from netdesc.description.files.event_folders import class_files
from netdesc.description.files.file_references import FileReference
from netdesc.description.files.folder_checks import check_classes, check_recordings
from netdesc.description.files.idx import idx_files
from netdesc.description.files.npz import open_arrays
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.json.tree import Parts
from netdesc.description.models import (
    Arrays,
    Document,
    EventFile,
    EventFolders,
    Idx,
    SpikeFiles,
    Tonic,
    Weights,
)
from netdesc.description.models.layers import Mask, SynapticSection
from netdesc.description.shape_trace import output_locations, shape_locations, trace_shape
from netdesc.description.shapes import INPUT, Wiring
from netdesc.description.source import file_size
from netdesc.description.source_map import SourceMap


@dataclass(slots=True)
class FileContext:
    """The document whose files are checked, and what the checks find beside diagnostics.

    ``resolve`` turns a path of the document into a path of the file system. ``unchecked`` are
    sentences about files whose values are not checked, because they are too large.
    """

    document: Document
    source_map: SourceMap
    resolve: Callable[[str], Path]
    wiring: Wiring
    training_set: TrainingSet
    unchecked: list[str] = field(default_factory=list[str])

    @property
    def output_trace(self) -> str:
        """A text that shows how the output's shape follows from the layers."""
        return trace_shape(self.document, self.wiring, len(self.document.layers) - 1)

    def array_checks(
        self, data: Arrays, files: Mapping[str, tuple[Parts, str]] | None = None
    ) -> ArrayChecks:
        """Returns the checks of arrays that are described by ``data`` (see ``ArrayChecks``)."""
        outputs, steps = self.wiring.outputs[-1], self.wiring.steps[-1]
        return ArrayChecks(
            self.document, data, self.source_map, outputs, steps, self.output_trace, files
        )


Check = Callable[[FileContext, FileReference, Path], Iterable[Diagnostic]]


class FileKind(NamedTuple):
    """What files of a section of the document are, and how their contents are checked."""

    noun: str
    suffixes: tuple[str, ...]
    """The suffixes that names may have; empty if all may."""
    check: Check
    folder: Literal["never", "maybe", "always"] = "never"
    must_exist: bool = True

    def allows(self, path: Path) -> bool:
        """Whether a file may have this name, or a folder may be here."""
        if self.folder != "never" and path.is_dir():
            return True
        if self.folder == "always":
            return not path.exists()
        return not self.suffixes or path.suffix.lower() in self.suffixes


def _check_weights(checks: FileContext, reference: FileReference, path: Path) -> list[Diagnostic]:
    with path.open("rb") as file:
        file.read(1)  # raises OSError if it cannot be read
    return []


def _check_events(
    checks: FileContext, reference: FileReference, path: Path
) -> Iterator[Diagnostic]:
    document, parts = checks.document, reference.parts
    shape, locations = document.input.shape, shape_locations(document, INPUT)
    if parts[-2] == "target":
        shape, locations = checks.wiring.outputs[-1], output_locations(document)
    events = EventChecks(
        cast("EventFile", reference.holder),
        document.time,
        shape,
        checks.source_map,
        parts,
        locations,
        checks.output_trace,
    )
    with path.open("rb") as file:
        yield from events.run(file, path.suffix.lower(), file_size(path))
    checks.unchecked += events.unchecked


def _check_arrays(checks: FileContext, reference: FileReference, path: Path) -> list[Diagnostic]:
    data = cast("Arrays", reference.holder)
    arrays = checks.array_checks(data)
    try:
        with open_arrays(path) as source:
            found = arrays.run(source)
    except ArrayFileError as problem:
        message = f"{reference.path} {problem}"
        return [checks.source_map.diagnostic("ND309", reference.parts, message)]
    checks.training_set = arrays.training_set
    checks.unchecked += arrays.unchecked
    return found


def _check_idx(checks: FileContext, reference: FileReference, path: Path) -> list[Diagnostic]:
    """Checks the images and the labels of a part together, at its images."""
    document, data, parts = checks.document, cast("Idx", checks.document.data), reference.parts
    if parts[-2] == "labels":
        with path.open("rb") as file:
            file.read(1)  # raises OSError if it cannot be read
        return []
    name = str(parts[1]) if len(parts) > 3 else "train"
    part = data.parts[name]
    labels = checks.resolve(part.labels.path)
    if not labels.is_file():
        return []  # a diagnostic of the labels says so
    files = {
        "inputs": (parts, part.images.path),
        "labels": ((*parts[:-2], "labels", "path"), part.labels.path),
    }
    arrays = checks.array_checks(data.arrays(part), files)
    found = arrays.run(idx_files(path, labels, document.input.shape))
    if name == "train":
        has_validation = data.validation is not None
        checks.training_set = replace(arrays.training_set, has_validation=has_validation)
    checks.unchecked += arrays.unchecked
    return found


def _check_folder(
    checks: FileContext, reference: FileReference, path: Path
) -> Iterator[Diagnostic]:
    """Checks a folder of classes, and of each class the lengths of its files and the first one."""
    document, parts = checks.document, reference.parts
    data = cast("EventFolders", document.data)
    found = class_files(path)
    train, outputs = checks.resolve(data.train.path), checks.wiring.outputs[-1]
    known = class_files(train) if train.is_dir() else found
    place = (document, checks.source_map, parts, reference.path)
    units = None if outputs is None else math.prod(outputs)
    yield from check_classes(*place, list(found), list(known), units)
    for files in found.values():
        problems = list(check_recordings(*place, files, data.rounding))
        yield from problems
        if problems:
            break  # those of other classes are probably alike
    if parts[1] == "train":
        count = sum(map(len, found.values())) or None
        labels = frozenset(range(len(found))) or None
        checks.training_set = TrainingSet(count, labels, data.validation is not None)


def _check_tonic(checks: FileContext, reference: FileReference, path: Path) -> Iterator[Diagnostic]:
    spec = importlib.util.find_spec("tonic")
    if spec is None or spec.origin is None:  # a folder of this name is no package
        message = "data of Tonic need the package tonic, which is not installed"
        hint = 'pip install "netdesc[tonic]"'
        yield checks.source_map.diagnostic("ND329", ("data", "type"), message, hint=hint)


def _check_mask(checks: FileContext, reference: FileReference, path: Path) -> Iterator[Diagnostic]:
    mask, index = cast("Mask", reference.holder), int(reference.parts[1])
    layer, wiring = checks.document.layers[index], checks.wiring
    shape = None if wiring.outputs[index] is None else wiring.inputs[index]
    assert isinstance(layer, SynapticSection)
    message = ""
    try:
        with open_arrays(path) as source:
            header = source.header(mask.name)
            if shape is not None and header.shape != layer.weight_shape(shape):
                needed = list(layer.weight_shape(shape))
                message = f"has shape {list(header.shape)}; the weights have {needed}"
            if header.kind not in "biuf":
                message = "holds no numbers"
    except ArrayFileError as problem:
        message = str(problem)
    if message:
        text = f"{reference.path} {message}"
        yield checks.source_map.diagnostic("ND309", reference.parts, text)


KINDS: dict[type, FileKind] = {
    SpikeFiles: FileKind("a file of events", EVENT_SUFFIXES, _check_events),
    Arrays: FileKind("a file of arrays", (".npz",), _check_arrays, folder="maybe"),
    Idx: FileKind("an idx file", (), _check_idx),
    EventFolders: FileKind("a folder of event files", (), _check_folder, folder="always"),
    Tonic: FileKind("a folder", (), _check_tonic, folder="always", must_exist=False),
    Mask: FileKind("a file of a mask", (".npy", ".npz"), _check_mask),
    Weights: FileKind("a file of weights", (".net", ".safetensors"), _check_weights),
}
