"""Reads and checks the samples of a file of arrays, and encodes them batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netdesc.data.array_reader import array_errors, read_numbers
from netdesc.data.data_errors import DataError
from netdesc.data.encoding import Code, build_code
from netdesc.data.file_checksum import check_file
from netdesc.data.samples import Indices, SampleSpec
from netdesc.description.files.array_memory import memory_problem
from netdesc.description.files.array_shapes import hint_for_order, target_shape_problem
from netdesc.description.files.array_source import ArraySource
from netdesc.description.files.npz import open_arrays
from netdesc.description.models import Arrays

PARTS = ("train", "validation", "test")
"""The splits that the numbers 0, 1 and 2 in the array ``split`` stand for."""

_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class ArraySamples:
    """The samples ``rows`` of arrays, with labels or values; ``dense`` encodes the inputs.

    ``inputs`` [all samples, …] are in memory in the compact form of ``code`` (see ``encoding``) or,
    if ``is_raw``, they are the values of a file that is mapped to memory.
    """

    code: Code
    spec: SampleSpec
    inputs: NDArray
    targets: NDArray | None
    """Labels, int32 [all samples] or [all samples, steps], or values or spikes of the output; None
    if these are the inputs."""
    rows: Indices
    is_raw: bool = False

    @property
    def is_random(self) -> bool:
        return self.code.is_random

    @property
    def labels(self) -> NDArray | None:
        if self.targets is None or self.spec.learns_from != "labels":
            return None
        return self.targets[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: slice | Indices) -> ArraySamples:
        return replace(self, rows=self.rows[which])

    def dense(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray]:
        """Encodes all samples (see ``samples.Samples``)."""
        inputs = self.inputs[self.rows]
        input_TBN = self.code.inputs(self.code.compress(inputs) if self.is_raw else inputs, rng)
        input_TBN = input_TBN.reshape(*input_TBN.shape[:2], *self.spec.input_shape)
        if self.targets is None:
            return input_TBN, input_TBN
        targets = self.targets[self.rows]
        if self.spec.learns_from != "labels":
            targets = targets.astype(np.float32, copy=False)
            targets = targets.reshape(len(targets), -1, *self.spec.output_shape)
        return input_TBN, np.ascontiguousarray(targets.swapaxes(0, min(1, targets.ndim - 1)))


@dataclass(frozen=True)
class ArrayEncoder:
    """Checks that arrays fit the network, and encodes them.

    Messages name ``source``, or what ``sources`` has for the name of the array.
    """

    source: str
    data: Arrays
    spec: SampleSpec
    warn: Callable[[str], None] = lambda text: None
    """Called with one line for each problem that is not an error."""
    sources: Mapping[str, Path] = field(default_factory=dict)

    def encode(self, inputs: NDArray, targets: NDArray | None) -> ArraySamples:
        """Encodes inputs; ``targets`` are their labels, or what the output should be (None: the
        inputs).

        DataError if they do not fit the network.
        """
        spec, samples = self.spec, 0 if targets is None else len(np.atleast_1d(targets))
        hint = hint_for_order(self.data, spec.input_shape, spec.steps, inputs.shape, samples)
        if hint:
            raise self.error(self.data.inputs, f"has shape {list(inputs.shape)}; {hint}")
        code = self._check_inputs(inputs)
        is_raw = is_file(inputs)
        if targets is None:
            self._check_autoencoder()
        else:
            check = self._check_labels if spec.learns_from == "labels" else self._check_targets
            targets = check(targets, len(inputs))
        if not is_raw:
            inputs = np.concatenate([code.compress(chunk) for _, chunk in _chunks(inputs)])
        return ArraySamples(code, spec, inputs, targets, np.arange(len(inputs)), is_raw)

    def _check_autoencoder(self) -> None:
        """Raises DataError if the output cannot be compared with the inputs of each step."""
        spec = self.spec
        sizes = [(spec.steps, *spec.input_shape), (spec.output_steps, *spec.output_shape)]
        if sizes[0] != sizes[1] or spec.learns_from == "labels" or not spec.takes_steps:
            raise DataError(
                f"{self.source}: the targets are the inputs {list(sizes[0])} of each step, which "
                f"the loss cannot compare with outputs {list(sizes[1])} of the network"
            )

    def error(self, name: str, problem: str) -> DataError:
        """Returns the error that says what is wrong with the array ``name``."""
        return DataError(f'{self.sources.get(name, self.source)}: array "{name}" {problem}')

    def _check_inputs(self, values: NDArray) -> Code:
        """Returns the code of the inputs. DataError if they cannot be encoded."""
        data, spec = self.data, self.spec
        axes, shape = data.encoding.file_axes, list(values.shape)
        file_steps = shape[1] if "steps" in axes and len(shape) > 1 else 0
        problem = ""
        if len(shape) < len(axes) or values.shape[len(axes) :] != spec.input_shape:
            needed = f"[{', '.join(map(str, (*axes, *spec.input_shape)))}] is needed for encoding"
            problem = f'has shape {shape}; {needed} "{data.encoding.type}"'
        elif file_steps > spec.steps:
            problem = f"has {file_steps} steps a sample; the network runs {spec.steps}: write "
            problem += f"{file_steps} as time.steps, or take {data.inputs}[:, :{spec.steps}]"
        elif not values.size:
            problem = f"holds no {'steps' if shape[0] else 'samples'}"
        if problem:
            raise self.error(data.inputs, problem)
        try:
            code = build_code(data, spec.steps, file_steps, int(np.prod(spec.input_shape)))
        except ValueError as error:
            raise DataError(f"{self.source}: {error}") from error
        lowest, largest, beyond = math.inf, -math.inf, ""
        for start, chunk in _chunks(values):
            self._check_values(chunk, code, start)
            lowest, largest = min(lowest, float(chunk.min())), max(largest, float(chunk.max()))
            if data.encoding.is_real and spec.limits and not beyond:
                beyond = spec.beyond_limits(code.compress(chunk))
        short = ""
        if 0 < file_steps < spec.steps:
            rest = f"the last {spec.steps - file_steps} of the network's {spec.steps} (time.steps)"
            short = f"has {file_steps} steps; {rest} have no input"
        for warning in filter(None, (code.warning(lowest, largest), beyond, short)):
            self.warn(f'{self.source}: the array "{data.inputs}" {warning}')
        return code

    def _check_values(self, values: NDArray, code: Code, first: int) -> None:
        accepted = code.accepts(values)
        if accepted.all():
            return
        sample, *cell = np.unravel_index(accepted.argmin(), accepted.shape)
        wrong = values[(sample, *cell)]
        is_limited = "from" in code.values and np.isfinite(wrong)
        analog = '; "range" says which values there are' if is_limited else ""
        raise self.error(
            self.data.inputs, f"has {wrong} in sample {first + sample}, not {code.values}{analog}"
        )

    def _check_targets(self, targets: NDArray, samples: int) -> NDArray:
        """Converts values to float32 unless a file holds them; DataError if they do not fit."""
        spec, (field, name) = self.spec, self.data.goal
        name = name if field != "labels" else "targets"  # of arrays in memory
        is_hot = spec.learns_from == "multi-hot labels"
        are_spikes = spec.learns_from == "target spikes"
        if are_spikes and targets.ndim == 1:
            raise DataError(
                f"{self.source}: the loss compares spikes, and labels were given; a loss such as "
                "spike_rate learns from labels (a .net file holds no loss: import it, and set one)"
            )
        steps = spec.output_steps if spec.takes_steps else None
        problem = target_shape_problem(targets.shape, samples, steps, spec.output_shape, are_spikes)
        if problem is not None:
            raise self.error(name, f"{problem[0]}{f'; {problem[1]}' if problem[1] else ''}")
        for start, chunk in _chunks(targets):
            with np.errstate(over="ignore"):
                values = chunk.astype(np.float32).reshape(len(chunk), -1)
            wrong = ~np.isfinite(values)
            what = "NaN or too large numbers"
            if is_hot:
                wrong, what = (values != 0) & (values != 1), "other numbers than 0 and 1"
            if are_spikes:
                wrong |= (values < 0) | (values != np.rint(values))
                what = "other values than numbers of spikes"
            found = np.flatnonzero(wrong.any(1))
            if are_spikes and not len(found):
                what, found = "no spike to learn", np.flatnonzero(~values.any(1))
            if len(found):
                raise self.error(name, f"holds {what} in sample {start + found[0]}")
        return targets if is_file(targets) else targets.astype(np.float32)

    def _check_labels(self, labels: NDArray, samples: int) -> NDArray[np.int32]:
        problem = _label_problem(labels, samples, self.spec)
        if problem:
            raise self.error(self.data.labels, problem)
        return labels.astype(np.int32)


def _label_problem(labels: NDArray, samples: int, spec: SampleSpec) -> str:
    """Returns why labels do not fit the network, an empty text if they do."""
    classes, shape = spec.classes, list(labels.shape)
    assert classes is not None
    hint = _label_hint(labels, classes)
    if labels.dtype.kind not in "iu":
        return f"holds {labels.dtype}; whole numbers of classes are needed{hint}"
    by_step = labels.ndim == 2
    if labels.ndim not in (1, 2) or len(labels) != samples:
        return f"has shape {shape}; the inputs have {samples} samples"
    if by_step and not spec.labels_by_step:
        needed = "only losses of each step, or with window_steps, take a label a step"
        return f"has shape {shape}; {needed}{hint}"
    if by_step and shape[1] != spec.output_steps:
        return f"has {shape[1]} labels a sample; the output has {spec.output_steps} steps{hint}"
    wrong = (labels < 0) | (labels >= classes)
    if not wrong.any():
        return ""
    sample = int(np.flatnonzero(wrong.reshape(samples, -1).any(1))[0])
    value = labels[sample][wrong[sample]].ravel()[0] if by_step else labels[sample]
    known = f"the classes are 0 to {classes - 1}, one an output neuron"
    way = "; keep the samples where labels >= 0" if value < 0 else ""
    return f"has {value} for sample {sample}; {known}{way}"


def is_file(values: NDArray) -> bool:
    """Whether an array is a file that is mapped to memory, or a part of one."""
    base: object = values
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    return isinstance(base, np.memmap)


def _chunks(values: NDArray) -> Iterator[tuple[int, NDArray]]:
    """Yields parts of an array of samples, each with the number of its first sample."""
    size = max(1, _CHUNK_VALUES // max(1, values[0].size))
    for start in range(0, len(values), size):
        yield start, values[start : start + size]


def _label_hint(labels: NDArray, classes: int) -> str:
    """Returns how one-hot labels or floats become classes; empty if the labels are neither."""
    if labels.ndim == 2 and labels.shape[1] == classes:
        return "; if the labels are one-hot, use labels.argmax(1)"
    if labels.dtype.kind in "bf" and (labels == np.rint(labels)).all():
        return "; use labels.astype(int), or .long() of a tensor"
    return ""


@dataclass(frozen=True)
class ArrayFile:
    """Reads the arrays of a document's ``data``, and checks that they fit the network."""

    path: Path
    data: Arrays
    spec: SampleSpec
    batch_size: int | None = None
    """The number of samples in a training batch; None means all samples."""
    warn: Callable[[str], None] = lambda text: None
    """Called with one line for each problem that is not an error."""
    open_source: Callable[[Path], AbstractContextManager[ArraySource]] = open_arrays
    labels_path: Path | None = None
    """The file of the labels, if that is another one."""

    def read(self) -> dict[str, ArraySamples]:
        """Returns the samples of each split in ``PARTS``; validation and test may have no samples.

        Raises DataError if the file is missing, damaged or does not fit the network.
        """
        data = self.data
        check_file(self.path, data.sha256)
        goal = data.goal[1]
        with array_errors(self.path), self.open_source(self.path) as source:
            split = None if data.split is None else read_numbers(source, data.split)
            self._require_memory(source, split)
            inputs = read_numbers(source, data.inputs)
            with array_errors(self.labels_path or self.path):
                targets = None if data.is_autoencoder else read_numbers(source, goal)
        encoder = ArrayEncoder(
            str(self.path), data, self.spec, self.warn, {goal: self.labels_path or self.path}
        )
        samples = encoder.encode(inputs, targets)
        if data.split is None or split is None:
            return {"train": samples, "validation": samples[:0], "test": samples[:0]}
        problem = _split_problem(split, len(samples))
        if problem:
            raise encoder.error(data.split, problem)
        return {name: samples[np.flatnonzero(split == n)] for n, name in enumerate(PARTS)}

    def _require_memory(self, source: ArraySource, split: NDArray | None) -> None:
        """Raises DataError if the inputs and an encoded training batch need too much memory."""
        header = source.header(self.data.inputs)
        axes = self.data.encoding.file_axes
        if header.shape[len(axes) :] != self.spec.input_shape:
            return
        samples = int((split == 0).sum()) if split is not None else 0
        samples = samples or header.shape[0]
        batch = min(self.batch_size or samples, samples)
        found = memory_problem(source, self.data, self.spec.steps, batch)
        if found is not None:
            raise DataError(f"{self.path}: {found[0]}; {found[1]}")


def _split_problem(part: NDArray, samples: int) -> str:
    """Returns what is wrong with the array ``split``, an empty text if nothing is."""
    if part.dtype.kind not in "iu" or part.shape != (samples,):
        found = f"has type {part.dtype} and shape {list(part.shape)}"
        return f"{found}; whole numbers of shape [{samples}] are needed"
    wrong = np.flatnonzero((part < 0) | (part >= len(PARTS)))
    if len(wrong):
        meaning = "0 is training, 1 validation, 2 test"
        return f"has {part[wrong[0]]} for sample {wrong[0]}; {meaning}"
    if not (part == 0).any():
        return f"leaves none of the {samples} samples to train on: none is 0"
    return ""
