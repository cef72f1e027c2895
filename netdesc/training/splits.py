"""The splits of a document's data: training, validation and test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from netdesc.description import Description
from netdesc.description.models import Arrays
from netdesc.training.arrays import ArrayFile
from netdesc.training.errors import MissingDataError
from netdesc.training.samples import Samples, SampleSpec, split
from netdesc.training.spike_files import SpikeFiles


@dataclass(frozen=True, eq=False)
class Splits:
    """The samples of each split; None where a split is empty."""

    train: Samples
    validation: Samples | None
    test: Samples | None


def read_splits(description: Description, spec: SampleSpec, warn: Callable[[str], None]) -> Splits:
    """Reads all data of a description, each file once. DataError.

    ``warn`` receives a line for each thing that is suspicious but no error.
    """
    document = description.document
    data, training = document.data, document.training
    if data is None:
        raise MissingDataError(
            f'{description.path}: there is no "data" to train on; add that section to the document'
        )
    if isinstance(data, Arrays):
        path = description.resolve(data.path)
        found = ArrayFile(path, data, spec, training.batch_size, warn).read()
        splits = Splits(found["train"], found["validation"] or None, found["test"] or None)
    else:
        files = SpikeFiles(spec, description.resolve, warn)
        splits = Splits(files.read(data.train), files.read(data.validation) or None, None)
        files.sum_up()
    if training.validation_split:
        train, held_out = split(splits.train, training.validation_split, training.seed)
        splits = replace(splits, train=train, validation=held_out)
    labels = splits.train.labels
    if spec.classes is not None and labels is not None:
        missing = np.setdiff1d(np.arange(spec.classes), labels)
        if len(missing):
            few = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
            which = f"class {few} has" if len(missing) == 1 else f"classes {few} have"
            warn(f"{description.path}: {which} no sample to train on")
    return splits
