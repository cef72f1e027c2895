"""``netdesc bench sweep``, and how memory is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_process import Netdesc

from netdesc.bench import facts, sweep, tables
from netdesc.bench.facts import processor
from netdesc.bench.layer import Size
from netdesc.bench.peers import memory
from netdesc.bench.peers.work import Work
from netdesc.bench.programs import Answer


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Size]]:
    """Points take no time: 1 ns for each step, sample and neuron. Returns the sizes by step."""
    measured: dict[str, list[Size]] = {"training": [], "loop": []}

    def run_itself(*works: Work) -> list[Answer]:
        return [answer(work) for work in works]

    def answer(work: Work) -> Answer:
        steps, batch, inputs = work.spikes["input"].shape
        neurons = len(work.numbers["weight_OI"])
        step = work.settings["loss"]
        measured[step].append(Size(inputs, neurons, steps, batch))
        result = {
            "what": "a made-up layer",
            "versions": {"netdesc": "0.1.0"},
            "device": "cpu",
            "threads": 2,
            "seconds": [1e-9 * steps * batch * neurons] * work.settings["repeats"],
            "spike_rate": 0.04,
            "peak_bytes": {"training": 8, "loop": 16}[step] * steps * batch * neurons,
            "path": "events",
            "input_sha256": "",
        }
        return Answer("netdesc", "done", "", result)

    monkeypatch.setattr(sweep, "run_itself", run_itself)
    monkeypatch.setattr(sweep, "BASE", Size(inputs=40, neurons=20, steps=30, batch=2, rate=0.1))
    axes = {"steps": (10, 30), "batch": (1, 2, 3), "neurons": (20, 40), "rate": (0.1, 0.5)}
    monkeypatch.setattr(sweep, "AXES", axes)
    return measured


def test_each_axis_is_printed(netdesc: Netdesc, quick: dict[str, list[Size]]) -> None:
    outcome = netdesc("bench", "sweep")
    assert outcome.code == 0
    for axis in ("steps", "batch", "neurons", "rate"):
        assert any(line.split()[:1] == [axis] for line in outcome.out.splitlines())
        assert f"measuring {axis} from " in outcome.err
    assert "events" in outcome.out
    # The base point once, and what differs from it.
    assert [len(sizes) for sizes in quick.values()] == [6, 6]
    assert quick["training"] == quick["loop"]


def test_what_is_measured_is_not_lost(
    netdesc: Netdesc, quick: dict[str, list[Size]], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = sweep.run_itself

    def interrupted(*works: Work) -> list[Answer]:
        if quick["training"]:
            raise KeyboardInterrupt
        return measure(*works)

    monkeypatch.setattr(sweep, "run_itself", interrupted)
    outcome = netdesc("bench", "sweep")
    assert outcome.code == 130
    heads = [line.split()[0] for line in outcome.out.splitlines() if "median ms" in line]
    assert heads == ["steps"]


def test_the_record(netdesc: Netdesc, quick: dict[str, list[Size]]) -> None:
    record = netdesc("bench", "sweep", "--json").record
    assert {axis: len(points) for axis, points in record["axes"].items()} == {
        "steps": 2, "batch": 3, "neurons": 2, "rate": 2
    }  # fmt: skip
    for points in record["axes"].values():
        for point in points:
            size = point["size"]
            assert point["ns_per_value"] == pytest.approx(1.0)
            assert (point["peak_units"], point["loop_units"]) == (2, 4)
            rows = size["steps"] * size["batch"]
            assert point["gradient_units"] == pytest.approx(size["inputs"] / rows)
            assert point["path"] == "events"
            # a value has inputs · rate events
            assert point["ns_per_event"] == pytest.approx(1 / (40 * size["rate"]), rel=0.3)


def test_the_axes_are_those_promised() -> None:
    axes = dict(sweep.sizes())
    ends = {axis: (getattr(each[0], axis), getattr(each[-1], axis)) for axis, each in axes.items()}
    assert ends["steps"] == (100, 10_000)
    assert ends["batch"] == (1, 128)
    assert ends["neurons"] == (64, 8192)
    assert ends["rate"] == (0.001, 0.5)
    assert all(sweep.BASE in sizes for sizes in axes.values())


def test_memory_is_what_is_touched_beyond_what_was_held() -> None:
    held = np.ones(1 << 21)
    grown = memory.host_growth(lambda: np.ones(1 << 22).sum())
    if grown is None:
        pytest.skip("this system does not tell")
    assert grown < 1.5 * 32 * (1 << 20) + held.nbytes
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # an earlier peak may hide some of it
    assert grown == pytest.approx(32 * (1 << 20), rel=0.2)
    assert memory.host_growth(lambda: None) < 1 << 20


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Fast 1000\n\nmodel name\t: Fast 1000\n")
    assert processor(told) == "Fast 1000"
    assert processor(tmp_path / "none")


def test_what_others_compute_meanwhile_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle and waiting time is free; that of guests is in that of users already."""
    told = tmp_path / "stat"

    def later(_: float) -> None:
        told.write_text("cpu  160 10 30 1000 45 0 5 10 60 0\ncpu0 1 2 3\n")

    monkeypatch.setattr(facts.time, "sleep", later)
    told.write_text("cpu  100 10 10 900 40 0 0 0 0 0\n")
    share = facts.busy_share(told)
    assert share == pytest.approx(95 / 200)
    place: dict[str, object] = {"cpu": "Fast", "cores": 2, "system": "Linux"}
    assert len([*tables.machine_lines(place | {"busy_before": 0.05})]) == 1
    assert (
        "took 48% of the processors" in [*tables.machine_lines(place | {"busy_before": share})][1]
    )
    told.write_text("cpu  170 10 30 950 60 0 5 10\n")
    assert facts.busy_share(told) == 0.0  # less waiting than before
    for unknown in ("cpu 1 x 3 4 5", "intr 1 2 3 4 5", "cpu 1 2"):
        told.write_text(unknown)
        assert facts.busy_share(told) is None
    assert facts.busy_share(tmp_path / "none") is None
    assert [*tables.machine_lines(place | {"busy_before": None})] == ["Fast, 2 cores, Linux"]


def test_what_the_host_gave_to_others_is_told(tmp_path: Path) -> None:
    told = tmp_path / "stat"
    told.write_text("cpu  100 10 10 900 40 0 0 7 60 0\n")
    before = facts.ticks(told)
    told.write_text("cpu  160 10 30 1000 45 0 5 17 90 0\n")
    assert facts.stolen_share(before, told) == pytest.approx(10 / 200)
    assert facts.stolen_share(facts.ticks(told), told) is None  # no time has passed
    told.write_text("cpu  160 10 30 1000 45\n")
    assert facts.stolen_share(before, told) is None
    assert facts.stolen_share(None, told) is None
    assert facts.stolen_share(before, tmp_path / "none") is None
