"""Samples that are event files, each with a target or a label, as sparse arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.data.data_context import DataContext, TrainingSet
from netdesc.data.event_reader import NO_SPIKES, EventReader, SparseSpikes, dense_spikes
from netdesc.data.samples import Indices, Rngs, Samples, SampleSpec

MAX_PROBLEMS = 200
"""Reading ends after this many problems."""


@dataclass(frozen=True, eq=False)
class SpikeSamples(Samples):
    """The samples ``rows`` of spike files, with output spikes or labels [all samples]."""

    spec: SampleSpec
    inputs: Sequence[SparseSpikes]
    targets: Sequence[SparseSpikes] | NDArray[np.int64]
    rows: Indices

    @property
    def labels(self) -> NDArray[np.int64] | None:
        return self.targets[self.rows] if isinstance(self.targets, np.ndarray) else None

    def dense(self, rngs: Rngs) -> tuple[NDArray[np.float32], NDArray]:
        """Converts all samples to dense arrays (see ``samples.Samples``); ``rngs`` are not used."""
        spec, targets = self.spec, self.targets
        inputs = [self.inputs[row] for row in self.rows]
        inputs_TBN = dense_spikes(inputs, spec.steps, spec.input_shape)
        if isinstance(targets, np.ndarray):
            return inputs_TBN, targets[self.rows]
        chosen = [targets[row] for row in self.rows]
        return inputs_TBN, dense_spikes(chosen, spec.output_steps, spec.output_shape)


def read_spike_files(context: DataContext) -> dict[str, SpikeSamples]:
    """Reads and checks the pairs of event files that a document lists, part by part."""
    data: Any = context.document.data
    spec, resolve = context.spec, context.description.resolve
    reader, parts = EventReader(context), dict[str, SpikeSamples]()
    for part, pairs in data.pairs.items():
        inputs: list[SparseSpikes] = []
        targets: list[SparseSpikes] = []
        for index, pair in enumerate(pairs):
            if len(context.problems) >= MAX_PROBLEMS:
                return {}
            for side, files in (("input", inputs), ("target", targets)):
                file = getattr(pair, side)
                if file is not None:
                    at = ("data", part, index, side, "path")
                    spikes = reader.read(resolve(file.path), file.path, at, file, side == "target")
                    files.append(NO_SPIKES if spikes is None else spikes)
        labels = np.array([pair.label for pair in pairs if pair.label is not None], np.int64)
        chosen = labels if spec.classes is not None else targets
        parts[part] = SpikeSamples(spec, inputs, chosen, np.arange(len(inputs)))
        for index, spikes in enumerate(inputs):
            if beyond := spec.beyond_limits(spikes.value):
                at = ("data", part, index, "input", "path")
                context.add("ND331", at, f"{pairs[index].input.path} {beyond}", severity="warning")
                break
    reader.report_dropped()
    train = parts["train"]
    if not any(len(spikes.step) for spikes in train.inputs):
        for index, problem in enumerate(context.problems):
            if (problem.code, problem.parts[1]) == ("ND307", "train"):
                context.problems[index] = replace(problem, severity="error")
    labels = None if train.labels is None else frozenset(train.labels.tolist())
    context.training_set = TrainingSet(len(train), labels, len(parts["validation"]) > 0)
    return parts
