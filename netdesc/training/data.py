"""Spike-file pairs: read and checked once, kept as events, handed out as dense batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.events import EventFileError, read_events, to_dense
from netdesc.training.errors import DataError, MissingDataError

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Spikes:
    """The nonzero cells of one ``[steps, *shape]`` array: 12 bytes a spike instead of 4 a cell."""

    step: NDArray[np.int32]
    place: NDArray[np.int32]
    """Row-major cell within ``shape``."""
    value: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sample:
    input: Spikes
    target: Spikes


@dataclass(frozen=True, eq=False)
class Batch:
    """Float32 tensors ``[steps, size, *shape]`` of ``size`` samples."""

    input_TBN: torch.Tensor
    target_TBN: torch.Tensor
    size: int


@dataclass(frozen=True)
class Frame:
    """The time axis and the shapes that samples are binned into."""

    steps: int
    step_ms: float
    input_shape: Shape
    target_shape: Shape


@dataclass
class SpikeFiles:
    """Reads pairs of event files; a file that several pairs share is read once.

    ``warn`` receives one line for every file with events outside the tensor.
    """

    frame: Frame
    resolve: Callable[[str], Path]
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self._seen: dict[tuple[Path, Shape, str, str], Spikes] = {}

    def read(self, pairs: Sequence[Any]) -> list[Sample]:
        """The samples of ``document.data.train`` or ``.validation``. DataError."""
        frame = self.frame
        samples = []
        for pair in pairs:
            source = self._spikes(pair.input, frame.input_shape)
            target = self._spikes(pair.target, frame.target_shape)
            if not len(target.step):
                raise DataError(
                    f"{self.resolve(pair.target.path)}: the target holds no event inside "
                    f"{frame.steps} steps of {frame.step_ms:g} ms and shape "
                    f"{list(frame.target_shape)}, so there is nothing to learn"
                )
            samples.append(Sample(source, target))
        return samples

    def _spikes(self, file: Any, shape: Shape) -> Spikes:
        path = self.resolve(file.path)
        check_file(path, file.sha256)
        key = (path, shape, file.rounding, file.duplicates)
        if key not in self._seen:
            self._seen[key] = self._bin(path, file, shape)
        return self._seen[key]

    def _bin(self, path: Path, file: Any, shape: Shape) -> Spikes:
        frame = self.frame
        try:
            event = read_events(path)
            dense, dropped = to_dense(
                event, shape, frame.steps, frame.step_ms, file.rounding, file.duplicates
            )
        except EventFileError as error:
            raise DataError(str(error)) from error
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        if dropped:
            self.warn(
                f"{path}: {dropped} of {len(event)} events lie outside {frame.steps} steps of "
                f"{frame.step_ms:g} ms and shape {list(shape)} and are left out"
            )
        flat_TN = dense.reshape(frame.steps, -1)
        step, place = np.nonzero(flat_TN)
        return Spikes(step.astype(np.int32), place.astype(np.int32), flat_TN[step, place])


def check_file(path: Path, promised: str | None) -> None:
    """MissingDataError where a file cannot be opened, DataError where its SHA-256 differs."""
    try:
        with path.open("rb") as file:
            if promised is None:
                return
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MissingDataError(f"{path}: cannot read this file: {reason}") from error
    if found != promised.lower():
        raise DataError(f"{path}: the file has changed: its SHA-256 is {found}, not {promised}")


def split(samples: list[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Sets ``share`` of the samples aside for validation: (training, validation).

    The seed decides which ones, always the same. At least one sample goes to validation, and at
    least one must remain for training (DataError).
    """
    if share == 0.0:
        return samples, []
    count = max(1, round(share * len(samples)))
    if count >= len(samples):
        raise DataError(
            f"a validation split of {share:g} leaves none of the {len(samples)} pair(s) to train on"
        )
    order = torch.randperm(len(samples), generator=_generator(seed, 0)).tolist()
    chosen = set(order[:count])
    return (
        [sample for number, sample in enumerate(samples) if number not in chosen],
        [samples[number] for number in sorted(chosen)],
    )


@dataclass(frozen=True, eq=False)
class Batches:
    """Samples as batches of at most ``batch_size`` (None: all in one) on ``device``.

    One batch of everything is built once and handed out again and again; smaller ones are built
    when their turn comes.
    """

    samples: list[Sample]
    frame: Frame
    batch_size: int | None
    device: torch.device

    def in_order(self) -> Iterator[Batch]:
        """All samples as they stand."""
        if self._size == len(self.samples):
            yield self._everything
        else:
            yield from self._chunks(range(len(self.samples)))

    def shuffled(self, seed: int, epoch: int) -> Iterator[Batch]:
        """All samples in an order that seed and epoch alone decide.

        A single batch is never shuffled: its gradient is a sum over the samples.
        """
        if self._size == len(self.samples):
            yield self._everything
        else:
            order = torch.randperm(len(self.samples), generator=_generator(seed, epoch + 1))
            yield from self._chunks(order.tolist())

    @property
    def _size(self) -> int:
        return min(self.batch_size or len(self.samples), len(self.samples))

    @cached_property
    def _everything(self) -> Batch:
        return self._build(self.samples)

    def _chunks(self, order: Sequence[int]) -> Iterator[Batch]:
        for start in range(0, len(order), self._size):
            yield self._build([self.samples[n] for n in order[start : start + self._size]])

    def _build(self, samples: list[Sample]) -> Batch:
        frame = self.frame
        inputs = _dense([sample.input for sample in samples], frame.steps, frame.input_shape)
        targets = _dense([sample.target for sample in samples], frame.steps, frame.target_shape)
        return Batch(inputs.to(self.device), targets.to(self.device), len(samples))


def _dense(spikes: list[Spikes], steps: int, shape: Shape) -> torch.Tensor:
    dense_TBN = np.zeros((steps, len(spikes), int(np.prod(shape))), dtype=np.float32)
    for number, one in enumerate(spikes):
        dense_TBN[one.step, number, one.place] = one.value
    return torch.from_numpy(dense_TBN.reshape(steps, len(spikes), *shape))


def _generator(seed: int, purpose: int) -> torch.Generator:
    """A generator of its own for every purpose (0 the split, epoch + 1 that epoch's order)."""
    mixed = hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:8]
    return torch.Generator().manual_seed(int.from_bytes(mixed, "little", signed=True))
