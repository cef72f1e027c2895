"""Reads the data of a document, and divides them into training, validation and test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from netdesc.data.data_checks import read_parts
from netdesc.data.data_context import DataContext, TrainingSet, diagnostics
from netdesc.data.data_errors import DataError, MissingDataError
from netdesc.data.file_checks import FileChecks
from netdesc.data.memory_data import MemoryData
from netdesc.data.randomness import sample_order
from netdesc.data.samples import Samples, SampleSpec
from netdesc.data.training_set import check_training_set
from netdesc.description import Description, DescriptionError
from netdesc.description.diagnostics.wording import place
from netdesc.description.models.arrays import DATA_EXAMPLE


@dataclass(frozen=True, eq=False)
class Splits:
    """The samples of each split; None if a split has no samples."""

    train: Samples
    validation: Samples | None
    test: Samples | None


def read_splits(
    description: Description,
    spec: SampleSpec,
    warn: Callable[[str], None],
    memory: MemoryData | None = None,
    *,
    for_training: bool = True,
) -> Splits:
    """Reads all data of a description, or ``memory`` in their place.

    ``warn`` is called with one line for each problem that is not an error; unless ``for_training``,
    not for those of batches. Raises DescriptionError if files of the document are missing or do not
    fit the network, DataError if ``memory`` does not fit or there are no data.
    """
    training = description.document.training
    if memory is None:
        parts = _read(description, spec, warn, for_training)
    else:
        parts = memory.samples(spec, warn)
    if "train" not in parts:
        raise DataError('data holds no samples to train on: data["train"] is needed')
    train, validation, test = (parts.get(name) or None for name in ("train", "validation", "test"))
    assert train is not None, "an array without samples is an error"
    if memory is not None:
        labels = None if train.labels is None else frozenset(np.unique(train.labels).tolist())
        training_set = TrainingSet(len(train), labels, validation is not None)
        for problem in check_training_set(description.document, training_set, spec.classes):
            if problem.is_error:
                raise DataError(f"data: {problem.text}")
            if problem.code == "ND235":
                warn(f"data: {problem.text}")
    if training.validation_split:
        train, validation = hold_out(train, training.held_out(len(train)), training.seed)
    return Splits(train, validation, test)


def hold_out(samples: Samples, count: int, seed: int) -> tuple[Samples, Samples]:
    """Takes ``count`` samples at random. Returns the others and these.

    The choice depends only on ``seed`` and the number of samples.
    """
    order = sample_order(len(samples), seed, 0)
    return samples[np.sort(order[count:])], samples[np.sort(order[:count])]


def _read(
    description: Description, spec: SampleSpec, warn: Callable[[str], None], for_training: bool
) -> Mapping[str, Samples]:
    if description.document.data is None:
        raise MissingDataError(
            f'{description.path}: there is no "data"; add that section to the document, such as '
            f"{DATA_EXAMPLE}; or pass arrays in Python: data={{…}}"
        )
    checks = FileChecks(description)
    context = DataContext(description, spec, True, checks.are_checked)
    context.problems += checks.run(("data",))
    parts = {} if context.has_error else read_parts(context)
    if context.has_error:
        raise DescriptionError(list(diagnostics(description, context.problems)))
    problems = [p for p in context.problems if for_training or p.parts[0] == "data"]
    for diagnostic in diagnostics(description, problems):
        text = "; ".join(filter(None, (diagnostic.message, diagnostic.hint)))
        warn(f"{place(diagnostic, diagnostic.file)}: {text}")
    return parts
