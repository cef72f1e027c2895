"""``netdesc bench oxford``, alone and with slayer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_peers
import pytest
from cli_process import Netdesc
from training_task import OUTPUTS, STEPS, write_task

from netdesc.bench import epochs
from netdesc.description import Description
from netdesc.training import Run


def test_oxford_with_slayer(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench_peers.package(tmp_path / "peers", "lava.lib.dl.slayer", bench_peers.SLAYER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "peers"))
    few = ("--epochs", "10", "--peer-epochs", "1")
    record = netdesc("bench", "oxford", *few, "--against", "lava-dl", "--json").record
    slayer = record["against"]["lava-dl"]
    assert slayer["status"] == "done"
    assert slayer["ratio"] == pytest.approx(
        slayer["epoch"]["median_ms"] / record["epoch"]["median_ms"]
    )
    own, others = slayer["first_losses"]
    assert own > 0
    assert others > 0
    assert len(slayer["spike_rates"]) == 2
    assert record["activity_bytes"] == 4 * 1900 * 456
    assert record["peak_bytes"] > record["activity_bytes"]  # voltages or gradients of each at least
    assert slayer["peak_bytes"] is not None


def test_oxford_names_slayer_where_it_is_missing(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("netdesc.bench.epochs.stolen_share", lambda before: 0.031)
    python = bench_peers.interpreter(tmp_path / "python", '{"status": "missing"}')
    few = ("--epochs", "10", "--peer-python", python)
    outcome = netdesc("bench", "oxford", *few, "--against", "lava-dl")
    assert outcome.code == 0
    for part in "forward", "loss filter", "adjoint and weights", "optimizer":
        assert f"\n{part} " in outcome.out
    assert "10 epochs; best loss " in outcome.out
    assert re.search(
        r"kernels: \d+\.\d+ MB, \d\.\d+ times the activity of a batch \(3\.47 MB\)", outcome.out
    )
    assert "the host gave 3.1% of the cores' time to others meanwhile\n" in outcome.out
    assert f"lava-dl: missing: not installed for {python}" in outcome.out


def test_oxford_is_measured_with_slayer_alone_and_as_it_is(netdesc: Netdesc) -> None:
    refused = netdesc("bench", "oxford", "--against", "norse")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "norse cannot be measured with this task; lava-dl can" in refused.err
    assert "known are lava-dl, or all" in netdesc("bench", "oxford", "--against", "bindsnet").err
    missing = netdesc("bench", "oxford", "mine.json")
    assert missing.code == 3
    assert "training" not in missing.err
    assert netdesc("bench", "oxford", "mine.json", "--against", "lava-dl").code == 2


def test_memory_is_that_of_a_run_whose_kernels_are_all_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A layer that comes to spike more takes another kernel in the middle of a run."""
    train, runs = epochs._train, list[tuple[int, bool]]()
    measuring: list[bool] = []

    def noted(description: Description, *arguments: Any) -> Run:
        runs.append((description.document.training.epochs, bool(measuring)))
        return train(description, *arguments)

    def growth(work: Callable[[], None]) -> int:
        measuring.append(True)
        work()
        measuring.clear()
        return 7

    monkeypatch.setattr(epochs, "_train", noted)
    monkeypatch.setattr(epochs, "growth_on", lambda device: growth)
    report = epochs.time_epochs(write_task(tmp_path / "task"), [], 10)
    assert (report.peak_bytes, report.activity_bytes) == (7, 4 * STEPS * (16 + OUTPUTS))
    timed = 10 + epochs.WARM_UP + 1
    assert runs == [(1, False), (timed, False), (timed, True)]


def test_a_run_that_ends_early_cannot_be_timed(netdesc: Netdesc, tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", early_stopping={"patience_epochs": 1})
    outcome = netdesc("bench", "oxford", task, "--epochs", "500", "-q")
    assert outcome.code == 3
    (line,) = outcome.err.splitlines()
    assert re.fullmatch(r"error: only \d+ of 521 epochs could be timed: done after .*", line)
