"""Reads and checks the samples of spike files, and keeps the samples as sparse arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.data.data_errors import DataError
from netdesc.data.file_checksum import check_file
from netdesc.data.samples import Indices, SampleSpec
from netdesc.description.diagnostics.wording import amount
from netdesc.events import Event, EventFileError, read_events
from netdesc.graph.nodes import Shape


@dataclass(frozen=True, eq=False)
class SparseSpikes:
    """The nonzero values of one float32 array [steps, *shape]; each value takes 12 bytes."""

    step: NDArray[np.int32]
    cell: NDArray[np.int32]
    """The row-major index of the neuron within ``shape``."""
    value: NDArray[np.float32]
    """The number of spikes at this step and cell, or their payload."""


@dataclass(frozen=True, eq=False)
class SpikeSamples:
    """Input spikes of samples, and their targets: output spikes, or labels [samples]."""

    spec: SampleSpec
    inputs: Sequence[SparseSpikes]
    targets: Sequence[SparseSpikes] | NDArray[np.int64]

    is_random = False

    @property
    def labels(self) -> NDArray[np.int64] | None:
        return self.targets if isinstance(self.targets, np.ndarray) else None

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, which: slice | Indices) -> SpikeSamples:
        numbers = np.arange(len(self))[which]
        inputs, targets = self.inputs, self.targets
        if isinstance(targets, np.ndarray):
            chosen = targets[numbers]
        else:
            chosen = [targets[number] for number in numbers]
        return replace(self, inputs=[inputs[number] for number in numbers], targets=chosen)

    def dense(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray]:
        """Converts all samples to dense arrays (see ``samples.Samples``); ``rng`` is not used."""
        spec, targets = self.spec, self.targets
        inputs_TBN = dense_spikes(self.inputs, spec.steps, spec.input_shape)
        if isinstance(targets, np.ndarray):
            return inputs_TBN, targets
        return inputs_TBN, dense_spikes(targets, spec.output_steps, spec.output_shape)


@dataclass
class SpikeFileReader:
    """Reads pairs of event files (input and target). A file that several pairs share is read once.

    Events outside of the network's steps or shape are left out.
    """

    spec: SampleSpec
    resolve: Callable[[str], Path]
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self._seen: dict[tuple[Path, Shape, int, str, str], SparseSpikes] = {}
        self._dropped, self._events = Counter[Path](), Counter[Path]()

    def read(self, pairs: Sequence[Any]) -> SpikeSamples:
        """Reads the samples of one part. DataError if one is missing, damaged or does not fit."""
        spec = self.spec
        inputs = [self._spikes(pair.input, spec.input_shape) for pair in pairs]
        for pair, spikes in zip(pairs, inputs, strict=True):
            if beyond := spec.beyond_limits(spikes.value):
                self.warn(f"{self.resolve(pair.input.path)}: {beyond}")
                break
        if spec.classes is None:
            return SpikeSamples(spec, inputs, [self._target(pair) for pair in pairs])
        return SpikeSamples(spec, inputs, np.array([pair.label for pair in pairs], np.int64))

    def require_events(self, samples: SpikeSamples) -> None:
        """Raises DataError if no sample has an event inside."""
        spec = self.spec
        if not any(len(each.step) for each in samples.inputs):
            raise DataError(
                f"no input of {len(samples)} training samples holds an event inside {spec.steps} "
                f"steps of {spec.step_ms:g} ms and shape {list(spec.input_shape)}, so there is "
                "nothing to learn from"
            )

    def warn_of_dropped(self) -> None:
        """Warns if events were left out, and names the file of which most were."""
        if self._dropped:
            (worst, _), *others = self._dropped.most_common()
            more = f" and {amount(len(others), 'more file')}" if others else ""
            self.warn(
                f"{worst}{more}: {self._dropped.total():,} of {self._events.total():,} events lie "
                "outside the steps or the shape of the network and are left out"
            )

    def _target(self, pair: Any) -> SparseSpikes:
        target = self._spikes(pair.target, self.spec.output_shape, self.spec.decimation)
        if not len(target.step):
            spec = self.spec
            raise DataError(
                f"{self.resolve(pair.target.path)}: the target holds no event inside "
                f"{spec.steps} steps of {spec.step_ms:g} ms and shape "
                f"{list(spec.output_shape)}, so there is nothing to learn"
            )
        return target

    def _spikes(self, file: Any, shape: Shape, decimation: int = 1) -> SparseSpikes:
        path = self.resolve(file.path)
        check_file(path, file.sha256)
        key = (path, shape, decimation, file.rounding, file.duplicates)
        if key not in self._seen:
            self._seen[key] = self._bin(path, file, shape, decimation)
        return self._seen[key]

    def _bin(self, path: Path, file: Any, shape: Shape, decimation: int) -> SparseSpikes:
        spec = self.spec
        steps, step_ms = -(-spec.steps // decimation), spec.step_ms * decimation
        try:
            event = read_events(path)
            spikes, dropped = bin_event(event, (steps, *shape), step_ms, file)
        except EventFileError as error:
            raise DataError(str(error)) from error
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        if dropped:
            self._dropped[path] += dropped
            self._events[path] += len(event)
        return spikes


def bin_event(event: Event, size: Shape, step_ms: float, binning: Any) -> tuple[SparseSpikes, int]:
    """Bins events to ``size``, [steps, *shape], as the section ``binning`` says.

    Returns the number of events outside, too. ValueError if the events do not index the shape.
    """
    steps, *shape = size
    index, value, dropped = event.binned(
        tuple(shape), steps, step_ms, binning.rounding, binning.duplicates
    )
    step, cell = np.divmod(index, int(np.prod(shape)))
    return SparseSpikes(step.astype(np.int32), cell.astype(np.int32), value), dropped


def dense_spikes(spikes: Sequence[SparseSpikes], steps: int, shape: Shape) -> NDArray[np.float32]:
    """Converts samples to a dense array [steps, samples, *shape]."""
    dense_TBN = np.zeros((steps, len(spikes), int(np.prod(shape))), dtype=np.float32)
    for number, one in enumerate(spikes):
        dense_TBN[one.step, number, one.cell] = one.value
    return dense_TBN.reshape(steps, len(spikes), *shape)
