"""Reads samples from files of arrays, and encodes them batch by batch."""

import gzip
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from netdesc import machine
from netdesc.data.array_checks import ArrayChecks, chunks
from netdesc.data.array_files import (
    MAX_RESIDENT_BYTES,
    MAX_UNPACKED_BYTES,
    ArrayFileError,
    ArraySource,
    array_damage,
    open_arrays,
    unpacked_size_error,
)
from netdesc.data.data_context import DataContext
from netdesc.data.data_errors import DataError
from netdesc.data.encoding import Code
from netdesc.data.samples import Indices, Rngs, Samples, SampleSpec
from netdesc.description.json.tree import Parts
from netdesc.description.models import Arrays
from netdesc.description.models.data import PARTS
from netdesc.description.source import file_size
from netdesc.events.npy_header import ArrayHeader

MAX_CHECKED_BYTES = 64 << 20
"""Only training looks at the values of larger arrays."""


@dataclass(frozen=True, eq=False)
class ArraySamples(Samples):
    """The samples ``rows`` of a part of arrays, with labels or values; ``dense`` encodes inputs.

    ``inputs`` [all samples, …] are in memory in the compact form of ``code`` (see ``encoding``) or,
    if ``is_raw``, they are the values of a file that is mapped to memory.
    """

    code: Code
    spec: SampleSpec
    inputs: NDArray
    targets: NDArray | None
    """Labels, int32 [all samples] or [all samples, steps], or values or spikes of the output; None
    if these are the inputs."""
    part: Indices
    """The number of each sample of the part in the arrays."""
    rows: Indices
    is_raw: bool = False

    @property
    def is_random(self) -> bool:
        return self.code.is_random

    @property
    def reads_files(self) -> bool:
        return self.is_raw

    @property
    def labels(self) -> NDArray | None:
        if self.targets is None or self.spec.learns_from != "labels":
            return None
        return self.targets[self.indices]

    @property
    def indices(self) -> Indices:
        return self.part[self.rows]

    def loaded(self) -> "ArraySamples":
        for values in (self.inputs, self.targets):
            _require_whole(values)
        if not self.is_raw:
            return self
        at, part = self.indices, np.zeros(1 + int(self.rows.max()), np.intp)
        part[self.rows] = np.arange(len(at))
        inputs, targets = self.code.compress(self.inputs[at]), self.targets
        targets = None if targets is None else targets[at]
        return replace(self, inputs=inputs, targets=targets, part=part, is_raw=False)

    def dense(self, rngs: Rngs) -> tuple[NDArray[np.float32], NDArray]:
        """Encodes all samples (see ``samples.Samples``)."""
        if self.is_raw:
            return self.loaded().dense(rngs)
        input_TBN = self.code.inputs(self.inputs[self.indices], rngs)
        input_TBN = input_TBN.reshape(*input_TBN.shape[:2], *self.spec.input_shape)
        if self.targets is None:
            return input_TBN, input_TBN
        targets = self.targets[self.indices]
        if self.spec.learns_from != "labels":
            targets = targets.astype(np.float32, copy=False)
            targets = targets.reshape(len(targets), -1, *self.spec.output_shape)
        return input_TBN, np.ascontiguousarray(targets.swapaxes(0, min(1, targets.ndim - 1)))


def build_samples(checks: ArrayChecks) -> ArraySamples:
    """Encodes arrays that were checked, of all parts."""
    assert checks.code is not None, "the arrays have no error"
    inputs, targets = checks.arrays["inputs"], checks.arrays.get(checks.data.goal[0])
    is_raw = is_mapped(inputs)
    rows = np.arange(len(inputs))
    if not is_raw:
        inputs = np.concatenate([checks.code.compress(chunk) for _, chunk in chunks(inputs)])
    if targets is not None and not is_mapped(targets):
        targets = targets.astype(np.int32 if checks.spec.learns_from == "labels" else np.float32)
    return ArraySamples(checks.code, checks.spec, inputs, targets, rows, rows, is_raw)


def build_parts(checks: ArrayChecks) -> dict[str, ArraySamples]:
    """Encodes arrays that were checked, and divides them as the array ``split`` says."""
    samples, split = build_samples(checks), checks.arrays.get("split")
    if split is None:
        return {"train": samples}
    parts = {name: np.flatnonzero(split == number) for number, name in enumerate(PARTS)}
    return {name: replace(samples, part=at, rows=np.arange(len(at))) for name, at in parts.items()}


def is_mapped(values: NDArray) -> bool:
    """Whether an array is a file that is mapped to memory, or a part of one."""
    base: object = values
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    return isinstance(base, np.memmap)


def _require_whole(values: NDArray | None) -> None:
    """Raises DataError if the file that an array maps was cut off: reading would end the process.
    ``numpy.savez`` cuts a file off when it writes it again."""
    base, name = cast("Any", values), None
    while isinstance(base, np.ndarray):
        name, base = getattr(base, "filename", name), base.base
    if name is not None and isinstance(base, mmap.mmap) and base.size() < len(base):
        raise DataError(
            f"{name}: this file was cut off or written again while it was read; restore it and "
            f"try again"
        )


