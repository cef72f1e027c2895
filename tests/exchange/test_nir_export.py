"""NIR files hold what was trained, are read by the package nir, and say what they cannot hold."""

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.cli_process import Netdesc
from support.exchange_samples import dense, document, model_of
from support.networks import any_neuron, networks
from support.neuron_definitions import example_fields

import netdesc
from netdesc.description.source import NETWORK_SUFFIXES
from netdesc.exchange.errors import NetFileError
from netdesc.exchange.export_options import ExportOptions, Sample
from netdesc.exchange.formats import FORMATS, read_network
from netdesc.exchange.nir.euler import run_euler
from netdesc.exchange.nir.nir_export import nir_of, write_nir
from netdesc.exchange.nir.nir_reader import read_graph
from netdesc.exchange.nir.nir_record import DT, NirGraph, NirNode
from netdesc.exchange.nir.peers import count_differences
from netdesc.hardware import IntegerNetwork
from netdesc.modules import Network

RNG = np.random.default_rng(3)
LIF = {"type": "lif", "threshold": 0.4, "voltage_decay": 0.25}


def trained(description: dict[str, Any]) -> Network:
    """A model whose biases, delays and means are not 0."""
    model, chance = model_of(description), torch.Generator().manual_seed(1)
    scales = {"bias": 2.0, "axonal.delay": 3.0, "running_mean": 0.5, "running_var": 2.0}
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            for end, scale in scales.items():
                if name.endswith(end):
                    tensor.copy_(torch.rand(tensor.shape, generator=chance) * scale)
    return model


def same_values(first: NirNode, second: NirNode) -> bool:
    return first.type == second.type and all(
        np.array_equal(np.ravel(value), np.ravel(second.fields[name]))
        for name, value in first.fields.items()
    )


@settings(max_examples=10)
@given(networks(any_neuron(("cuba", "lif", "integrator"))), st.booleans())
def test_the_package_nir_reads_what_is_written_and_a_reimport_is_the_same_network(
    tmp_path_factory: pytest.TempPathFactory, description: dict[str, Any], force: bool
) -> None:
    first, view, *_ = description["layers"]
    # The import joins such delays to the layer before, or makes a layer of them, and scales a
    # readout whose weights the norm takes off the grid.
    assume(view["type"] != "delay" and (first["neuron"] or not first.get("delay")))
    assume((first["neuron"] or {}).get("norm") != "mean_variance")
    model, path = trained(description), tmp_path_factory.mktemp("nir") / "net.nir"
    options = ExportOptions(force=force)
    try:
        written, _, _ = nir_of(model, path, options)
    except NetFileError as error:
        assert error.problem.startswith("layer "), error  # noqa: PT017  (most networks are written)
        return
    write_nir(model, path, options)
    theirs = nir.read(path)
    assert set(theirs.nodes) == set(written.nodes)
    assert sorted(theirs.edges) == sorted(written.edges)
    read = read_graph(path)
    assert all(same_values(node, read.nodes[name]) for name, node in written.nodes.items())
    imported = read_network(path)
    again, _, _ = nir_of(netdesc.compile(imported).model, path, options)
    assert sorted(again.edges) == sorted(written.edges)
    for name, node in written.nodes.items():
        assert same_values(node, again.nodes[name]), name


