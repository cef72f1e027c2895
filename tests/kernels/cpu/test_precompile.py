"""All kernels are compiled before the first epoch, and none later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.classify_task import write_classify_task
from support.grids import slow
from support.training_task import write_task

COMPARED = """
import sys
from netdesc.description import load
from netdesc.kernels.cpu import precompile
from netdesc.kernels.cpu.runtime.kernel_cache import kernels
from netdesc.training import train

def signatures():
    return {name: set(kernel.signatures) for name, kernel in kernels().items()}

for part in precompile.PARTS.values():
    for compile_kernels in part:
        compile_kernels()
before = signatures()
print("missing:", [name for name, found in before.items() if not found])
for number, document in enumerate(sys.argv[1:]):
    train(load(document), run_dir=f"run{number}", progress="quiet")
after = signatures()
later = [(name, after[name] - before[name]) for name in after if after[name] != before[name]]
print("later:", later)
"""
"""Compiles all kernels in one process, trains documents, and prints what was compiled later."""

COLD = """
import sys
from numba.core import event
from netdesc.description import load
from netdesc.training import loop, train
from netdesc.training.progress import Display

class Listener(event.Listener):
    def on_start(self, event):
        print("compile")
    def on_end(self, event): ...

set_rate = loop.set_learning_rate
def watched(*arguments):
    print("epoch")
    set_rate(*arguments)
loop.set_learning_rate = watched
Display.interval_s = 0.0
with event.install_listener("numba:compile", Listener()):
    train(load(sys.argv[1]), run_dir=sys.argv[2], progress="plain")
"""

STOPPED = """
import signal
import numba
from netdesc.kernels.cpu.precompile import precompile
from netdesc.training.interrupt import StopRequest

compiled = []
def interrupt(done, total):
    compiled.append(done)
    if done == 0:
        signal.raise_signal(signal.SIGINT)

with StopRequest() as stop:
    try:
        precompile(interrupt, stop.check)
    except KeyboardInterrupt:
        print("stopped", max(compiled) <= 1)
print("result", numba.njit(lambda x: x + 1)(1))
"""
"""Presses Ctrl-C when compilation begins, and then compiles another function."""


def documents(folder: Path) -> list[Path]:
    """Documents that together use every kernel: sparse and dense inputs, losses and norms."""
    norms = {"norm": "mean", "learn": ["current_decay", "voltage_decay"], "per_channel": True}
    found = [
        write_task(folder / "pairs", pairs=5, dropout=0.2, epochs=2, validation_split=0.4),
        write_classify_task(folder / "labels", training={"epochs": 2}),
        change(write_task(folder / "wide", epochs=2), layers={0: {"units": 300}}),
        change(
            write_task(folder / "normed", epochs=2),
            neuron=norms,
            layers={0: {"quantization": None}},
            loss={"filter_steps": 5},
        ),
        change(
            write_classify_task(folder / "window", training={"epochs": 2}),
            loss={"type": "spike_rate", "window_steps": 3, "reduction": "mean"},
            classifier={"type": "moving_window", "window_steps": 6},
        ),
    ]
    weights = change(write_task(folder / "active", epochs=2), neuron={"threshold": 0.02})
    return [*found, weights]


def change(path: Path, layers: Any = None, neuron: Any = None, **sections: Any) -> Path:
    """Changes layers by number, the neuron, and sections of a document."""
    document = json.loads(path.read_text())
    for number, values in (layers or {}).items():
        document["layers"][number] |= values
    document["neurons"]["cuba"] |= neuron or {}
    for name, values in sections.items():
        document[name] = document.get(name, {}) | values
    path.write_text(json.dumps(document))
    return path


def run(script: str, folder: Path, *arguments: str | Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=os.environ | environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_training_uses_no_kernel_that_is_not_compiled_before(tmp_path: Path) -> None:
    out = run(COMPARED, tmp_path, *documents(tmp_path))
    assert out.splitlines()[-2:] == ["missing: []", "later: []"], out


@slow
def test_a_cold_cache_is_filled_before_the_first_epoch(tmp_path: Path) -> None:
    task, cold = write_task(tmp_path / "task", pairs=5, validation_split=0.4), tmp_path / "cache"
    out = run(COLD, tmp_path, task, tmp_path / "run", NUMBA_CACHE_DIR=str(cold))
    lines = out.splitlines()
    first = lines.index("epoch")
    assert "compile" in lines[:first]
    assert "compile" not in lines[first:]
    assert any(line.startswith("compiled ") for line in lines[:first]), out
    kernels = {path: path.stat().st_mtime_ns for path in cold.rglob("*.nb?")}
    out = run(COLD, tmp_path, task, tmp_path / "again", NUMBA_CACHE_DIR=str(cold))
    assert "compil" not in out
    command = [sys.executable, "-m", "netdesc", "doctor", "--json"]
    doctor = subprocess.run(
        command, env=os.environ | {"NUMBA_CACHE_DIR": str(cold)}, capture_output=True, check=False
    )
    (row,) = (row for row in json.loads(doctor.stdout)["rows"] if row["topic"] == "engine cpu")
    assert row["state"] == "ok"
    assert row["found"].startswith("all ")
    assert {path: path.stat().st_mtime_ns for path in cold.rglob("*.nb?")} == kernels


def test_a_signal_stops_compilation_and_leaves_the_compiler_usable(tmp_path: Path) -> None:
    out = run(STOPPED, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert out.splitlines()[-2:] == ["stopped True", "result 2"], out
    assert not list((tmp_path / "cache").rglob("complete-*"))
