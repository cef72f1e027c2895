"""A whole run takes little more memory than the activity of its batch, on few threads or many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netdesc.events import Event, from_dense, read_events, write_events

STEPS, SAMPLES, NEURONS = 1000, 24, 256

GROWTH = """
import sys, tempfile
from pathlib import Path
import torch
from netdesc import load
from netdesc.bench.peers.memory import host_growth
from netdesc.kernels.cpu.buffers import give_back
from netdesc.training import train

def run():
    with tempfile.TemporaryDirectory() as folder:
        description = load(sys.argv[2], sys.argv[3:])
        train(description, run_dir=Path(folder) / "run", progress="quiet")

torch.set_num_threads(int(sys.argv[1]))  # each holds what it works on
for _ in range(2):
    run()  # loads kernels and libraries, compiles what is not there yet, and frees what that took
give_back()
print(host_growth(run))
"""


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize(
    ("samples", "sets", "threads"),
    [
        (SAMPLES, (), 2),
        (SAMPLES // 2, ("training.validation_split=0.5",), 2),
        (SAMPLES // 3, (f"training.batch_size={SAMPLES // 3}", "training.validation_split=0.5"), 2),
        (SAMPLES, (), 16),
    ],
    ids=["one batch", "validation", "batches and validation", "many threads"],
)
def test_a_run_takes_two_and_a_half_tensors_of_its_activity_at_most(
    samples: int, sets: tuple[str, ...], threads: int, labelled: bool, tmp_path: Path
) -> None:
    """Data, weights, optimizer, checkpoints and what the report needs included.

    ``samples`` are those of a batch.
    """
    grown = _growth(threads, _document(tmp_path, labelled), *sets)
    assert grown < 2.5 * 4 * STEPS * samples * NEURONS


@pytest.mark.parametrize(
    ("name", "threads", "sets"),
    [
        ("oxford", 2, ("training.epochs=400",)),
        ("oxford_slayer", 2, ("training.epochs=400",)),
        ("oxford_slayer", 8, ("training.epochs=30",)),
        ("oxford_slayer", 16, ("training.epochs=30",)),
        ("oxford_slayer", 16, ("training.epochs=12", "loss.time_constant_ms=5")),
        ("oxford_slayer", 8, ("training.epochs=12", 'neurons.cuba.norm="mean"')),
    ],
)
def test_nor_does_a_network_of_but_a_few_hundred_neurons_and_one_sample(
    name: str, threads: int, sets: tuple[str, ...]
) -> None:
    """Here weights, pictures and metrics are as large as what a step needs."""
    document = Path(__file__).parent.parent / f"examples/{name}.json"
    assert _growth(threads, document, *sets) < 2.5 * 4 * 1900 * (256 + 200)


@pytest.mark.parametrize(
    ("wired", "units", "labelled", "sets"),
    [
        ({"a": None, "b": None, "sum": ["a", "b"]}, 2 * NEURONS, True, ()),
        ({"a": None, "sum": ["a", "input"]}, NEURONS, False, ('neurons.cuba.norm="mean"',)),
        (
            {"a": None, "view": ["input", "a"], "b": "view", "sum": ["a", "view", "b"]},
            2 * NEURONS,
            False,
            ("training.batch_size=8", "training.validation_split=0.5"),
        ),
        ({"a": None, "b": None, "c": "a", "d": "b", "end": "b"}, 4 * NEURONS, False, ()),
        (
            {
                "a": None,
                "a2": "a",
                "a3": ["a", "a2"],
                "a4": "a3",
                "a5": ["a3", "a4"],
                "a6": "a5",
                "a7": ["a5", "a6"],
            },
            NEURONS,
            False,
            (),
        ),
    ],
    ids=["a sum", "one layer and the input", "sums of sums", "unread", "one layer eight times"],
)
def test_nor_does_a_network_that_ends_with_a_sum_or_has_unread_layers(
    wired: dict[str, Any], units: int, labelled: bool, sets: tuple[str, ...], tmp_path: Path
) -> None:
    """By labels through a window."""
    path = _document(tmp_path, labelled)
    document = json.loads(path.read_text())
    document["layers"] = _layers(document, wired)
    if labelled:
        document["loss"]["window_steps"] = 20
    path.write_text(json.dumps(document))
    samples = 8 if sets and "batch" in sets[0] else SAMPLES
    assert _growth(2, path, *sets) < 2.5 * 4 * STEPS * samples * units


@pytest.mark.parametrize(
    ("wired", "of_target"),
    [({"a": None}, True), ({"a": None, "sum": ["a", "input"]}, False)],
    ids=["target and input", "an input that is part of the output"],
)
def test_nor_does_one_whose_spikes_are_counted(
    wired: dict[str, Any], of_target: bool, tmp_path: Path
) -> None:
    """Up to three in a cell, and a hundred in one."""
    path = _document(tmp_path, labelled=False)
    document = json.loads(path.read_text())
    document["layers"] = _layers(document, wired)
    counted = {"input": range(SAMPLES), "target": [SAMPLES] if of_target else []}
    for name, files in counted.items():
        for number in files:
            _count_spikes(tmp_path / f"{number}.bs1")
        for pair in document["data"]["train"] if files else []:
            pair[name]["duplicates"] = "sum"
    path.write_text(json.dumps(document))
    assert _growth(2, path) < 2.5 * 4 * STEPS * SAMPLES * NEURONS


def _layers(document: dict[str, Any], wired: dict[str, Any]) -> list[dict[str, Any]]:
    """The one layer of the document again and again, by names of one letter, and views."""
    (dense,) = document["layers"]
    return [
        (dense if len(name) == 1 else {"type": "flatten"})
        | {"name": name}
        | ({} if read is None else {"from": read})
        for name, read in wired.items()
    ]


def _count_spikes(path: Path) -> None:
    event = read_events(path)
    times = np.random.default_rng(0).integers(1, 4, len(event))
    times[7] = 100
    again = np.repeat(np.arange(len(event)), times)
    write_events(path, Event(event.x[again], None, event.p[again], event.t[again]))


def _growth(threads: int, document: Path, *sets: str) -> int:
    """Bytes of a run."""
    said = subprocess.run(
        [sys.executable, "-c", GROWTH, str(threads), str(document), *sets],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_NUM_THREADS": str(threads)},
    ).stdout.split()[-1]
    if said == "None":
        pytest.skip("this system does not tell")
    return int(said)


def _document(folder: Path, labelled: bool) -> Path:
    """One layer, all samples in one batch."""
    rng = np.random.default_rng(0)
    for name in range(SAMPLES + 1):
        spikes_TN = (rng.random((STEPS, NEURONS)) < 0.02).astype(np.float32)
        write_events(folder / f"{name}.bs1", from_dense(spikes_TN, 1.0))
    target = {"path": f"{SAMPLES}.bs1"}
    pairs: list[dict[str, Any]] = [
        {"input": {"path": f"{k}.bs1"}, **({"label": k} if labelled else {"target": target})}
        for k in range(SAMPLES)
    ]
    neuron = {"type": "cuba", "threshold": 0.5, "current_decay": 0.5, "voltage_decay": 0.3}
    content = {
        "format": 1,
        "name": "memory",
        "time": {"steps": STEPS},
        "data": {"type": "spike_files", "train": pairs},
        "input": {"shape": [NEURONS]},
        "neurons": {"cuba": neuron},
        "layers": [{"name": "layer", "type": "dense", "units": NEURONS, "neuron": "cuba"}],
        "loss": {"type": "spike_rate"}
        if labelled
        else {"type": "spike_time", "time_constant_ms": 2},
        "training": {
            "epochs": 4,
            "optimizer": {"type": "adam", "learning_rate": 0.001},
        },
    }
    path = folder / "memory.json"
    path.write_text(json.dumps(content))
    return path
