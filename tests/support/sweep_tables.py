"""Tables of sweeps as their journals give them, for the tests of their page."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from support.report_samples import write_run

from netdesc.runs.sweep_table import SweepTable, TrialRow

RATE, UNITS, KIND, DECAY = (
    "training.optimizer.learning_rate", "layers.hidden.units", "training.schedule.type",
    "neurons.<b>.decay",
)  # fmt: skip


def trial(number: int, results: tuple[float, ...] | None = None, **fields: Any) -> TrialRow:
    """A trial that is done, or one of another status, whose values depend on its number."""
    kind = ("cosine", "constant", "steps")[number % 3]
    values = {RATE: 0.001 * 10 ** (number % 3), UNITS: 16 + number, KIND: kind}
    if number % 2:
        values[DECAY] = 0.5
    variant = ("cuba", "<i>alif</i>")[number % 2]
    fields = {"variant": variant, "values": values, "status": "done"} | fields
    return TrialRow(number, results=results, **fields)


def sweep_table(folder: Path, trials: list[TrialRow], **fields: Any) -> SweepTable:
    settings: dict[str, Any] = {
        "name": "tiny",
        "folder": folder,
        "objectives": (("validation_accuracy", True), ("spikes_per_sample", False)),
        "parameters": (RATE, UNITS, KIND, DECAY),
        "trials": tuple(trials),
        "planned": 10,
    }
    return SweepTable(**settings | fields)


def whole_sweep(folder: Path, **fields: Any) -> SweepTable:
    """A sweep of eight trials, three of them with a run, and a front of two."""
    runs = [f"trials/{number:04d}/seed0" for number in range(3)]
    for number, run in enumerate(runs):
        epochs = {"training": {"epochs": 30 + number}}
        write_run(folder / run, classes=True, epochs=5 + number, changes=epochs)
    trials = [
        trial(0, (0.8, 100.0), folders=(runs[0],), spreads=(0.02, 10.0)),
        trial(1, (0.9, 300.0), folders=(runs[1], "trials/0001/seed1")),
        trial(2, (0.7, 200.0), folders=(runs[2],)),
        trial(3, (0.6, 50.0), status="pruned", reason="pruned after 5 epochs"),
        trial(4, status="failed", reason="<img src=x onerror=alert(1)>"),
        trial(5, status="running", folders=("trials/0005/seed0",)),
        trial(6, status="waiting"),
        trial(7, (0.9, 300.0)),
    ]
    count = len(fields.get("objectives", (1, 2)))
    trials = [replace(each, results=each.results and each.results[:count]) for each in trials]
    importance = {RATE: 0.5, DECAY: 0.25, UNITS: 0.25}
    return sweep_table(folder, trials, **{"front": (1, 0), "importance": importance} | fields)
