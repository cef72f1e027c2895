"""Trains the tasks with many settings, and writes a table of the scores beside this file.

Run it in the folder ``tests``, with one thread::

    OMP_NUM_THREADS=1 python -m support.tasks.grid RESULTS.jsonl [--defaults] [--table] [TASK …]

Each training appends a line to ``RESULTS.jsonl``; what is there already is not trained again, so
remove the lines of the default setting after a change of a default. With ``--defaults`` only the
documents as they stand are trained; with ``--table`` nothing is, and ``results.md`` is written.
"""

import argparse
import json
import math
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from support.tasks.suite import CHOSEN_ON, TASKS
from support.tasks.task import Task

import netdesc
from netdesc.data.memory_data import MemoryData
from netdesc.runs.errors import RunError
from netdesc.runs.folder import LOCK
from netdesc.training.setup import TrainingOptions
from netdesc.training.train import train

TABLE = Path(netdesc.__file__).with_name("description") / "defaults.md"
SHAPES = ("exponential", "fast_sigmoid", "atan", "triangle")
WIDTHS, SCALES, RATES = (0.1, 0.3, 1.0), (0.5, 1.0, 2.0), (0.003, 0.01, 0.03)
PEAKS = (0.3, 1.0, 3.0)
SEEDS = (0, 1, 2)
FINALISTS = 3


@dataclass(frozen=True)
class Setting:
    """What the grid varies; null is the default.

    ``width`` is in thresholds, ``peak`` in 1/threshold, and ``scale`` a factor on the scales of
    weights that "auto" finds. For neurons that spike by phase, the peak is times 2·width.
    """

    shape: str | None = None
    width: float | None = None
    peak: float | None = None
    scale: float | None = None
    rate: float | None = None

    def changes(self, document: Mapping[str, Any], scales: Mapping[str, float]) -> dict[str, Any]:
        """Returns the fields that a document gets; ``scales`` are those that "auto" finds."""
        changes: dict[str, Any] = {}
        if self.rate is not None:
            changes["training.optimizer"] = {"type": "adam", "learning_rate": self.rate}
        for name, neuron in document["neurons"].items():
            if neuron["type"] in ("integrator", "delta", "sigma_delta"):
                continue
            threshold = neuron["threshold"]
            section: dict[str, Any] = {} if self.shape is None else {"shape": self.shape}
            if self.width is not None:
                section["width"] = self.width * threshold
            if self.peak is not None:
                by_phase = 2 * (self.width or 1) * threshold if neuron["type"] == "rf" else 1
                section["peak"] = self.peak / threshold * by_phase
            if section:
                changes[f"neurons.{name}.surrogate"] = section
        if self.scale is not None:
            changes |= {name: self.scale * scale for name, scale in scales.items()}
        return changes


DEFAULTS = Setting()
GRID = [Setting("fast_sigmoid", w, 1.0, s, r) for s, w, r in product(SCALES, WIDTHS, RATES)]
GRID.sort(key=lambda setting: setting.scale != 1)  # what interim tables need most comes first


@dataclass(frozen=True)
class Result:
    """The scores of a training; a run that diverged has the worst score."""

    task: str
    setting: Setting
    seed: int
    validation: float
    test: float
    status: str
    seconds: float


def measure(task: Task, setting: Setting, seed: int) -> Result:
    """Trains a task, and scores it on validation and test samples."""
    scales = {} if setting.scale is None else found_scales(task.name, seed)
    changes = setting.changes(task.document, scales) | {"training.seed": seed}
    started = time.perf_counter()
    worst = math.inf if task.is_error else 0.0
    scores = dict.fromkeys(("validation", "test"), worst)
    with tempfile.TemporaryDirectory() as folder:
        run, status = Path(folder, "run"), _train(task, changes, Path(folder, "run"))
        if status == "interrupted":
            raise KeyboardInterrupt
        if status == "done":
            data = task.make()
            scores = {part: task.score_of(netdesc.evaluate(run, part, data)) for part in scores}
    return Result(task.name, setting, seed, **scores, status=status, seconds=_since(started))


def _train(task: Task, changes: Mapping[str, Any], run: Path) -> str:
    """Trains without a report, and returns the status of the run."""
    description = netdesc.load(dict(task.document), changes)
    data = MemoryData.of(task.make())
    options = TrainingOptions(run_dir=run, progress="quiet", data=data)
    try:
        return train(description, options).status
    except RunError as error:
        return f"failed: {error}"


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 2)


@cache
def found_scales(name: str, seed: int) -> dict[str, float]:
    """Returns the scales of weights that "auto" finds for a task, by their paths."""
    with tempfile.TemporaryDirectory() as folder:
        changes = {"training.epochs": 1, "training.seed": seed}
        _train(TASKS[name], changes, Path(folder, "run"))
        lock = json.loads(Path(folder, "run", LOCK).read_text())
    fields = ("weight_scale", "recurrent_weight_scale")
    return {
        f"layers.{index}.{field}": layer[field]
        for index, layer in enumerate(lock["layers"])
        for field in fields
        if field in layer
    }


