"""Runs that have ended: their outcome, and the files that a run lacks although it is done."""

from __future__ import annotations

import shlex
from pathlib import Path

from netdesc.description import load
from netdesc.runs.files import (
    ACTIVITY,
    BEST,
    CHECKPOINTS,
    DOCUMENT,
    INITIAL,
    LAST,
    LOCK,
    LOG,
    METRICS,
    NETWORK,
    RECORD,
    STATE,
    is_filled,
)
from netdesc.training.errors import ResumeError
from netdesc.training.progress import Scale
from netdesc.training.record import RunRecord
from netdesc.training.session import Outcome

_EXPLANATIONS = {"done": "this run is done already", "diverged": "this run would diverge again"}
_FROM_STATE = (*(f"{CHECKPOINTS}/{name}" for name in (INITIAL, BEST, LAST)), ACTIVITY)
_ONLY_FROM_TRAINING = (DOCUMENT, METRICS, LOG, f"{CHECKPOINTS}/{STATE}")


def read_outcome(path: Path) -> Outcome | None:
    """Returns the outcome of the run in ``path`` if it is done or has diverged, otherwise None.

    ResumeError if ``run.json`` is missing or damaged.
    """
    fields = RunRecord.read(path / RECORD).fields
    if fields["status"] not in _EXPLANATIONS:
        return None
    message = f"{_EXPLANATIONS[fields['status']]} ({fields['message']})"
    samples = {"train": 1, "validation": 0} | fields.get("samples", {})
    loss = load(path / LOCK, with_files=False).document.main_loss
    scale = Scale.of(loss.reduction, samples["train"], samples["validation"])
    return Outcome(path, fields["status"], message, fields["best"], fields["final"], scale)


def find_missing(path: Path, with_network: bool) -> tuple[list[str], list[str]]:
    """Finds the files that the run in ``path`` lacks; ``with_network`` also ``network.net``.

    Returns the files that can be written again without training, and those that cannot, as paths in
    the folder. An empty file counts as missing, because a run that is done has no empty files.
    Weights and activity are written again from ``last.state``, and without it only ``network.net``,
    from the best weights. ResumeError if both ``last.state`` and the best weights are gone.
    """
    has_state = is_filled(path / CHECKPOINTS / STATE)
    best = path / CHECKPOINTS / BEST
    if not has_state and not is_filled(best):
        raise ResumeError(
            f"{best}: this run is done, but its best weights and its checkpoint {STATE} are gone, "
            f"so its files cannot be written again; to train this network once more: "
            f"netdesc train {shlex.quote(str(path / LOCK))}"
        )
    sources = _FROM_STATE if has_state else ()
    sources += (NETWORK,) if with_network else ()
    unwritable = _ONLY_FROM_TRAINING + (() if has_state else _FROM_STATE)
    writable, lost = (
        [name for name in names if not is_filled(path / name)] for names in (sources, unwritable)
    )
    return writable, lost
