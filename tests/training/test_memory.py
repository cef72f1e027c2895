"""The memory of a run: how much it needs, and what the heap keeps."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.cli_process import Netdesc
from support.exchange_samples import dense
from support.exchange_samples import document as sample_document

from netdesc import load, machine
from netdesc.description import Description
from netdesc.events import from_dense, write_events
from netdesc.graph import build_graph
from netdesc.graph.memory import estimate_memory, format_bytes
from netdesc.training.device import MemoryShortageError, require_memory

STEPS, SAMPLES, NEURONS = 800, 24, 256

TRAIN = """
import sys
from netdesc import load
from netdesc.training.setup import TrainingOptions
from netdesc.training.train import train

train(load(sys.argv[1]), TrainingOptions(sys.argv[2], progress="quiet"))
# Not ru_maxrss, which a process inherits from the one that starts it.
assert "torch._dynamo" not in sys.modules, "it would dominate the time of a short run"
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(int(peak.split()[1]) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_run_needs_what_was_estimated(tmp_path: Path) -> None:
    """The limit is 1.5 times that. Only memory that grows with the samples is counted."""
    less, more = (_peak_and_estimate(tmp_path / str(k), k) for k in (SAMPLES // 4, SAMPLES))
    assert more[0] - less[0] < 1.5 * (more[1] - less[1])


def _peak_and_estimate(folder: Path, samples: int) -> tuple[int, int]:
    path = _document(folder, samples)
    command = [sys.executable, "-c", TRAIN, path, folder / "run"]
    peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    content = load(path).document
    estimate = estimate_memory(build_graph(content), content.training, samples)
    return int(peak), estimate.in_training


def _document(folder: Path, samples: int) -> Path:
    """One layer, all samples in one batch."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in range(samples):
        spikes_TN = (rng.random((STEPS, NEURONS)) < 0.02).astype(np.float32)
        write_events(folder / f"{name}.bs1", from_dense(spikes_TN, 1.0))
    pairs = [{"input": {"path": f"{k}.bs1"}, "label": k} for k in range(samples)]
    neuron = {"threshold": 0.5, "voltage_decay": 0.3}
    content = sample_document(
        [NEURONS],
        [dense("layer", NEURONS, neuron=neuron, weight_scale=4)],
        time={"steps": STEPS},
        data={"type": "spike_files", "train": pairs},
        loss={"type": "spike_rate"},
    )
    path = folder / "memory.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return _document(tmp_path / "task", samples=2)


def test_a_run_that_cannot_fit_is_refused_before_its_folder_is_made(
    netdesc: Netdesc, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(1 << 30, 5_000_000))
    run = tmp_path / "run"
    ended = netdesc("train", document, "--run-dir", run)
    content = load(document).document
    needed = estimate_memory(build_graph(content), content.training, samples=2)
    assert ended.code == 3
    for part in (format_bytes(needed.in_training), "5 MB", '"layer"', "--ignore-memory"):
        assert part in ended.err
    assert not run.exists()
    assert netdesc("train", document, "--run-dir", run, "--ignore-memory").code == 0


def _require_memory(description: Description) -> None:
    document = description.document
    require_memory(build_graph(document), document.training, 2, torch.device("cpu"))


@pytest.mark.parametrize("memory", [machine.Memory(None, None), machine.Memory(1 << 40, None)])
def test_training_starts_where_the_free_memory_is_unknown(
    memory: machine.Memory, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: memory)
    _require_memory(load(document))


def test_gigantic_networks_are_refused_at_once(document: Path) -> None:
    gigantic = load(document, ["time.steps=1000000", "layers.layer.units=1000000"])
    with pytest.raises(MemoryShortageError):
        _require_memory(gigantic)


def test_shards_need_the_activity_of_a_part_of_a_batch(document: Path) -> None:
    def estimate(shards: int, *more: int) -> tuple[int, int]:
        changes = {"training.shards": shards, "training.batch_size": 8}
        content = load(document, changes, with_files=False).document
        layers = estimate_memory(build_graph(content), content.training, 80, *more).layers
        return layers["input"].activity, layers["layer"].activity

    inputs, activity = estimate(1)
    assert estimate(4) == (inputs, activity // 4)
    assert estimate(4, 2) == (inputs // 2, activity // 4)


PROGRAM = """
import resource
import torch
from netdesc.training.device import keep_freed_memory

def page_faults(size):
    torch.ones(size)  # larger than any threshold of the C library
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with keep_freed_memory():
    inside = page_faults(1 << 24)
print([inside, page_faults(1 << 25)])  # a hole of the first size may stay
"""
"""A program of its own, because tests may run in another thread than the first one."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library alone has settings")
def test_memory_is_taken_from_the_system_again_only_outside_the_block() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    inside, outside = json.loads(ended.stdout)
    assert 4 * inside < outside
