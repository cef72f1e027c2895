"""``netdesc bench neurons``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support import bench_peers
from support.cli_process import Netdesc
from support.grids import grid

from netdesc.bench import tables
from netdesc.bench.layer import LayerSize
from netdesc.bench.neurons import NEURON_NAMES, compare_neurons
from netdesc.bench.programs import parse_interpreters

SMALL = LayerSize(inputs=24, neurons=8, steps=20, batch=2, rate=0.2)


@pytest.mark.parametrize("name", grid(NEURON_NAMES, []))
def test_neurons_are_timed_alone_and_in_a_layer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench_peers.package(tmp_path, "snntorch", bench_peers.SNNTORCH)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = compare_neurons([name], SMALL, ("snntorch",), parse_interpreters([]), repeats=2)
    (neuron,) = found.neurons
    has_learnt = name not in ("delta", "sigma_delta")
    assert list(neuron.passes) == ["forward", "backward", *["learnt"] * has_learnt, "layer"]
    assert all(each.median_ms > 0 for each in neuron.passes.values())
    is_graded = name in ("delta", "sigma_delta", "integrator")
    assert all((each.spike_rate is None) == is_graded for each in neuron.passes.values())
    assert tables.neuron_rows(found)[-1][-1] == "" or not is_graded
    (peer,) = neuron.peers
    if name == "cuba":
        assert neuron.passes["forward"].spike_rate > 0
        assert neuron.passes["forward"].what == "cuba neurons"
        assert peer.ratio == pytest.approx(peer.median_ms / neuron.passes["layer"].median_ms)


def test_the_command_prints_a_table_or_one_object(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The results of all programs, also of netdesc, are fake, so that nothing is measured."""
    python = bench_peers.interpreter(tmp_path / "python", bench_peers.RESULT)
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
