"""Lists the runs below a folder: status, best metrics, and what differs in their documents."""

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdesc.atomic_write import failure_reason
from netdesc.description.source import LOCK
from netdesc.runs.errors import RunError
from netdesc.runs.folder import RECORD, lock_of, read_text
from netdesc.runs.process_lock import is_at_work
from netdesc.runs.run_record import EpochMetrics, RunRecord, read_record
from netdesc.runs.state import KILLED

MAX_LOCK_BYTES = 16 << 20
_MAX_VALUE_CHARACTERS = 60
_NOT_METRICS = ("epoch", "seconds", "learning_rate")


@dataclass(frozen=True)
class ListedRun:
    """A run in the folder ``path``.

    ``status`` is that of ``run.json``, or says that the run was killed. ``epochs`` is the number
    that its document asks for, None if it names none. ``metrics`` are those of the best epoch and,
    as ``test_loss`` and so on, of the test samples; losses are per sample, as in reports.
    ``values`` maps paths in its document, as ``--set`` takes them, to values; it leaves out values
    that netdesc chose itself to fit the network.
    """

    path: Path
    record: RunRecord
    status: str
    epochs: int | None
    metrics: dict[str, float]
    values: dict[str, Any]


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
                entries = sorted(scan, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            warn(f"{path}: cannot be read: {failure_reason(error)}")
            continue
        if {LOCK, RECORD} & {entry.name for entry in entries}:
            yield path
            continue
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path / entry.name)


def read_run(path: Path) -> ListedRun:
    """Reads a run without its weights and data. RunError if its files are missing or damaged."""
    document, record = _read_document(lock := lock_of(path)), read_record(path)
    try:
        values = document_values(path, document)
    except RecursionError as error:
        raise RunError(f"{lock}: is not the document of a run: it is nested too deeply") from error
    status = record.status
    if status == "running" and not (at_work := is_at_work(path)):
        status = f"running or {KILLED}" if at_work is None else KILLED
    scale = record.scale(_reduction(document))
    metrics = _metrics(record.best, "", scale.divisors)
    metrics |= _metrics(record.test, "test_", scale.of_test.divisors)
    training = document.get("training")
    epochs = training.get("epochs") if isinstance(training, dict) else None
    epochs = epochs if isinstance(epochs, int) else None
    return ListedRun(path, record, status, epochs, metrics, values)


def _read_document(lock: Path) -> dict[str, Any]:
    """Reads the lock as JSON only, as a folder may have thousands. RunError if it is no object."""

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not JSON")

    def finite(text: str) -> float:
        return value if math.isfinite(value := float(text)) else refuse(text)

    try:
        text = read_text(lock, MAX_LOCK_BYTES)
        document = json.loads(text, parse_float=finite, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{lock}: is not the document of a run: {error}") from error
    if not isinstance(document, dict):
        raise RunError(f"{lock}: is not the document of a run, but {type(document).__name__}")
    return document


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _reduction(document: Mapping[str, Any]) -> str:
    """Returns the reduction of the main loss, the first that reads the last layer."""
    losses = _objects([document["loss"]] if "loss" in document else []) or _objects(
        document.get("loss")
    )
    last = [None, *(layer.get("name") for layer in _objects(document.get("layers"))[-1:])]
    main = next((loss for loss in losses if loss.get("from") in last), next(iter(losses), {}))
    return str(main.get("reduction", "mean"))


def _metrics(
    metrics: EpochMetrics | None, prefix: str, divisors: Mapping[str, int]
) -> dict[str, float]:
    return {
        f"{prefix}{name}": value / divisors.get(name, 1)
        for name, value in (metrics.model_dump() if metrics is not None else {}).items()
        if name not in _NOT_METRICS and isinstance(value, int | float) and math.isfinite(value)
    }


def document_values(run: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a lock by their paths, such as ``layers.hidden.units``.

    Files are named relative to the working directory. Lists without objects are one value.
    """
    lock = document.get("lock")
    lock = lock if isinstance(lock, dict) else {}
    origins = lock.get("origins")
    origins = origins if isinstance(origins, dict) else {}
    files = {
        str(file.get("path")): os.path.relpath(os.path.join(run, str(file.get("location"))))
        for file in _objects(lock.get("files"))
    }
    values = dict[str, Any]()

    def add(value: Any, path: str, pointer: str) -> None:
        if isinstance(value, dict):
            parts = [(key, key) for key in value]
        elif isinstance(value, list) and _objects(value):
            parts = [(index, _layer_name(entry, index)) for index, entry in enumerate(value)]
        else:
            if origins.get(pointer, origins.get(f"{pointer}/0")) != "found":
                values[path] = files.get(value, value) if isinstance(value, str) else value
            return
        for key, name in parts:
            add(value[key], f"{path}.{name}" if path else str(name), f"{pointer}/{key}")

    ignored = ("lock", "format", "$schema", "description", "sweep")
    add({name: value for name, value in document.items() if name not in ignored}, "", "")
    return values


def _layer_name(entry: Any, index: int) -> str | int:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else index


def differing(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the paths at which not all documents have the same value, in their order."""
    paths = dict.fromkeys(path for values in documents for path in values)
    missing = object()
    return [
        path
        for path in paths
        if any(
            values.get(path, missing) != documents[0].get(path, missing) for values in documents[1:]
        )
    ]


def value_text(value: Any) -> str:
    """Returns a value of a document in a cell's length: a text as it is, and others as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[:_MAX_VALUE_CHARACTERS]}…"


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Maps each path to its shortest end that no other path has, such as ``hidden.units``."""
    ends: dict[str, set[str]] = {}
    parts = {path: path.split(".") for path in paths}
    for path, names in parts.items():
        for first in range(len(names)):
            ends.setdefault(".".join(names[first:]), set()).add(path)
    return {
        path: next(
            (
                end
                for first in reversed(range(len(names)))
                if len(ends[end := ".".join(names[first:])]) == 1
            ),
            path,
        )
        for path, names in parts.items()
    }