def read_arrays(context: DataContext) -> dict[str, ArraySamples]:
    """Reads and checks a file of arrays. Returns the samples of each part, for training only."""
    data: Any = context.document.data
    path = context.description.resolve(data.path)
    try:
        with open_arrays(path) as source:
            checks = _check(context, data, source, {}, {})
    except (ArrayFileError, OSError) as error:
        context.add("ND309", ("data", "path"), f"{data.path} {error}")
        return {}
    context.training_set = checks.training_set
    return {} if not context.for_training or context.has_error else build_parts(checks)


def read_idx(context: DataContext) -> dict[str, ArraySamples]:
    """Reads and checks idx files, the images and the labels of a part together."""
    data: Any = context.document.data
    resolve = context.description.resolve
    samples: dict[str, ArraySamples] = {}
    for name, part in data.parts.items():
        paths = {"images": resolve(part.images.path), "labels": resolve(part.labels.path)}
        at: Parts = ("data",) if name == "train" else ("data", name)
        places = {"inputs": (*at, "images", "path"), "labels": (*at, "labels", "path")}
        source = IdxFiles(paths, context.spec.input_shape)
        files = {"inputs": part.images.path, "labels": part.labels.path}
        checks = _check(context, data.arrays(part), source, files, places)
        if name == "train":
            has_validation = data.validation is not None
            context.training_set = replace(checks.training_set, has_validation=has_validation)
        if context.for_training and not context.has_error:
            samples[name] = build_samples(checks)
    return samples


def _check(
    context: DataContext,
    data: Arrays,
    source: ArraySource,
    files: Mapping[str, str],
    parts_by_field: Mapping[str, Parts],
) -> ArrayChecks:
    """Checks arrays. ``files`` and ``places`` map fields of ``data`` to names of other files than
    ``data.path``, and to their places in the document.
    """
    limit = float("inf") if context.for_training else MAX_CHECKED_BYTES
    checks = ArrayChecks(data, context.spec, source, data.path, limit, files, context.are_checked)
    checks.run(context.document.training.batch_size, machine.free_bytes())
    context.description.unchecked.extend(checks.unchecked)
    for problem in checks.problems:
        parts = parts_by_field.get(str(problem.parts[-1]), problem.parts)
        context.problems.append(replace(problem, parts=parts))
    return checks


_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""Maps the code of a type to numpy's dtype."""
_GZIP_MAGIC = b"\x1f\x8b"


class IdxFiles:
    """The arrays of idx files, by name (see ``array_files.ArraySource``).

    Arrays of several axes get the shape of the network's input if they have as many values.
    """

    def __init__(self, paths: Mapping[str, Path], input_shape: tuple[int, ...]) -> None:
        self.names, self._paths, self._input_shape = list(paths), paths, input_shape

    def header(self, name: str) -> ArrayHeader:
        with array_damage():
            size = file_size(self._paths[name])
            with self._paths[name].open("rb") as file:
                stream = _unpacked(file)
                header = self._read_header(stream)
        needed = header.offset + header.bytes
        if stream is not file and needed > MAX_UNPACKED_BYTES:
            raise unpacked_size_error(name, needed)
        if stream is file and needed != size:
            what = "is cut off" if needed > size else "is damaged"
            raise ArrayFileError(f"{what}: it has {size:,} bytes, and its header says {needed:,}")
        return header

    def is_mapped(self, name: str) -> bool:
        with self._paths[name].open("rb") as file:
            is_packed = _unpacked(file) is not file
        return not is_packed and self.header(name).bytes > MAX_RESIDENT_BYTES

    def read(self, name: str) -> NDArray:
        header, path = self.header(name), self._paths[name]
        if self.is_mapped(name):
            return np.asarray(np.memmap(path, header.dtype, "r", header.offset, header.shape))
        with array_damage(), path.open("rb") as file:
            stream = _unpacked(file)
            stream.read(header.offset)
            raw = stream.read(header.bytes + 1)
            if len(raw) != header.bytes:
                raise EOFError
            return np.frombuffer(raw, header.dtype).reshape(header.shape)

    def _read_header(self, stream: BinaryIO) -> ArrayHeader:
        start = stream.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not start[3]:
            raise ArrayFileError("is not an idx file, or it is cut off")
        shape: tuple[int, ...] = struct.unpack(f">{start[3]}I", stream.read(4 * start[3]))
        offset = 4 + 4 * len(shape)
        if len(shape) > 1 and math.prod(shape[1:]) == math.prod(self._input_shape):
            shape = (shape[0], *self._input_shape)
        return ArrayHeader(shape, np.dtype(_TYPES[start[2]]), offset=offset)


def _unpacked(file: BinaryIO) -> BinaryIO:
    """Returns a file, or what unpacks it if gzip has compressed it."""
    is_packed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_packed else file
