"""Sweeps of a small document, and workers that pretend to train."""

import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netdesc.description import Description, load
from netdesc.runs.process_lock import lock_folder
from netdesc.sweeps import sweep_folder
from netdesc.sweeps.study import OpenTrial, SweepStudy, open_sweep

RATE, UNITS = "training.optimizer.learning_rate", "layers.hidden.units"
OVER = {RATE: {"log": [0.001, 0.1], "steps": 4}, UNITS: {"choices": [2, 4, 8]}}
VARIANTS = [
    {"name": "plain"},
    {
        "name": "narrow",
        "over": {UNITS: {"range": [2, 3], "steps": 2}, "training.batch": {"choices": [1, 2]}},
    },
]


DOCUMENT = {
    "format": 1,
    "name": "small",
    "time": {"steps": 5, "step_ms": 1.0},
    "data": {"type": "spike_files", "train": [{"input": {"path": "x"}, "target": {"path": "y"}}]},
    "input": {"shape": [3]},
    "neurons": {"n": {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}},
    "layers": [{"name": "hidden", "type": "dense", "units": 2, "neuron": "n"}],
    "loss": {"type": "spike_time", "time_constant_ms": 2},
    "training": {"epochs": 27},
}


def sweep_of(folder: Path, **sweep: Any) -> Description:
    """Writes a document with this section ``sweep`` into ``folder``, and loads it."""
    path = folder / "network.json"
    path.write_text(json.dumps({**DOCUMENT, "sweep": {"trials": 12, "over": OVER, **sweep}}))
    return load(path)


def loss_of(trial: OpenTrial) -> float:
    return math.log10(trial.values[RATE]) ** 2 + 1 / trial.values[UNITS]


def finish(study: SweepStudy, pretend: Callable[[OpenTrial], None] = lambda _: None) -> None:
    """Takes all trials that are left, and tells their losses."""
    while (trial := study.next_trial()) is not None:
        pretend(trial)
        count = len(study.space.objectives)
        study.tell(trial, [[loss_of(trial), float(trial.values[UNITS])][:count]])


def work(folder: Path) -> None:
    """Works in a sweep as a process of its own: trains nothing, but has a run's folder."""

    def pretend(trial: OpenTrial) -> None:
        run = sweep_folder.trial(folder / "S", trial.number) / "seed0"
        (run / "checkpoints").mkdir(parents=True, exist_ok=True)
        with lock_folder(run):
            (run / "checkpoints" / "last.state").touch()
            time.sleep(0.02)

    with open_sweep(load(folder / "network.json"), folder / "S") as study:
        finish(study, pretend)


def kill_workers(folder: Path, workers: int, kills: int) -> None:
    """Starts workers; kills one of them at a random moment and starts another one, many times."""
    chance = random.Random(workers)

    def start() -> int:
        if (child := os.fork()) == 0:
            code = 1
            try:
                work(folder)
                code = 0
            finally:
                os._exit(code)
        return child

    children = [start() for _ in range(workers)]
    for _ in range(kills):
        time.sleep(chance.uniform(0.0, 0.15))
        victim = children.pop(chance.randrange(len(children)))
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        children.append(start())
    codes = [os.waitpid(child, 0)[1] for child in children]
    work(folder)  # the last one may have been killed with a trial that nobody waited for
    sys.exit(any(codes))


if __name__ == "__main__":
    kill_workers(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
