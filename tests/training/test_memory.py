"""A whole run needs about three float32 numbers for each neuron, step and sample of a batch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netdesc.events import from_dense, write_events

STEPS, SAMPLES, NEURONS = 1000, 24, 256

TRAIN = """
import resource, sys
from netdesc import load
from netdesc.training import train

train(load(sys.argv[1]), run_dir=sys.argv[2], progress="quiet")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the peak in kilobytes")
def test_a_run_needs_three_numbers_a_neuron_step_and_sample(tmp_path: Path) -> None:
    """The limit is 1.5 times that. Only memory that grows with the samples is counted."""
    few = SAMPLES // 4
    _, *peaks = (
        _peak_bytes(tmp_path / str(number), samples)
        for number, samples in enumerate((SAMPLES, few, SAMPLES))  # the first one compiles
    )
    assert peaks[1] - peaks[0] < 1.5 * 3 * 4 * STEPS * (SAMPLES - few) * NEURONS


def _peak_bytes(folder: Path, samples: int) -> int:
    command = [sys.executable, "-c", TRAIN, _document(folder, samples), folder / "run"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _document(folder: Path, samples: int) -> Path:
    """One layer, all samples in one batch."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in range(samples):
        spikes_TN = (rng.random((STEPS, NEURONS)) < 0.02).astype(np.float32)
        write_events(folder / f"{name}.bs1", from_dense(spikes_TN, 1.0))
    pairs = [{"input": {"path": f"{k}.bs1"}, "label": k} for k in range(samples)]
    neuron = {"type": "cuba", "threshold": 0.5, "current_decay": 0.5, "voltage_decay": 0.3}
    content = {
        "format": 1,
        "name": "memory",
        "time": {"steps": STEPS},
        "data": {"type": "spike_files", "train": pairs},
        "input": {"shape": [NEURONS]},
        "neurons": {"cuba": neuron},
        "layers": [{"name": "layer", "type": "dense", "units": NEURONS, "neuron": "cuba"}],
        "loss": {"type": "spike_rate"},
        "training": {"epochs": 4, "optimizer": {"type": "adam", "learning_rate": 0.001}},
    }
    path = folder / "memory.json"
    path.write_text(json.dumps(content))
    return path
