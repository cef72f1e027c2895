"""Reads and checks the samples of an ``.npz`` file, and encodes them batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netdesc.description.files.array_memory import memory_problem
from netdesc.description.files.array_order import hint_for_order
from netdesc.description.files.npy import Header
from netdesc.description.files.target_shape import target_shape_problem
from netdesc.description.models import Arrays
from netdesc.graph.nodes import Shape
from netdesc.training.encoding import Code, build_code
from netdesc.training.errors import DataError
from netdesc.training.file_checksum import check_file
from netdesc.training.npz import open_npz, read_numbers
from netdesc.training.samples import Indices, SampleSpec

PARTS = ("train", "validation", "test")
"""The splits that the numbers 0, 1 and 2 in the array ``split`` stand for."""

_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class ArraySamples:
    """Samples with labels or values, in memory in a compact form; ``dense`` encodes the inputs.

    ``compressed`` holds the inputs [samples, …]; ``code`` encodes them (see ``encoding``).
    """

    code: Code
    input_shape: Shape
    compressed: NDArray
    targets: NDArray[np.int32] | NDArray[np.float32]
    """Labels, int32 [samples] or [samples, steps], or values, float32 [samples, 1 or steps, *output
    shape]."""

    @property
    def is_random(self) -> bool:
        return self.code.is_random

    @property
    def labels(self) -> NDArray | None:
        return self.targets if self.targets.dtype == np.int32 else None

    def __len__(self) -> int:
        return len(self.compressed)

    def __getitem__(self, which: slice | Indices) -> ArraySamples:
        return replace(self, compressed=self.compressed[which], targets=self.targets[which])

    def dense(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray]:
        """Encodes all samples (see ``samples.Samples``)."""
        input_TBN = self.code.inputs(self.compressed, rng)
        input_TBN = input_TBN.reshape(*input_TBN.shape[:2], *self.input_shape)
        by_step = self.targets.swapaxes(0, 1) if self.targets.ndim > 1 else self.targets
        return input_TBN, np.ascontiguousarray(by_step)


@dataclass(frozen=True)
class ArrayEncoder:
    """Checks that arrays fit the network, and encodes them. ``source`` names them in messages."""

    source: str
    data: Arrays
    spec: SampleSpec
    warn: Callable[[str], None] = lambda text: None
    """Called with one line for each problem that is not an error."""

    def encode(self, inputs: NDArray, targets: NDArray) -> ArraySamples:
        """Encodes inputs; ``targets`` are their labels, or values that the output should have.

        DataError if they do not fit the network.
        """
        spec, samples = self.spec, len(np.atleast_1d(targets))
        hint = hint_for_order(self.data, spec.input_shape, spec.steps, inputs.shape, samples)
        if hint:
            raise self.error(self.data.inputs, f"has shape {list(inputs.shape)}; {hint}")
        code, compressed = self._compress_inputs(inputs)
        check = self._check_labels if spec.learns_from == "labels" else self._check_targets
        return ArraySamples(code, spec.input_shape, compressed, check(targets, len(compressed)))

    def error(self, name: str, problem: str) -> DataError:
        """Returns the error that says what is wrong with the array ``name``."""
        return DataError(f'{self.source}: array "{name}" {problem}')

    def _compress_inputs(self, values: NDArray) -> tuple[Code, NDArray]:
        """Compresses inputs; returns (code, compressed). DataError if they cannot be encoded."""
        data, spec = self.data, self.spec
        axes = data.encoding.file_axes
        if values.ndim < len(axes) or values.shape[len(axes) :] != spec.input_shape:
            expected = ", ".join(map(str, (*axes, *spec.input_shape)))
            raise self.error(
                data.inputs,
                f"has shape {list(values.shape)}; [{expected}] is needed for encoding "
                f'"{data.encoding.type}"',
            )
        file_steps = values.shape[1] if "steps" in axes else 0
        if file_steps > spec.steps:
            raise self.error(
                data.inputs, f"has {file_steps} steps a sample; the network runs {spec.steps}"
            )
        if not values.size:
            empty = "steps" if len(values) else "samples"
            raise self.error(data.inputs, f"holds no {empty}")
        try:
            code = build_code(data, spec.steps, file_steps, int(np.prod(spec.input_shape)))
        except ValueError as error:
            raise DataError(f"{self.source}: {error}") from error
        size = max(1, _CHUNK_VALUES // max(1, values[0].size))
        chunks = [values[start : start + size] for start in range(0, len(values), size)]
        for number, chunk in enumerate(chunks):
            self._check_values(chunk, code, number * size)
        lowest = float(min(chunk.min() for chunk in chunks))
        warning = code.warning(lowest, float(max(chunk.max() for chunk in chunks)))
        if warning:
            self.warn(f'{self.source}: the array "{data.inputs}" {warning}')
        return code, np.concatenate([code.compress(chunk) for chunk in chunks])

    def _check_values(self, values: NDArray, code: Code, first: int) -> None:
        valid = code.is_valid(values)
        if valid.all():
            return
        sample = int(np.flatnonzero(~valid)[0])
        cells = values[sample].reshape(-1, 1)
        wrong = cells[~code.is_valid(cells)][0, 0]
        analog = '; "range" says which values there are' if "from" in code.values else ""
        raise self.error(
            self.data.inputs, f"has {wrong} in sample {first + sample}, not {code.values}{analog}"
        )

    def _check_targets(self, targets: NDArray, samples: int) -> NDArray[np.float32]:
        """Converts values to [samples, 1 or steps, *output shape]; DataError if they do not fit."""
        spec, name = self.spec, self.data.targets or "targets"
        steps = spec.steps if spec.labels_by_step else None
        problem = target_shape_problem(targets.shape, samples, steps, spec.output_shape)
        if problem is not None:
            raise self.error(name, f"{problem[0]}{f'; {problem[1]}' if problem[1] else ''}")
        with np.errstate(over="ignore"):
            values = targets.astype(np.float32).reshape(samples, -1, *spec.output_shape)
        if not np.isfinite(values).all():
            sample = int(np.flatnonzero(~np.isfinite(values).reshape(samples, -1).all(1))[0])
            raise self.error(name, f"holds NaN or too large numbers in sample {sample}")
        return values

    def _check_labels(self, labels: NDArray, samples: int) -> NDArray[np.int32]:
        spec, name = self.spec, self.data.labels
        assert spec.classes is not None
        hint = _label_hint(labels, spec.classes)
        if labels.dtype.kind not in "iu":
            raise self.error(
                name, f"holds {labels.dtype}; whole numbers of classes are needed{hint}"
            )
        by_step = labels.ndim == 2
        if labels.ndim not in (1, 2) or len(labels) != samples:
            raise self.error(
                name, f"has shape {list(labels.shape)}; the inputs have {samples} samples"
            )
        if by_step and not spec.labels_by_step:
            raise self.error(
                name,
                f"has shape {list(labels.shape)}; only a loss with window_steps takes a label "
                f"a step{hint}",
            )
        if by_step and labels.shape[1] != spec.steps:
            raise self.error(
                name,
                f"has {labels.shape[1]} labels a sample; the network runs {spec.steps} steps{hint}",
            )
        wrong = (labels < 0) | (labels >= spec.classes)
        if wrong.any():
            sample = int(np.flatnonzero(wrong.reshape(samples, -1).any(1))[0])
            value = labels[sample][wrong[sample]].ravel()[0] if by_step else labels[sample]
            raise self.error(
                name,
                f"has {value} for sample {sample}; the classes are 0 to {spec.classes - 1}, one "
                "an output neuron",
            )
        return labels.astype(np.int32)


def _label_hint(labels: NDArray, classes: int) -> str:
    """Returns how one-hot labels or floats become classes; empty if the labels are neither."""
    if labels.ndim == 2 and labels.shape[1] == classes:
        return "; if the labels are one-hot, use labels.argmax(1)"
    if labels.dtype.kind in "bf" and (labels == np.rint(labels)).all():
        return "; use labels.astype(int), or .long() of a tensor"
    return ""


@dataclass(frozen=True)
class ArrayFile:
    """Reads the ``.npz`` file of a document's ``data``, and checks that it fits the network."""

    path: Path
    data: Arrays
    spec: SampleSpec
    batch_size: int | None = None
    """The number of samples in a training batch; None means all samples."""
    warn: Callable[[str], None] = lambda text: None
    """Called with one line for each problem that is not an error."""

    def read(self) -> dict[str, ArraySamples]:
        """Returns the samples of each split in ``PARTS``; validation and test may have no samples.

        Raises DataError if the file is missing, damaged or does not fit the network.
        """
        data = self.data
        check_file(self.path, data.sha256)
        with open_npz(self.path) as npz:
            split = None if data.split is None else read_numbers(npz, data.split)
            self._require_memory(npz.header(data.inputs), split)
            inputs = read_numbers(npz, data.inputs)
            targets = read_numbers(npz, data.targets or data.labels)
        encoder = ArrayEncoder(str(self.path), data, self.spec, self.warn)
        samples = encoder.encode(inputs, targets)
        if data.split is None or split is None:
            return {"train": samples, "validation": samples[:0], "test": samples[:0]}
        part = _check_split(encoder, data.split, split, len(samples))
        return {name: samples[np.flatnonzero(part == n)] for n, name in enumerate(PARTS)}

    def _require_memory(self, header: Header, split: NDArray | None) -> None:
        """Raises DataError if the inputs and an encoded training batch need too much memory."""
        axes = self.data.encoding.file_axes
        if header.shape[len(axes) :] != self.spec.input_shape:
            return
        samples = int((split == 0).sum()) if split is not None else 0
        samples = samples or header.shape[0]
        batch = min(self.batch_size or samples, samples)
        found = memory_problem(header, self.data, self.spec.steps, batch)
        if found is not None:
            raise DataError(f"{self.path}: {found[0]}; {found[1]}")


def _check_split(encoder: ArrayEncoder, name: str, part: NDArray, samples: int) -> NDArray:
    if part.dtype.kind not in "iu" or part.shape != (samples,):
        raise encoder.error(
            name,
            f"has type {part.dtype} and shape {list(part.shape)}; whole numbers of shape "
            f"[{samples}] are needed",
        )
    wrong = np.flatnonzero((part < 0) | (part >= len(PARTS)))
    if len(wrong):
        raise encoder.error(
            name,
            f"has {part[wrong[0]]} for sample {wrong[0]}; 0 is training, 1 validation, 2 test",
        )
    if not (part == 0).any():
        raise encoder.error(name, f"leaves none of the {samples} samples to train on: none is 0")
    return part
