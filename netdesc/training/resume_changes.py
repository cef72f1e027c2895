"""Which values of its document a run may change when it is resumed."""

import os
from pathlib import Path
from shlex import quote
from typing import Any

from netdesc.description import Description
from netdesc.description.diagnostics.wording import amount
from netdesc.description.file_references import file_references
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import ABSENT, dotted, leaves, pointer
from netdesc.description.load import CheckFiles, check, check_text, require_valid
from netdesc.description.models import Training
from netdesc.description.overrides import Overrides
from netdesc.description.source import Source
from netdesc.runs.errors import RunError
from netdesc.runs.folder import BEST, CHECKPOINTS, LOCK
from netdesc.runs.listing import value_json
from netdesc.training.saver import Progress
from netdesc.training.schedule import Stopping

RATE, CLIP = "training.optimizer.learning_rate", "training.gradient_clip"

CHANGEABLE = (
    "training.epochs",
    # Checkpoints hold how long the loss has not improved, also while this is null.
    "training.early_stopping",
    "training.checkpoint_every_s",
    # Computes each epoch's rate from its number and the plateaus before it: it has no other state.
    "training.schedule",
    CLIP,
    # The optimizer's moments are sums of gradients, in which the rate is not a factor.
    RATE,
    # Is applied anew in each step.
    "training.optimizer.weight_decay",
)
"""Values that may change, with what they hold. Others decide what the state of training means:
which parameters and moments there are, and which samples and random numbers come next."""

_UNWRITTEN = "found", "default", None
"""Origins of values that no document writes."""

_SHOWN = 8
"""Number of differences of two documents that a message names."""


def load_changed(
    lock: Path, text: str, overrides: Overrides, check_files: CheckFiles | None = None
) -> tuple[Description, list[str]]:
    """Loads the ``text`` of a run's file ``lock`` with ``overrides``.

    Returns it, and the paths of changed values. DescriptionError for values that a document cannot
    have, RunError for those that may not change.
    """
    source = Source(text, str(lock))
    description = require_valid(check_text(source, lock, overrides, check_files=check_files))
    if not overrides:
        return description, []
    documents = require_valid(check_text(source, lock)).document, description.document
    old, new = (document.model_dump(mode="json") for document in documents)
    pairs = [*leaves(old, new), *leaves(new, old)]
    paths = list(dict.fromkeys(dotted(at) for at, value, other in pairs if value != other))
    for path in paths:
        if not any(f"{path}.".startswith(f"{name}.") for name in CHANGEABLE):
            weights = quote(str(lock.parent / CHECKPOINTS / BEST))
            raise RunError(
                f"{path} cannot change when a run is resumed; what can: {', '.join(CHANGEABLE)}. "
                f"To change others, start a new run from the weights of this run: netdesc train "
                f"{quote(str(lock))} --set weights.path={weights}"
            )
    return description, paths


def require_epochs(
    training: Training, progress: Progress, stopping: Stopping, is_done: bool
) -> None:
    """Raises RunError if a run with changed values has nothing to train.

    A run that is not done may end with the epochs that it has.
    """
    trained, early = amount(progress.epoch, "epoch"), training.early_stopping
    if training.epochs < progress.epoch or (is_done and training.epochs == progress.epoch):
        raise RunError(
            f"training.epochs is {training.epochs:,}, but {trained} of this run are trained: set "
            f"more epochs"
        )
    if stopping.is_over(early):
        assert early is not None, "a callback's wish is forgotten"
        raise RunError(
            f"early stopping ended this run after {trained}, because its loss had not improved for "
            f"{stopping.waited}: also set training.early_stopping=null or a larger "
            f"training.early_stopping.patience_epochs"
        )


def require_same_document(description: Description, run: Path, has_data: bool) -> None:
    """Raises RunError, which says what differs, unless ``run`` is a run of ``description``.

    Values that neither document writes may differ, because training may have found them, and other
    versions may have other defaults. Texts that describe the network may differ, too. With
    ``has_data``, a program passes samples in place of those of the document.
    """
    lock = require_valid(check(run / LOCK))
    new = description.without_data() if has_data else description
    texts = [
        f"{place} is {value_json(value)}, but {value_json(new_value)} in the document"
        for place, (value, new_value) in _differences(lock, new).items()
    ]
    if not texts:
        return
    listed = "; ".join(texts[:_SHOWN])
    if len(texts) > _SHOWN:
        listed += f", and {amount(len(texts) - _SHOWN, 'more value')}"
    raise RunError(
        f"{run} holds a run of another document: {listed}; name another "
        f"folder, or go on with that run: netdesc train --resume {quote(str(run))}",
        exit_code=2,
    )


def _differences(lock: Description, new: Description) -> dict[str, tuple[Any, Any]]:
    """Maps the places of values that differ to those of the run's ``lock`` and of ``new``."""
    values, new_values = _values(lock), _values(new)
    differences: dict[str, tuple[Any, Any]] = {}
    for at in values | new_values:
        value, new_value = values.get(at, ABSENT), new_values.get(at, ABSENT)
        is_free = new_value == "auto" or new.origins.get(pointer(at)) in _UNWRITTEN
        if value != new_value and not (is_free and lock.origins.get(pointer(at)) in _UNWRITTEN):
            differences[dotted(at)] = value, new_value
    return differences


def _values(description: Description) -> dict[Parts, Any]:
    """Returns all values that have a meaning, by their places; files by their real paths."""
    document = description.document.model_dump(
        mode="json", exclude={"format", "schema_", "description", "lock"}
    )
    values = {at: value for at, value, _ in leaves(document, None)}
    files = file_references(description.document)
    return values | {file.parts: os.path.realpath(description.resolve(file.path)) for file in files}
