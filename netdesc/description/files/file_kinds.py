"""What the files of each section of a document are, and how their contents are checked."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, cast

from netdesc.description.files.array_checks import ArrayChecks
from netdesc.description.files.array_source import ArrayFileError
from netdesc.description.files.event_checks import EventChecks
from netdesc.description.files.event_files import SUFFIXES as EVENT_SUFFIXES
from netdesc.description.files.file_context import Diagnostics, FileContext
from netdesc.description.files.file_references import FileReference
from netdesc.description.files.folder_checks import check_folder
from netdesc.description.files.idx import idx_files
from netdesc.description.files.npz import open_arrays
from netdesc.description.models import (
    Arrays,
    EventFile,
    EventFolders,
    Idx,
    SpikeFiles,
    Tonic,
    Weights,
)
from netdesc.description.models.layers import Mask, SynapticSection

Check = Callable[[FileContext, FileReference, Path], Diagnostics]


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


def _check_readable(context: FileContext, reference: FileReference, path: Path) -> Diagnostics:
    with path.open("rb") as file:
        file.read(1)  # raises OSError if it cannot be read
    return iter(())  # no diagnostics


def _check_events(context: FileContext, reference: FileReference, path: Path) -> Diagnostics:
    return EventChecks(context, cast("EventFile", reference.holder), reference.parts).run(path)


def _check_arrays(context: FileContext, reference: FileReference, path: Path) -> Diagnostics:
    try:
        with open_arrays(path) as source:
            arrays = ArrayChecks(context, cast("Arrays", reference.holder), source)
            arrays.run()
    except ArrayFileError as problem:
        message = f"{reference.path} {problem}"
        yield context.source_map.diagnostic("ND309", reference.parts, message)
    else:
        context.training_set = arrays.training_set
        yield from arrays.diagnostics


def _check_idx(context: FileContext, reference: FileReference, path: Path) -> Diagnostics:
    """Checks the images and the labels of a part together, at its images."""
    data, parts = cast("Idx", context.document.data), reference.parts
    if parts[-2] == "labels":
        yield from _check_readable(context, reference, path)
        return
    name = str(parts[1]) if len(parts) > 3 else "train"
    part = data.parts[name]
    labels = context.resolve(part.labels.path)
    if not labels.is_file():
        return  # a diagnostic of the labels says so
    files = {
        "inputs": (parts, part.images.path),
        "labels": ((*parts[:-2], "labels", "path"), part.labels.path),
    }
    source = idx_files(path, labels, context.document.input.shape)
    arrays = ArrayChecks(context, data.arrays(part), source, files)
    arrays.run()
    if name == "train":
        has_validation = data.validation is not None
        context.training_set = replace(arrays.training_set, has_validation=has_validation)
    yield from arrays.diagnostics


def _check_tonic(context: FileContext, reference: FileReference, path: Path) -> Diagnostics:
    spec = importlib.util.find_spec("tonic")
    if spec is None or spec.origin is None:  # a folder of this name is no package
        message = "data of Tonic need the package tonic, which is not installed"
        hint = "pip install tonic"
        yield context.source_map.diagnostic("ND329", ("data", "type"), message, hint=hint)


def _check_mask(context: FileContext, reference: FileReference, path: Path) -> Diagnostics:
    mask, index = cast("Mask", reference.holder), int(reference.parts[1])
    layer, wiring = context.document.layers[index], context.wiring
    shape = None if wiring.outputs[index] is None else wiring.inputs[index]
    assert isinstance(layer, SynapticSection)
    try:
        with open_arrays(path) as source:
            header = source.header(mask.name)
        if header.kind not in "biuf":
            raise ArrayFileError("holds no numbers")
        if shape is not None and header.shape != layer.weight_shape(shape):
            needed = list(layer.weight_shape(shape))
            raise ArrayFileError(f"has shape {list(header.shape)}; the weights have {needed}")
    except ArrayFileError as problem:
        message = f"{reference.path} {problem}"
        yield context.source_map.diagnostic("ND309", reference.parts, message)


KINDS: dict[type, FileKind] = {
    SpikeFiles: FileKind("a file of events", EVENT_SUFFIXES, _check_events),
    Arrays: FileKind("a file of arrays", (".npz",), _check_arrays, folder="maybe"),
    Idx: FileKind("an idx file", (), _check_idx),
    EventFolders: FileKind("a folder of event files", (), check_folder, folder="always"),
    Tonic: FileKind("a folder", (), _check_tonic, folder="always", must_exist=False),
    Mask: FileKind("a file of a mask", (".npy", ".npz"), _check_mask),
    Weights: FileKind("a file of weights", (".net", ".safetensors"), _check_readable),
}
