"""The kernels that a document needs, and no others, are compiled before the first epoch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.classify_task import write_classify_task
from support.grids import slow
from support.training_task import write_task

from netdesc.api.compile import compile
from netdesc.api.load import load
from netdesc.training.kernel_compilation import needs_of

COMPARED = """
import sys
from netdesc.api.compile import compile
from netdesc.api.load import load
from netdesc.kernels.cpu import precompile
from netdesc.kernels.cpu.runtime.kernel_cache import kernels
from netdesc import train
from netdesc.training.kernel_compilation import needs_of

def signatures():
    return {name: set(kernel.signatures) for name, kernel in kernels().items()}

documents = [load(document) for document in sys.argv[1:]]
needs = set().union(*(needs_of(compile(each).model) for each in documents))
for need in needs:
    precompile.PARTS[need.part].call(*need.arguments)
before = signatures()
for number, document in enumerate(documents):
    train(document, run_dir=f"run{number}", progress="quiet")
after = signatures()
later = [name for name in after if after[name] != before.get(name, set())]
print("later:", later)
"""
"""Compiles what documents need in one process, trains them, and prints what was compiled later."""

COLD = """
import sys
from numba.core import event
from netdesc.api.load import load
from netdesc.training import loop
from netdesc import train
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
from netdesc.kernels.needs import Need
from netdesc.training.interrupt import StopRequest

compiled = []
def interrupt(done):
    compiled.append(done)
    if done == 0:
        signal.raise_signal(signal.SIGINT)

with StopRequest() as stop:
    try:
        precompile([Need("segment"), Need("linear")], interrupt, stop.check)
    except KeyboardInterrupt:
        print("stopped", max(compiled) <= 1)
print("result", numba.njit(lambda x: x + 1)(1))
"""
"""Presses Ctrl-C when compilation begins, and then compiles another function."""


def documents(folder: Path) -> list[Path]:
    """Documents with sparse and dense spikes, dropout, a window, and wide layers."""
    return [
        write_task(folder / "pairs", pairs=5, dropout=0.2, epochs=2, validation_split=0.4),
        change(write_task(folder / "wide", epochs=2), layers={0: {"units": 300}}),
        change(write_task(folder / "active", epochs=2), neuron={"threshold": 0.02}),
        windowed(folder / "window"),
    ]


def windowed(folder: Path) -> Path:
    return change(
        write_classify_task(folder, training={"epochs": 2}),
        loss={"type": "spike_rate", "window_steps": 3, "reduction": "mean"},
        classifier={"type": "moving_window", "window_steps": 6},
    )


def normed(folder: Path) -> Path:
    learnt = {"norm": "mean", "learn": ["current_decay"], "per_channel": True}
    layers, loss = {0: {"quantization": None}}, {"filter_steps": 5}
    return change(write_task(folder, epochs=2), neuron=learnt, layers=layers, loss=loss)


def resonating(folder: Path) -> Path:
    """Neurons with two inputs and learnt parameters that are derived, then a graded output."""
    path = write_task(folder, epochs=2)
    document = json.loads(path.read_text())
    resonators = {"type": "rf", "threshold": 0.1, "period": 8.0, "decay": 0.1, "learn": ["period"]}
    document["neurons"] |= {
        "rf": resonators,
        "sigma_delta": {"type": "sigma_delta", "threshold": 0.1},
    }
    middle = document["layers"][0] | {"name": "middle", "neuron": "sigma_delta"}
    document["layers"][0]["neuron"] = "rf"
    document["layers"].insert(1, middle)
    path.write_text(json.dumps(document))
    return path


def convolving(folder: Path) -> Path:
    """Two layers with a kernel before the last layer."""
    path = write_task(folder, epochs=2)
    document = json.loads(path.read_text())
    (size,) = document["input"]["shape"]
    document["input"]["shape"] = [2, 2, size // 4]
    first = {"name": "conv", "type": "conv", "channels": 3, "kernel": 2, "neuron": "cuba"}
    second = {"name": "up", "type": "upsample", "kernel": 2, "neuron": "cuba"}
    flat = {"name": "flat", "type": "flatten"}
    document["layers"] = [first, second, flat, document["layers"][-1]]
    path.write_text(json.dumps(document))
    return path


def recurring(folder: Path) -> Path:
    layers = {0: {"type": "recurrent"}, 1: {"type": "winner_take_all", "winners": 2}}
    return change(write_task(folder, epochs=2), layers=layers)


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


def parts(path: Path) -> set[tuple[str, int]]:
    """The parts that a document needs, and for how many neurons and filters each."""
    counts = Counter(need.part for need in needs_of(compile(load(path)).model))
    return set(counts.items())


def test_a_document_needs_its_own_kernels_only(tmp_path: Path) -> None:
    fused = {("threads", 1), ("segment", 1), ("forward", 1), ("forward_by_events", 1)}
    plain = fused | {("linear", 1), ("backward_of_layer", 1)}
    unfused = fused | {("linear", 1), ("linear_backward", 1), ("backward", 1)}
    assert parts(write_task(tmp_path / "pairs")) == plain | {("spike_time", 1)}
    assert parts(write_task(tmp_path / "dropped", dropout=0.2)) == unfused | {("spike_time", 1)}
    assert parts(windowed(tmp_path / "window")) == plain
    recurrent = {("forward_with_feedback", 1), ("backward_with_feedback", 1), ("threads", 1)}
    rest = {("linear", 1), ("linear_backward", 1), ("spike_time", 1)}
    assert parts(recurring(tmp_path / "recurring")) == recurrent | rest
    halves = {("forward", 3), ("backward", 2)}  # and outside training the whole
    rest = {("forward", 1), ("backward", 1)}
    assert parts(normed(tmp_path / "normed")) == (unfused - rest) | halves | {("spike_time", 1)}


def test_training_uses_no_kernel_that_is_not_compiled_before(tmp_path: Path) -> None:
    out = run(COMPARED, tmp_path, *documents(tmp_path))
    assert out.splitlines()[-1:] == ["later: []"], out


@slow
@pytest.mark.parametrize("write", [normed, resonating, convolving, recurring])
def test_training_other_networks_uses_no_kernel_that_is_not_compiled_before(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    out = run(COMPARED, tmp_path, write(tmp_path / "task"))
    assert out.splitlines()[-1:] == ["later: []"], out


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
    assert {path: path.stat().st_mtime_ns for path in cold.rglob("*.nb?")} == kernels


def test_a_signal_stops_compilation_and_leaves_the_compiler_usable(tmp_path: Path) -> None:
    out = run(STOPPED, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert out.splitlines()[-2:] == ["stopped True", "result 2"], out
    assert not list((tmp_path / "cache").rglob("complete-*"))