class Results:
    """The results in a file, to which new ones are appended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        self.all = [Result(**row | {"setting": Setting(**row["setting"])}) for row in rows]

    def get(self, task: str, setting: Setting, seed: int) -> Result:
        """Returns the result of a training, which is done now unless it is in the file."""
        for result in self.all:
            if (result.task, result.setting, result.seed) == (task, setting, seed):
                return result
        result = measure(TASKS[task], setting, seed)
        self.all.append(result)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")
        print(task, setting, seed, result.validation, result.test, result.status, flush=True)
        return result

    def ranked(self, task: str) -> list[Setting]:
        """Returns the settings other than the defaults, best first by seed 0 on validation."""
        rows = [
            each
            for each in self.all
            if each.task == task and not each.seed and each.setting != DEFAULTS
        ]
        sign = 1 if TASKS[task].is_error else -1
        return [each.setting for each in sorted(rows, key=lambda each: sign * each.validation)]

    def medians(self, task: str, setting: Setting) -> tuple[float, float] | None:
        """Returns the medians over the seeds on validation and test; None without all seeds."""
        rows = [each for each in self.all if (each.task, each.setting) == (task, setting)]
        if len(rows) < len(SEEDS):
            return None
        return median(each.validation for each in rows), median(each.test for each in rows)

    def tuned(self, task: str) -> Setting | None:
        """Returns the setting with the best median on validation samples."""
        found = {each: self.medians(task, each) for each in self.ranked(task)}
        medians = {each: pair[0] for each, pair in found.items() if pair is not None}
        choose = min if TASKS[task].is_error else max
        return choose(medians, key=medians.__getitem__) if medians else None


def neighbours(best: Setting) -> Iterator[Setting]:
    """Yields settings that differ from the best one of the grid in one number or the shape."""
    yield from (replace(best, shape=shape) for shape in SHAPES)
    yield from (replace(best, peak=peak) for peak in PEAKS)
    for name, values in {"width": WIDTHS, "scale": SCALES, "rate": RATES}.items():
        value = getattr(best, name)
        if value == values[0]:
            yield replace(best, **{name: round(value * values[0] / values[1], 6)})
        if value == values[-1]:
            yield replace(best, **{name: round(value * values[-1] / values[-2], 6)})


def train_defaults(results: Results, tasks: Sequence[str]) -> None:
    for task, seed in product(tasks, SEEDS):
        results.get(task, DEFAULTS, seed)


def train_grid(results: Results, tasks: Sequence[str]) -> None:
    """Trains the grid, then what is near its best setting, then the finalists with all seeds."""
    for setting, task in product(GRID, tasks):
        results.get(task, setting, 0)
    for task in tasks:
        for setting in neighbours(results.ranked(task)[0]):
            results.get(task, setting, 0)
        for setting, seed in product(results.ranked(task)[:FINALISTS], SEEDS):
            results.get(task, setting, seed)


def table(results: Results, peer: Path | None) -> str:
    """Returns the table of the tasks that have all results, as markdown. ``peer`` is what
    ``tests/peers/snntorch_tasks.py`` printed."""
    lines = peer.read_text().splitlines() if peer else []
    peers = {name: float(score) for name, score, *_ in map(str.split, lines)}
    lines = [
        "Medians of three seeds on test samples, and the default's worst seed. A share is default",
        "over tuned; of errors (a spike distance and a root mean squared error) it is tuned over",
        "default: 95.2% is 1.05 times the tuned error. A scale is a factor on what is found.",
        "",
        "| task | default | worst | tuned | share | snnTorch | shape | width | peak | scale | lr |",
        "|---|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    for name, task in TASKS.items():
        best, default = results.tuned(name), results.medians(name, DEFAULTS)
        if best is None or default is None:
            continue
        tuned = results.medians(name, best)
        assert tuned is not None, "a tuned setting has all seeds"
        share = tuned[1] / default[1] if task.is_error else default[1] / tuned[1]
        label = f"{name} (chosen on)" if name in CHOSEN_ON else name
        label += " (error)" if task.is_error else ""
        tests = [x.test for x in results.all if (x.task, x.setting) == (name, DEFAULTS)]
        worst = max(tests) if task.is_error else min(tests)
        scores = " | ".join(f"{score:.4g}" for score in (default[1], worst, tuned[1]))
        numbers = f"{scores} | {share:.1%} | {peers.get(name, '')}"
        chosen = f"{best.width:.3g} | {best.peak:g} | {best.scale:g} | {best.rate:g}"
        lines.append(f"| {label} | {numbers} | {best.shape} | {chosen} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the tasks with many settings.")
    parser.add_argument("results", type=Path)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), metavar="TASK")
    parser.add_argument("--defaults", action="store_true", help="train only the defaults")
    parser.add_argument("--table", action="store_true", help="write defaults.md, train nothing")
    parser.add_argument("--peer", type=Path, help="scores of snnTorch, for the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = Results(options.results)
    if options.table:
        TABLE.write_text(table(results, options.peer))
        return
    train_defaults(results, options.tasks)
    if not options.defaults:
        train_grid(results, options.tasks)


if __name__ == "__main__":
    main()