@pytest.mark.parametrize("neuron", [
    {"type": "lif", "threshold": 0.4, "voltage_decay": 0.0},
    {"type": "lif", "threshold": 0.4, "voltage_decay": 1.0},
    {"type": "cuba", "threshold": 0.9, "current_decay": 1.0, "voltage_decay": 0.0},
    {"type": "cuba", "threshold": 60.0, "current_decay": 0.0, "voltage_decay": 0.0},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("target", [None, "spikingjelly"])
def test_spikes_are_equal_if_no_product_is_cut(neuron: dict[str, Any], target: str | None) -> None:
    layers = [dense("a", 30), dense("b", 20)]
    layers = [layer | {"neuron": neuron, "weight_scale": 3.0} for layer in layers]
    model = trained(document([25], layers))
    input_TN = (RNG.random((80, 25)) < 0.3).astype(np.float32)
    output_TN = IntegerNetwork(model.graph, model.folded_state()).run_all(input_TN)
    graph, _, early = nir_of(model, "a.nir", ExportOptions(target=target))
    sample = Sample("random", input_TN, output_TN)
    fires_at = ">" if target is None else ">="
    assert early == 2
    assert count_differences(graph, sample, early, fires_at) == (0, output_TN.sum(), "spikes")
    assert output_TN.sum() > 20


def test_an_euler_run_computes_the_equations_step_by_step() -> None:
    one, size = np.ones(1), np.array([1])
    nodes = {
        "input": NirNode("Input", {"shape": size}),
        "w": NirNode("Affine", {"weight": 2 * np.ones((1, 1)), "bias": -one}),
        "n": NirNode("CubaLIF", {
            "tau_syn": 2 * one, "tau_mem": 4 * one, "w_in": 2 * one, "r": 4 * one,
            "v_leak": 0.4 * one, "v_threshold": 1.0 * one, "v_reset": 0.25 * one,
        }),
        "back": NirNode("Linear", {"weight": -one.reshape(1, 1)}),
        "late": NirNode("Delay", {"delay": 2 * one}),
        "output": NirNode("Output", {"shape": size}),
    }  # fmt: skip
    edges = [("input", "w"), ("w", "n"), ("n", "back"), ("back", "n"), ("n", "late")]
    graph = NirGraph(nodes, [*edges, ("late", "output")])
    fired, current, voltage, expected = 0.0, 0.0, 0.0, [0.0, 0.0]
    for value in (1, 1, 0, 1, 1, 1, 0, 1, 1):
        current += 0.5 * (2 * (2 * value - 1 - fired) - current)
        voltage += 0.25 * (0.4 - voltage + 4 * current)
        fired = float(voltage > 1)
        voltage = 0.25 if fired else voltage
        expected.append(fired)
    input_TN = np.array([[1], [1], [0], [1], [1], [1], [0], [1], [1]])
    output_TN = run_euler(graph, input_TN, 1.0, ">")
    assert output_TN[:, 0].tolist() == expected[:9]
    assert 0 < sum(expected) < 9


@pytest.mark.parametrize(("node", "outputs"), [
    (NirNode("LIF", {"tau": 4.0, "r": 1.0, "v_leak": 0.0, "v_threshold": 0.5, "v_reset": 0.0}),
     {">": [0, 0, 1, 0], ">=": [0, 1, 0, 1]}),
    (NirNode("IF", {"r": 1.0, "v_threshold": 2.0, "v_reset": 0.0}),
     {">": [0, 0, 1, 0], ">=": [0, 1, 0, 1]}),
], ids=["LIF", "IF"])  # fmt: skip
def test_a_neuron_at_its_threshold_fires_or_not(node: NirNode, outputs: dict[Any, Any]) -> None:
    fields = {name: np.full(1, value) for name, value in node.fields.items()}
    ends = {name: NirNode(name.title(), {"shape": np.array([1])}) for name in ("input", "output")}
    graph = NirGraph(ends | {"n": NirNode(node.type, fields)}, [("input", "n"), ("n", "output")])
    drive = {"LIF": [1.0, 1.25, 1.0, 1.25], "IF": [1.0] * 4}[node.type]  # LIF: v = 1/4, then 1/2
    for fires_at, expected in outputs.items():
        output_TN = run_euler(graph, np.array(drive)[:, None], 1.0, fires_at)
        assert output_TN[:, 0].tolist() == expected


CONV = {"type": "conv", "channels": 2, "kernel": [3, 2]}
REFUSED = {
    "alif": dense("x", 4, neuron=example_fields("alif")),
    "subtract": dense("x", 4) | {"neuron": LIF | {"reset": "subtract"}},
    "graded": dense("x", 4, neuron={"graded": True}),
    "kernel": CONV | {"name": "x", "neuron": LIF},
    "max_pool": {"name": "x", "type": "max_pool", "kernel": 2},
    "reshape": {"name": "x", "type": "reshape", "shape": [2, 1, 8]},
    "winner_take_all": dense("x", 4) | {"type": "winner_take_all", "winners": 1},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_nir_cannot_say_is_refused_by_layer(tmp_path: Path, name: str) -> None:
    is_image = REFUSED[name]["type"] in ("conv", "max_pool", "reshape")
    model = model_of(document([1, 4, 4] if is_image else [16], [REFUSED[name]]))
    path = tmp_path / "a.nir"
    with pytest.raises(NetFileError, match=r'layer "x".*ND406'):
        write_nir(model, path)
    assert not path.exists()
    if name == "subtract":
        (warning,) = write_nir(model, path, ExportOptions(force=True))
        assert 'layer "x"' in warning
        metadata = json.loads(str(read_graph(path).metadata["netdesc"]))
        assert metadata["layers"][0]["reset"] == "subtract"
    else:
        with pytest.raises(NetFileError, match="ND406"):
            write_nir(model, path, ExportOptions(force=True))


def test_paths_of_different_lengths_are_aligned() -> None:
    layers = [
        dense("a", 6), dense("b", 6), dense("c", 6) | {"from": "a"},
        dense("d", 4) | {"from": ["a", "b", "c"]},
    ]  # fmt: skip
    layers[2]["axonal_delay_step"] = False
    for layer in layers:
        layer |= {"neuron": LIF | {"voltage_decay": 0.0}, "weight_scale": 4.0}
    model = trained(document([25], layers))
    graph, warnings, early = nir_of(model, "a.nir")
    delays = [node.fields["delay"] for node in graph.nodes.values() if node.type == "Delay"]
    assert early == 2
    assert len(warnings) == len(delays) == 1
    assert np.allclose(delays[0], DT)
    input_TN = (RNG.random((80, 25)) < 0.3).astype(np.float32)
    output_TN = IntegerNetwork(model.graph, model.folded_state()).run_all(input_TN)
    assert count_differences(graph, Sample("", input_TN, output_TN), early, ">")[0] == 0
    assert output_TN.any()


def test_files_for_a_tool_have_what_the_tool_needs(tmp_path: Path) -> None:
    model, nodes = model_of(document([16], [dense("x", 4) | {"neuron": LIF}])), {}
    for target in FORMATS[".nir"].targets:
        notes: list[str] = []
        write_nir(model, tmp_path / "a.nir", ExportOptions(target=target, note=notes.append))
        assert target in notes[-1].lower()
        nodes[target] = nir.read(tmp_path / "a.nir").nodes
    shifted, level = (nodes[name]["x_lif"].v_threshold[0] for name in ("spikingjelly", "norse"))
    assert shifted - level == 2**-13
    assert isinstance(nodes["sinabs"]["x_w"], nir.Affine)
    assert isinstance(nodes["sinabs"]["x_lif"], nir.LIF)
    assert nodes["spyx"]["x_lif"].tau_mem[0] == 4
    with pytest.raises(NetFileError, match='layer "x"'):
        nir_of(model_of(document([16], [dense("x", 4)])), "b.nir", ExportOptions(target="sinabs"))


def test_spikes_that_differ_are_counted(netdesc: Netdesc) -> None:
    layers = [dense("x", 4) | {"neuron": LIF | {"voltage_decay": 0.0}, "weight_scale": 4.0}]
    Path("a.json").write_text(json.dumps(document([16], layers, data=None)))
    arguments = ["export", "a.json", "-o", "a.nir", "--json"]
    notes = json.loads(netdesc(*arguments).out)["notes"]
    counts = [note for note in notes if "spikes differ" in note]
    assert len(counts) == 3
    assert sum(": 0 of " in note for note in counts) >= 2
    for wrong in (["--for", "norse", "-o", "a.net"], ["--for", "nonsense"], ["-o", "a.txt"]):
        assert netdesc(*arguments, *wrong).code == 2


def test_documents_and_formats_know_the_same_files() -> None:
    assert {suffix for suffix, each in FORMATS.items() if each.read} == set(NETWORK_SUFFIXES)
