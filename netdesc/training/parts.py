"""The parts of a document's data: to train on, to validate on, to test on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netdesc.description import Description
from netdesc.description.models import Arrays, SpikeFiles
from netdesc.training.arrays import ArrayFile
from netdesc.training.errors import MissingDataError
from netdesc.training.samples import Samples, SampleSpec, split
from netdesc.training.spike_files import SpikeFiles as SpikeFileReader

Warn = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Parts:
    """Samples by what they are for; None where there are none."""

    train: Samples
    validation: Samples | None
    test: Samples | None


def read_parts(description: Description, spec: SampleSpec, warn: Warn) -> Parts:
    """Reads all data of a description, each file once. DataError.

    ``warn`` receives a line for what is odd but no fault.
    """
    document = description.document
    data, training = document.data, document.training
    if data is None:
        raise MissingDataError(
            f'{description.path}: there is no "data" to train on; add that section to the document'
        )
    if isinstance(data, Arrays):
        parts = _arrays(data, description.resolve(data.path), spec, training.batch_size, warn)
    else:
        parts = _spike_files(data, description.resolve, spec, warn)
    if training.validation_split:
        assert parts.validation is None
        train, held_out = split(parts.train, training.validation_split, training.seed)
        parts = Parts(train, held_out, parts.test)
    if spec.classes is not None:
        _warn_of_missing_classes(parts.train, spec.classes, description.path, warn)
    return parts


def _arrays(
    data: Arrays, path: Path, spec: SampleSpec, batch_size: int | None, warn: Warn
) -> Parts:
    parts = ArrayFile(path, data, spec, batch_size, warn).read()
    return Parts(parts["train"], parts["validation"] or None, parts["test"] or None)


def _spike_files(
    data: SpikeFiles, resolve: Callable[[str], Path], spec: SampleSpec, warn: Warn
) -> Parts:
    files = SpikeFileReader(spec, resolve, warn)
    parts = Parts(files.read(data.train), files.read(data.validation) or None, None)
    files.sum_up()
    return parts


def _warn_of_missing_classes(samples: Samples, classes: int, source: Path, warn: Warn) -> None:
    assert samples.labels is not None
    missing = np.setdiff1d(np.arange(classes), samples.labels)
    if not len(missing):
        return
    few = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
    which = f"class {few} has" if len(missing) == 1 else f"classes {few} have"
    warn(f"{source}: {which} no sample to train on")
