"""``netdesc bench oxford``, alone and with slayer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import bench_peers
from support.cli_process import Netdesc
from support.training_task import write_task


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
    assert all(loss > 0 for loss in slayer["first_losses"])
    assert len(slayer["spike_rates"]) == 2
    assert record["peak_bytes"] > 0
    assert slayer["peak_bytes"] is not None


def test_oxford_names_slayer_if_it_is_missing(netdesc: Netdesc, tmp_path: Path) -> None:
    python = bench_peers.interpreter(tmp_path / "python", '{"status": "missing"}')
    few = ("--epochs", "10", "--peer-python", python)
    outcome = netdesc("bench", "oxford", *few, "--against", "lava-dl")
    assert outcome.code == 0
    for part in "event lists", "forward", "backward", "loss", "optimizer":
        assert f"\n{part}  " in outcome.out
    assert "10 epochs; best loss " in outcome.out
    assert re.search(r"peak memory of the run: about [\d.]+ MB", outcome.out)
    assert f"lava-dl: missing: not installed for {python}" in outcome.out


def test_oxford_is_compared_only_with_slayer_and_unchanged(netdesc: Netdesc) -> None:
    refused = netdesc("bench", "oxford", "--against", "norse")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "norse cannot be measured with this task; lava-dl can" in refused.err
    assert "known are lava-dl, or all" in netdesc("bench", "oxford", "--against", "bindsnet").err
    missing = netdesc("bench", "oxford", "mine.json")
    assert missing.code == 3
    assert "training" not in missing.err
    assert netdesc("bench", "oxford", "mine.json", "--against", "lava-dl").code == 2


def test_a_run_that_ends_early_cannot_be_timed(netdesc: Netdesc, tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", early_stopping={"patience_epochs": 1})
    outcome = netdesc("bench", "oxford", task, "--epochs", "500", "-q")
    assert outcome.code == 3
    (line,) = outcome.err.splitlines()
    assert re.fullmatch(r"error: only \d+ of 521 epochs could be timed: done after .*", line)
