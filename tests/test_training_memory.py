"""A run takes little more memory than what ``graph.memory`` counts, and follows the batch size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netdesc.description import load
from netdesc.events import from_dense, write_events
from netdesc.graph import build_graph
from netdesc.graph.memory import batch_memory, layer_memory

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


@pytest.mark.parametrize("threads", [2, 16])
@pytest.mark.parametrize("labelled", [False, True])
def test_a_run_takes_half_as_much_again_as_is_counted_at_most(
    labelled: bool, threads: int, tmp_path: Path
) -> None:
    """Data, optimizer, checkpoints and what the report needs included."""
    document = _document(tmp_path, labelled)
    graph = build_graph(load(document).document)
    (layer,) = graph.layers
    memory = layer_memory(graph, layer, SAMPLES, states=2)
    counted = memory.weights + memory.training + memory.activity + batch_memory(graph, SAMPLES)
    assert _growth(threads, document) < 1.5 * counted


def test_small_batches_take_less(tmp_path: Path) -> None:
    """Also where half of the samples are for validation, and come in batches, too."""
    document = _document(tmp_path, labelled=False)
    whole = _growth(2, document)
    sets = "training.batch_size=4", "training.validation_split=0.5"
    assert _growth(2, document, *sets) < whole / 3


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
