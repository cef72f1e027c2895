"""``netdesc bench neurons``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support import bench_peers
from support.cli_process import Netdesc
from support.grids import grid

from netdesc.bench import tables
from netdesc.bench.layer import LayerSize
from netdesc.bench.neurons import NEURON_NAMES, compare_neurons
from netdesc.bench.programs import Interpreters

SMALL = LayerSize(inputs=24, neurons=8, steps=20, batch=2, rate=0.2)


@pytest.mark.parametrize("name", grid(NEURON_NAMES, ["cuba"]))
def test_neurons_are_timed_alone_and_in_a_layer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench_peers.package(tmp_path, "snntorch", bench_peers.SNNTORCH)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = compare_neurons([name], SMALL, ("snntorch",), Interpreters.parse([]), repeats=2)
    (neuron,) = found.neurons
    has_learnt = name not in ("delta", "sigma_delta")
    assert list(neuron.passes) == ["forward", "backward", *["learnt"] * has_learnt, "layer"]
    assert all(each.median_ms > 0 for each in neuron.passes.values())
    (peer,) = neuron.peers
    if name == "cuba":
        assert neuron.passes["forward"].spike_rate > 0
        assert neuron.passes["forward"].what == "cuba neurons"
        assert peer.ratio == pytest.approx(peer.median_ms / neuron.passes["layer"].median_ms)


def test_the_command_prints_a_table_or_one_object(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The results of all programs, also of netdesc, are fake, so that nothing is measured."""
    result = {
        "status": "done", "what": "a fake layer", "versions": {"python": "3.11"},
        "device": "cpu", "threads": 1, "seconds": [0.25, 0.5, 0.75], "spike_rate": 0.04,
        "peak_bytes": 4000, "path": "events",
    }  # fmt: skip
    answers = {count: "\n".join([json.dumps(result)] * count) for count in (1, 3, 4)}
    python = bench_peers.interpreter(tmp_path / "python", "")
    by_count = f"import sys\nprint({answers!r}[len(sys.argv) - 3])\n"
    python.write_text(f"#!{sys.executable}\n{by_count}", encoding="utf-8")
    monkeypatch.setattr(sys, "executable", str(python))
    command = ("bench", "neurons", "alif", "delta", "--steps", "9", "--batch", "2")
    peers = ("--against", "norse,snntorch", "--peer-python", python)
    outcome = netdesc(*command, *peers, "--json")
    assert outcome.code == 0
    found = {each["neuron"]: each for each in outcome.record["neurons"]}
    assert list(found) == ["cuba", "alif", "delta"]
    statuses = [[peer["status"] for peer in each["peers"]] for each in found.values()]
    assert statuses == [["done", "done"], ["done", "missing"], ["missing", "missing"]]
    shown = netdesc(*command, *peers, "--quiet").out
    assert shown.splitlines()[0].split() == " ".join(tables.NEURONS).split()
    assert shown.count("500.00 (1.00)") == 4 + 4 + 3 + 3
    assert 'snntorch, alif: missing: it has no neuron like "alif"' in shown


def test_unknown_neurons_are_named(netdesc: Netdesc) -> None:
    outcome = netdesc("bench", "neurons", "izhikevich")
    assert outcome.code == 2
    assert 'unknown neuron "izhikevich"; known are cuba, lif, ' in outcome.err
