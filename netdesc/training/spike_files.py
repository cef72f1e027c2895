"""Spike files: read and checked once, kept as events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.events import EventFileError, read_events
from netdesc.events.binning import cells
from netdesc.kernels.spike_words import MOST_DIGITS, SpikeWords, WordRoom
from netdesc.training.checksum import check_file
from netdesc.training.data import Frame, Numbers, Shape
from netdesc.training.errors import DataError

MOST_WARNINGS = 3
"""Of so many files it is told one by one that events are left out: there may be thousands."""


@dataclass(frozen=True, eq=False)
class Spikes:
    """The nonzero cells of one ``[steps, *shape]`` array: 8 bytes a spike instead of 4 a cell.

    Or 12, where a cell has several spikes.
    """

    step: NDArray[np.int32]
    place: NDArray[np.int32]
    """Row-major cell within ``shape``."""
    value: NDArray[np.float32]

    @property
    def most(self) -> int:
        """The largest value, or 1."""
        return int(self.value.max(initial=1)) if self.value.strides[0] else 1


@dataclass(frozen=True, eq=False)
class SpikeSamples:
    """Inputs with what is wanted for each: output spikes, or labels [samples]."""

    frame: Frame
    inputs: Sequence[Spikes]
    wanted: Sequence[Spikes] | NDArray[np.int64]

    @property
    def is_random(self) -> bool:
        return False

    @property
    def labels(self) -> NDArray[np.int64] | None:
        return self.wanted if isinstance(self.wanted, np.ndarray) else None

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, which: slice | Numbers) -> SpikeSamples:
        numbers = np.arange(len(self))[which]
        inputs, wanted = self.inputs, self.wanted
        if isinstance(wanted, np.ndarray):
            chosen = wanted[numbers]
        else:
            chosen = [wanted[number] for number in numbers]
        return replace(self, inputs=[inputs[number] for number in numbers], wanted=chosen)

    def dense(self, draws: np.random.Generator) -> tuple[NDArray[np.float32], NDArray]:
        """See ``data.Samples``; nothing is random here."""
        frame = self.frame
        return _dense(self.inputs, frame.steps, frame.input_shape), self._wanted()

    def packed(self, draws: np.random.Generator) -> tuple[SpikeWords, NDArray | SpikeWords] | None:
        """See ``data.Samples``."""
        inputs = _packed(self.inputs, self.frame.steps, self.frame.input_shape)
        if inputs is None:
            return None
        if isinstance(self.wanted, np.ndarray):
            return inputs, self.wanted
        wanted = _packed(self.wanted, self.frame.steps, self.frame.output_shape)
        return inputs, self._wanted() if wanted is None else wanted

    def _wanted(self) -> NDArray:
        frame, wanted = self.frame, self.wanted
        if isinstance(wanted, np.ndarray):
            return wanted
        return _dense(wanted, frame.steps, frame.output_shape)


@dataclass
class SpikeFiles:
    """Reads pairs of event files; a file that several pairs share is read once.

    ``warn`` receives one line for a file with events outside the tensor; ``sum_up`` tells of those
    beyond the first few.
    """

    frame: Frame
    resolve: Callable[[str], Path]
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self._seen: dict[tuple[Path, Shape, str, str], Spikes] = {}
        self._files_with_dropped = 0

    def read(self, pairs: Sequence[Any]) -> SpikeSamples:
        """The samples of ``document.data.train`` or ``.validation``. DataError."""
        inputs = [self._spikes(pair.input, self.frame.input_shape) for pair in pairs]
        if self.frame.classes is None:
            return SpikeSamples(self.frame, inputs, [self._target(pair) for pair in pairs])
        labels = np.array([self._label(pair) for pair in pairs], dtype=np.int64)
        return SpikeSamples(self.frame, inputs, labels)

    def sum_up(self) -> None:
        """Warns of how many files more have events outside, where there are any."""
        more = self._files_with_dropped - MOST_WARNINGS
        if more > 0:
            files = "1 more file has" if more == 1 else f"{more:,} more files have"
            self.warn(f"{files} events outside, which are left out")

    def _label(self, pair: Any) -> int:
        label, classes = pair.label, self.frame.classes
        assert classes is not None
        path = self.resolve(pair.input.path)
        if label is None:
            raise DataError(f"{path}: this input has no label, from which the loss learns")
        if label >= classes:
            raise DataError(f"{path}: label {label} is none of the classes 0 to {classes - 1}")
        return label

    def _target(self, pair: Any) -> Spikes:
        if pair.target is None:
            path = self.resolve(pair.input.path)
            raise DataError(f"{path}: this input has no target, from which the loss learns")
        target = self._spikes(pair.target, self.frame.output_shape)
        if not len(target.step):
            frame = self.frame
            raise DataError(
                f"{self.resolve(pair.target.path)}: the target holds no event inside "
                f"{frame.steps} steps of {frame.step_ms:g} ms and shape "
                f"{list(frame.output_shape)}, so there is nothing to learn"
            )
        return target

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
            flat, dropped = cells(event, shape, frame.steps, frame.step_ms, file.rounding)
        except EventFileError as error:
            raise DataError(str(error)) from error
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        if dropped:
            self._files_with_dropped += 1
            if self._files_with_dropped <= MOST_WARNINGS:
                self.warn(
                    f"{path}: {dropped} of {len(event)} events lie outside {frame.steps} steps of "
                    f"{frame.step_ms:g} ms and shape {list(shape)} and are left out"
                )
        # From the events alone: their tensor is a thousand times as large.
        cell, count = np.unique(flat, return_counts=True)
        step, place = np.divmod(cell, int(np.prod(shape)))
        value = np.broadcast_to(np.float32(1), cell.shape)  # no memory
        if file.duplicates == "sum" and (count != 1).any():
            value = count.astype(np.float32)
        return Spikes(step.astype(np.int32), place.astype(np.int32), value)


def _packed(spikes: Sequence[Spikes], steps: int, shape: Shape) -> SpikeWords | None:
    """None where a cell has too many spikes."""
    digits = max(one.most for one in spikes).bit_length()
    if digits > MOST_DIGITS:
        return None
    room = WordRoom((steps, len(spikes), *shape), digits)
    for number, one in enumerate(spikes):
        if one.most == 1:
            room.add(one.step, number, one.place)
            continue
        counts = one.value.astype(np.int32)
        for digit in range(digits):
            has_it = (counts >> digit & 1).astype(np.bool_)
            room.add(one.step[has_it], number, one.place[has_it], digit)
    return room.words()


def _dense(spikes: Sequence[Spikes], steps: int, shape: Shape) -> NDArray[np.float32]:
    dense_TBN = np.zeros((steps, len(spikes), int(np.prod(shape))), dtype=np.float32)
    for number, one in enumerate(spikes):
        dense_TBN[one.step, number, one.place] = one.value
    return dense_TBN.reshape(steps, len(spikes), *shape)
