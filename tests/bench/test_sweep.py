"""``netdesc bench sweep``, and how memory is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.cli_process import Netdesc

from netdesc.bench import facts, sweep
from netdesc.bench.layer import LayerSize
from netdesc.bench.peers import memory
from netdesc.bench.peers.work import Work
from netdesc.bench.programs import Answer


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[LayerSize]:
    """Fakes the measurement: 1 ns per step, sample and neuron. Returns the measured sizes."""
    measured: list[LayerSize] = []

    def run_itself(*works: Work) -> list[Answer]:
        return [answer(work) for work in works]

    def answer(work: Work) -> Answer:
        steps, batch, inputs = work.spikes["input"].shape
        neurons = len(work.numbers["weight"])
        measured.append(LayerSize(inputs, neurons, steps, batch))
        result = {
            "what": "a fake layer",
            "versions": {"netdesc": "0.1.0"},
            "device": "cpu",
            "threads": 2,
            "seconds": [1e-9 * steps * batch * neurons] * work.settings["repeats"],
            "spike_rate": 0.04,
            "peak_bytes": 8 * steps * batch * neurons,
            "path": "events",
        }
        return Answer("netdesc", "done", "", result)

    monkeypatch.setattr(sweep, "run_itself", run_itself)
    monkeypatch.setattr(
        sweep, "BASE", LayerSize(inputs=40, neurons=20, steps=30, batch=2, rate=0.1)
    )
    axes = {"steps": (10, 30), "batch": (1, 2, 3), "neurons": (20, 40), "rate": (0.1, 0.5)}
    monkeypatch.setattr(sweep, "AXES", axes)
    return measured


def test_each_axis_is_printed(netdesc: Netdesc, quick: list[LayerSize]) -> None:
    outcome = netdesc("bench", "sweep")
    assert outcome.code == 0
    for axis in ("steps", "batch", "neurons", "rate"):
        (heading,) = (line for line in outcome.out.splitlines() if line.split()[:1] == [axis])
        assert heading.split()[-1] == "memory"
        assert f"measuring {axis} from " in outcome.err
    assert "events" in outcome.out
    assert len(quick) == 9


def test_an_interruption_does_not_lose_measured_axes(
    netdesc: Netdesc, quick: list[LayerSize], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = sweep.run_itself

    def interrupted(*works: Work) -> list[Answer]:
        if quick:
            raise KeyboardInterrupt
        return measure(*works)

    monkeypatch.setattr(sweep, "run_itself", interrupted)
    outcome = netdesc("bench", "sweep")
    assert outcome.code == 130
    heads = [line.split()[0] for line in outcome.out.splitlines() if "median ms" in line]
    assert heads == ["steps"]


def test_the_record(netdesc: Netdesc, quick: list[LayerSize]) -> None:
    record = netdesc("bench", "sweep", "--json").record
    assert {axis: len(points) for axis, points in record["axes"].items()} == {
        "steps": 2, "batch": 3, "neurons": 2, "rate": 2
    }  # fmt: skip
    for points in record["axes"].values():
        for point in points:
            assert point["ns_per_value"] == pytest.approx(1.0)
            assert (point["figures"]["peak_units"], point["figures"]["path"]) == (2, "events")
            # a value has inputs · rate events
            events = 40 * point["size"]["rate"]
            assert point["ns_per_event"] == pytest.approx(1 / events, rel=0.3)


def test_memory_is_what_the_work_touches() -> None:
    held = np.ones(1 << 21)
    grown = memory.host_peak_bytes(lambda: np.ones(1 << 22).sum())
    if grown is None:
        pytest.skip("this system does not tell")
    assert grown < 1.5 * 32 * (1 << 20) + held.nbytes
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # an earlier peak may hide some of it
    assert grown == pytest.approx(32 * (1 << 20), rel=0.2)
    assert memory.host_peak_bytes(lambda: None) < 1 << 20


def test_the_name_of_the_processor(tmp_path: Path) -> None:
    source = tmp_path / "cpuinfo"
    source.write_text("processor\t: 0\nmodel name\t: Fast 1000\n\nmodel name\t: Fast 1000\n")
    assert facts.processor(source) == "Fast 1000"
    assert facts.processor(tmp_path / "none")
