"""Labelled samples in an ``.npz`` file: read and checked once, coded a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netdesc.description.files.array_memory import too_much
from netdesc.description.files.npy import Header
from netdesc.description.models import Arrays, SpikesEncoding
from netdesc.training.encoding import Code, build_code
from netdesc.training.errors import DataError
from netdesc.training.file_checksum import check_file
from netdesc.training.npz import open_npz, read_numbers
from netdesc.training.samples import Numbers, SampleSpec, Shape

PARTS = ("train", "validation", "test")
"""What the numbers of a split stand for."""

_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class ArraySamples:
    """``kept`` and ``labels`` begin with the axis of samples; ``code`` makes spikes of ``kept``."""

    code: Code
    input_shape: Shape
    kept: NDArray
    labels: NDArray[np.int32]
    """[samples], or [samples, steps]."""

    @property
    def is_random(self) -> bool:
        return self.code.is_random

    def __len__(self) -> int:
        return len(self.kept)

    def __getitem__(self, which: slice | Numbers) -> ArraySamples:
        return replace(self, kept=self.kept[which], labels=self.labels[which])

    def dense(self, draws: np.random.Generator) -> tuple[NDArray[np.float32], NDArray]:
        """See ``samples.Samples``."""
        spikes_TBN = self.code.spikes(self.kept, draws)
        input_TBN = spikes_TBN.reshape(*spikes_TBN.shape[:2], *self.input_shape)
        return input_TBN, np.ascontiguousarray(self.labels.T)


@dataclass(frozen=True)
class ArrayFile:
    """The file of a document's ``data``, checked against what the network takes."""

    path: Path
    data: Arrays
    spec: SampleSpec
    batch_size: int | None = None
    """Samples that are coded at a time; None codes all of them at once."""
    warn: Callable[[str], None] = lambda text: None
    """Receives a line for what is odd but no fault."""

    def read(self) -> dict[str, ArraySamples]:
        """The samples of each of ``PARTS``; a part may have none. DataError."""
        data = self.data
        check_file(self.path, data.sha256)
        with open_npz(self.path) as npz:
            split = None if data.split is None else read_numbers(npz, data.split)
            self._require_room(npz.header(data.inputs), split)
            inputs, labels = read_numbers(npz, data.inputs), read_numbers(npz, data.labels)
        code, kept = self._inputs(inputs)
        classes = self._labels(labels, len(kept))
        samples = ArraySamples(code, self.spec.input_shape, kept, classes)
        if data.split is None or split is None:
            return {"train": samples, "validation": samples[:0], "test": samples[:0]}
        part = self._split(data.split, split, len(kept))
        return {name: samples[np.flatnonzero(part == n)] for n, name in enumerate(PARTS)}

    def _require_room(self, header: Header, split: NDArray | None) -> None:
        """DataError where the inputs, and a batch of those to train on, need too much memory."""
        leading = 2 if isinstance(self.data.encoding, SpikesEncoding) else 1
        if header.shape[leading:] != self.spec.input_shape:
            return
        samples = int((split == 0).sum()) if split is not None else 0
        samples = samples or header.shape[0]
        batch = min(self.batch_size or samples, samples)
        found = too_much(header, self.data, self.spec.steps, batch)
        if found is not None:
            raise DataError(f"{self.path}: {found[0]}; {found[1]}")

    def _inputs(self, values: NDArray) -> tuple[Code, NDArray]:
        """The inputs as they are kept in memory, and the code for them."""
        data, spec = self.data, self.spec
        is_spikes = isinstance(data.encoding, SpikesEncoding)
        leading = 2 if is_spikes else 1
        wanted = "samples, steps" if is_spikes else "samples"
        if values.ndim < leading or values.shape[leading:] != spec.input_shape:
            sizes = ", ".join(map(str, spec.input_shape))
            raise self._error(
                data.inputs,
                f"has shape {list(values.shape)}; [{wanted}, {sizes}] is needed for encoding "
                f'"{data.encoding.type}"',
            )
        given = values.shape[1] if is_spikes else 0
        if given > spec.steps:
            raise self._error(
                data.inputs, f"has {given} steps a sample; the network runs {spec.steps}"
            )
        if not len(values):
            raise self._error(data.inputs, "holds no samples")
        try:
            code = build_code(data, spec.steps, given, int(np.prod(spec.input_shape)))
        except ValueError as error:
            raise DataError(f"{self.path}: {error}") from error
        each = max(1, _CHUNK_VALUES // max(1, values[0].size))
        chunks = [values[start : start + each] for start in range(0, len(values), each)]
        for number, chunk in enumerate(chunks):
            self._check_values(chunk, code, number * each)
        oddity = code.quiet(float(max(chunk.max() for chunk in chunks)))
        if oddity:
            self.warn(f'{self.path}: the array "{data.inputs}" {oddity}')
        return code, np.concatenate([code.keep(chunk) for chunk in chunks])

    def _check_values(self, values: NDArray, code: Code, first: int) -> None:
        valid = code.is_valid(values)
        if valid.all():
            return
        sample = int(np.flatnonzero(~valid)[0])
        cells = values[sample].reshape(-1, 1)
        wrong = cells[~code.is_valid(cells)][0, 0]
        analog = '; "range" says which values there are' if code.values != "0 and 1" else ""
        raise self._error(
            self.data.inputs, f"has {wrong} in sample {first + sample}, not {code.values}{analog}"
        )

    def _labels(self, labels: NDArray, samples: int) -> NDArray[np.int32]:
        spec, name = self.spec, self.data.labels
        assert spec.classes is not None
        if labels.dtype.kind not in "iu":
            raise self._error(name, f"holds {labels.dtype}; whole numbers of classes are needed")
        by_step = labels.ndim == 2
        if labels.ndim not in (1, 2) or len(labels) != samples:
            raise self._error(
                name, f"has shape {list(labels.shape)}; the inputs have {samples} samples"
            )
        if by_step and not spec.labels_by_step:
            raise self._error(
                name,
                f"has shape {list(labels.shape)}; only a loss with window_steps takes a label "
                "a step",
            )
        if by_step and labels.shape[1] != spec.steps:
            raise self._error(
                name, f"has {labels.shape[1]} labels a sample; the network runs {spec.steps} steps"
            )
        wrong = (labels < 0) | (labels >= spec.classes)
        if wrong.any():
            sample = int(np.flatnonzero(wrong.reshape(samples, -1).any(1))[0])
            value = labels[sample][wrong[sample]].ravel()[0] if by_step else labels[sample]
            raise self._error(
                name,
                f"has {value} for sample {sample}; the classes are 0 to {spec.classes - 1}, one "
                "an output neuron",
            )
        return labels.astype(np.int32)

    def _split(self, name: str, part: NDArray, samples: int) -> NDArray:
        if part.dtype.kind not in "iu" or part.shape != (samples,):
            raise self._error(
                name,
                f"has type {part.dtype} and shape {list(part.shape)}; whole numbers of shape "
                f"[{samples}] are needed",
            )
        wrong = np.flatnonzero((part < 0) | (part >= len(PARTS)))
        if len(wrong):
            raise self._error(
                name,
                f"has {part[wrong[0]]} for sample {wrong[0]}; 0 is training, 1 validation, 2 test",
            )
        if not (part == 0).any():
            raise self._error(name, f"leaves none of the {samples} samples to train on: none is 0")
        return part

    def _error(self, name: str, problem: str) -> DataError:
        return DataError(f'{self.path}: array "{name}" {problem}')
