"""Lists the runs below a folder: status, best metrics, and what differs in their documents."""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.atomic_write import failure_reason
from netdesc.description.json_pointer import ABSENT
from netdesc.description.source import LOCK
from netdesc.runs.errors import RunError
from netdesc.runs.folder import RECORD, lock_of, read_text
from netdesc.runs.process_lock import is_at_work
from netdesc.runs.run_record import EpochMetrics, RunRecord, read_record
from netdesc.runs.state import KILLED

MAX_LOCK_BYTES = 16 << 20
_NOT_COMPARED = {"lock", "format", "$schema", "description", "sweep"}
_METRICS = (
    "loss", "accuracy", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy",
    "spikes_per_sample",
)  # fmt: skip


@dataclass(frozen=True)
class ListedRun:
    """A run in the folder ``path``, which its document asks to train for ``epochs`` epochs.

    ``status`` is that of ``run.json``, or says that the run was killed. ``metrics`` are those of
    the best epoch and, as ``test_loss`` and so on, of the test samples; losses are per sample, by
    ``divisors``. ``values`` maps paths in the document, as ``--set`` takes them, to values;
    ``found`` are the paths of those that netdesc chose itself to fit the network.
    """

    path: Path
    record: RunRecord
    status: str
    epochs: int
    metrics: dict[str, float]
    divisors: dict[str, int]
    values: dict[str, Any]
    found: frozenset[str]


def find_runs(folder: Path, warn: Callable[[str], None]) -> Iterator[Path]:
    """Yields the folders of runs, ``folder`` and all below, in order, and follows no links below.

    ``warn`` is called with a sentence about each folder that cannot be read. RunError if ``folder``
    is none.
    """
    if not os.path.isdir(folder):
        raise RunError(f"{folder}: there is no such folder; name a folder of runs", exit_code=3)
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            with os.scandir(path) as scan:
                is_folder = {entry.name: entry.is_dir(follow_symlinks=False) for entry in scan}
        except OSError as error:
            warn(f"{path}: cannot be read: {failure_reason(error)}")
            continue
        if LOCK in is_folder or RECORD in is_folder:
            yield path
        else:
            waiting += [path / name for name in sorted(is_folder, reverse=True) if is_folder[name]]


def read_run(path: Path) -> ListedRun:
    """Reads a run without its weights and data. RunError if its files are missing or damaged."""
    lock, record = lock_of(path), read_record(path)
    try:
        # Only as JSON, since a folder may have thousands of runs.
        text = read_text(lock, MAX_LOCK_BYTES)
        document = json.loads(text, parse_float=_finite, parse_constant=_finite)
        notes, last = document["lock"], document["layers"][-1]["name"]
        losses = document["loss"] if isinstance(document["loss"], list) else [document["loss"]]
        main = next((loss for loss in losses if loss["from"] in (None, last)), losses[0])
        scale, epochs = record.scale(main["reduction"]), int(document["training"]["epochs"])
        files = {each["path"]: os.path.relpath(path / each["location"]) for each in notes["files"]}
        leaves = [*_leaves({k: document[k] for k in document if k not in _NOT_COMPARED})]
        origins = notes["origins"]
        found = frozenset(
            name for name, at, _ in leaves if origins.get(at, origins.get(f"{at}/0")) == "found"
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        problem = f"is not the document of a run: {type(error).__name__}: {error}"
        raise RunError(f"{lock}: {problem}") from error
    values = {name: files.get(v, v) if isinstance(v, str) else v for name, _, v in leaves}
    if (status := record.status) == "running" and not (at_work := is_at_work(path)):
        status = f"running or {KILLED}" if at_work is None else KILLED
    metrics = _metrics(record.best, "", scale.divisors)
    metrics |= _metrics(record.test, "test_", scale.of_test.divisors)
    if record.spikes_per_sample is not None:
        metrics["spikes_per_sample"] = record.spikes_per_sample
    return ListedRun(path, record, status, epochs, metrics, scale.divisors, values, found)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is no number")
    return value


def _leaves(value: Any, path: str = "", pointer: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yields path, JSON pointer and value; lists without objects are one value."""
    parts = {key: key for key in value} if isinstance(value, dict) else {}
    if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        parts = {index: entry.get("name", index) for index, entry in enumerate(value)}
    if not parts:
        yield path, pointer, value
    for key, name in parts.items():
        yield from _leaves(value[key], f"{path}.{name}" if path else name, f"{pointer}/{key}")


def _metrics(
    metrics: EpochMetrics | None, prefix: str, divisors: Mapping[str, int]
) -> dict[str, float]:
    return {
        f"{prefix}{name}": value / divisors.get(name, 1)
        for name, value in (metrics.model_dump() if metrics is not None else {}).items()
        if name not in ("epoch", "seconds", "learning_rate")
        and isinstance(value, int | float)
        and math.isfinite(value)
    }


def differing(runs: Sequence[ListedRun]) -> list[str]:
    """Returns the paths at which not all documents have the same value, in their order.

    Those whose values netdesc found in all runs are not among them.
    """
    missing = object()
    chosen = {path for run in runs for path in run.values.keys() - run.found}
    return [
        path
        for path in dict.fromkeys(path for run in runs for path in run.values)
        if path in chosen
        and any(run.values.get(path, missing) != runs[0].values.get(path, missing) for run in runs)
    ]


def shown_metrics(names: Collection[str]) -> list[str]:
    """Returns those of the metrics ``names`` that a table shows, in their order.

    Those of the training samples are among them only if there are none of validation samples.
    """
    has_validation = any(name.startswith("validation_") for name in names)
    return [name for name in _METRICS[2 * has_validation :] if name in names]


def value_json(value: Any) -> str:
    """Returns a value of a document as JSON, or says that it is ``ABSENT``."""
    return "not set" if value is ABSENT else json.dumps(value, ensure_ascii=False)


def value_text(value: Any) -> str:
    """Returns a value of a document as the text of a cell: six digits of a number, or JSON."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else value_json(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def short_names(paths: Iterable[str], among: Iterable[str] = ()) -> dict[str, str]:
    """Maps each path to its shortest end that no other has, of ``paths`` and those ``among``."""

    def ends(path: str) -> list[str]:
        parts = path.split(".")
        return [".".join(parts[first:]) for first in reversed(range(len(parts)))]

    counts = Counter(end for path in {*paths, *among} for end in ends(path))
    return {path: next((e for e in ends(path) if counts[e] == 1), path) for path in paths}
