"""Checks the number and the labels of the training samples (ND217 to ND289)."""

from collections.abc import Iterator

from netdesc.data.data_context import Problem, TrainingSet
from netdesc.description.diagnostics.wording import amount
from netdesc.description.models import Document
from netdesc.description.models.training import DEFAULT_BATCH_SIZE
from netdesc.description.shapes import output_locations
from netdesc.description.source_map import RelatedPath

MAX_LABELS_SHOWN = 5

_SPLIT = ("training", "validation_split")
_BATCH_SIZE = ("training", "batch_size")


def check_training_set(
    document: Document, training_set: TrainingSet, classes: int | None
) -> Iterator[Problem]:
    """Yields what is wrong with the training set. ``classes`` is the number of outputs."""
    yield from _check_split(document, training_set)
    yield from _check_best(document, training_set)
    yield from _check_batches(document, training_set)
    labels = training_set.labels if document.main_loss.learns_from == "labels" else None
    if not labels or classes is None or max(labels) >= classes or len(labels) == classes:
        return
    missing = sorted({*range(min(classes, len(labels) + MAX_LABELS_SHOWN))} - labels)
    shown = ", ".join(map(str, missing[:MAX_LABELS_SHOWN]))
    count = classes - len(labels)
    more = f" and {count - MAX_LABELS_SHOWN} more" if count > MAX_LABELS_SHOWN else ""
    field = "labels" if hasattr(document.data, "labels") else "train"
    yield Problem(
        "ND235",
        ("data", field),
        f"no training sample has the label{'' if count == 1 else 's'} {shown}{more}",
        severity="warning",
        on="key",
        related=output_locations(document),
    )


def _check_split(document: Document, training_set: TrainingSet) -> Iterator[Problem]:
    training, samples = document.training, training_set.samples
    if training.validation_split > 0 and training_set.has_validation:
        message = "the data have validation samples, and validation_split would take more"
        related = (
            RelatedPath(("data", "validation"), "validation samples"),
            RelatedPath(("data", "split"), "marks samples with 1"),
        )
        yield Problem("ND218", _SPLIT, message, hint="keep one of the two", related=related)
    elif samples is not None and samples <= training.held_out(samples):
        count = amount(samples, "sample")
        message = f"validation_split {training.validation_split:g} leaves none of {count} to train "
        related = (RelatedPath(("data", "train"), count),)
        yield Problem("ND217", _SPLIT, f"{message}on", related=related)


def _check_best(document: Document, training_set: TrainingSet) -> Iterator[Problem]:
    training = document.training
    metrics = document.epoch_metrics(training_set.has_validation or training.validation_split > 0)
    if training_set.samples is not None and training.best not in (None, *metrics):
        message = f"there are no validation samples, so the epochs have no {training.best}"
        yield Problem("ND284", ("training", "best"), message, hint=f"use {' or '.join(metrics)}")


def _check_batches(document: Document, training_set: TrainingSet) -> Iterator[Problem]:
    training = document.training
    samples, batch_size = training.without_held_out(training_set.samples), training.batch_size
    if samples is None or samples <= 0:
        return
    if batch_size not in (None, DEFAULT_BATCH_SIZE) and batch_size > samples:
        message = f"a batch of {batch_size} is larger than the training set of {samples}"
        related = (
            RelatedPath(("data", "train"), "the training set"),
            RelatedPath(("data", "inputs"), "the training set"),
            RelatedPath(_SPLIT, "this share is set aside"),
        )
        yield Problem("ND222", _BATCH_SIZE, message, severity="warning", related=related)
    if training.shards > samples:
        count, limit = amount(samples, "training sample"), 1 << (samples.bit_length() - 1)
        message = f"{count} cannot be divided into {training.shards} shards"
        yield Problem("ND289", ("training", "shards"), message, hint=f"use at most {limit}")
