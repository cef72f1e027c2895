"""Scales of initial weights: found on the layer itself, the same every time, of any unit."""

from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.networks import any_neuron, networks

from netdesc.api.load import load
from netdesc.graph import build_graph
from netdesc.kernels.engines import use_engine
from netdesc.modules import Network, build
from netdesc.modules.initial_scale import (
    MAX_EXPONENT,
    MIN_EXPONENT,
    RECURRENT_SHARE,
    TARGET_LEVEL,
    TARGET_RATE,
    FoundScale,
    assumed_input,
    find_scales,
)

CUBA = {"type": "cuba", "threshold": 1.0, "current_decay": 0.5, "voltage_decay": 0.1}


def document(*layers: dict[str, Any], steps: int = 30, inputs: int = 20) -> dict[str, Any]:
    named = [{"type": "dense", "neuron": CUBA, "name": f"l{k}"} | x for k, x in enumerate(layers)]
    return {
        "format": 1,
        "name": "scales",
        "time": {"steps": steps},
        "input": {"shape": [inputs]},
        "layers": named,
        "loss": {"type": "spike_rate"},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.01}},
    }


def search(content: dict[str, Any], rate: float = 1.0) -> tuple[dict[str, FoundScale], Network]:
    """Returns what is found with random spikes, ``rate`` times those that are assumed."""
    graph = build_graph(load(content).document)
    network, input_TBN = build(graph, seed=0), assumed_input(graph, 0)
    kept = torch.rand(input_TBN.shape, generator=torch.Generator().manual_seed(1)) < rate
    return find_scales(network, input_TBN * kept), network


@st.composite
def dense_networks(draw: st.DrawFn) -> dict[str, Any]:
    """Networks of spiking neurons that forget slowly enough to spike."""
    neuron = {
        "type": draw(st.sampled_from(("cuba", "lif"))),
        "threshold": draw(st.sampled_from((0.25, 1.0, 3.0))),
        "current_decay": draw(st.floats(0.2, 1.0)),
        "voltage_decay": draw(st.floats(0.02, 0.3)),
    }
    if neuron["type"] == "lif":
        del neuron["current_decay"]
    sizes = draw(st.lists(st.integers(10, 40), min_size=1, max_size=3))
    return document(*({"units": size, "neuron": neuron} for size in sizes))


@given(dense_networks())
@settings(max_examples=5, deadline=None)
def test_neurons_are_active_in_every_layer(content: dict[str, Any]) -> None:
    found, network = search(content)
    again, _ = search(content)
    assert found == again
    assert list(found) == [layer.name for layer in network.graph.layers]
    for each in found.values():
        assert TARGET_RATE / 3 < each.activity < 3 * TARGET_RATE


@given(networks(any_neuron()))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_search_ends_for_any_network(content: dict[str, Any]) -> None:
    layers = [{k: v for k, v in each.items() if k != "weight_scale"} for each in content["layers"]]
    content = content | {"layers": layers}
    for each in search(content)[0].values():
        for scale in each.scales.values():
            assert 2 ** (MIN_EXPONENT / 4) * 0.99 <= scale <= 2 ** (MAX_EXPONENT / 4)
            assert scale == float(f"{scale:.3g}")


def test_scales_are_in_proportion_to_thresholds_and_to_the_rarity_of_spikes() -> None:
    (one,) = search(document({"units": 40}))[0].values()
    (four,) = search(document({"units": 40, "neuron": CUBA | {"threshold": 4.0}}))[0].values()
    (rare,) = search(document({"units": 40}), rate=0.3)[0].values()
    assert 3 < four.scales["weight_scale"] / one.scales["weight_scale"] < 5.5
    assert rare.scales["weight_scale"] > one.scales["weight_scale"]


def test_values_have_a_deviation_of_one() -> None:
    readout = {"units": 10, "neuron": {"type": "integrator", "voltage_decay": 0.1}}
    changes = {"units": 30, "neuron": {"type": "sigma_delta", "threshold": 0.05}}
    for layers in ([{"units": 40}, readout], [changes, readout]):
        found = list(search(document(*layers))[0].values())
        graded = found if layers[0] is changes else found[1:]
        assert all(TARGET_LEVEL <= each.activity < 1.6 * TARGET_LEVEL for each in graded)


def test_neurons_get_a_share_from_one_another() -> None:
    content = document({"type": "recurrent", "units": 40})
    _, network = search(content)
    block = network.layers["l0"]
    signal = assumed_input(network.graph, 0)
    with use_engine("reference"):
        from_input = block.arrive(signal)[0][0].std()
        from_neurons = (block(signal) @ block.recurrent.weights()[0].T).std()
    assert RECURRENT_SHARE / 2 < from_neurons / from_input < RECURRENT_SHARE * 2


def test_stated_scales_stay() -> None:
    layer = {"type": "recurrent", "units": 20, "weight_scale": 2.5}
    found, _ = search(document(layer, {"units": 4, "weight_scale": 1}))
    assert {name: set(each.scales) for name, each in found.items()} == {
        "l0": {"recurrent_weight_scale"}
    }


def test_layers_that_no_scale_makes_active_keep_the_scale_of_one() -> None:
    deaf = {"units": 5, "neuron": CUBA | {"threshold": 1000.0, "voltage_decay": 1.0}}
    found, _ = search(document(deaf, {"units": 3}))
    assert [each.scales["weight_scale"] for each in found.values()] == [1, 1]
    assert [each.activity for each in found.values()] == [0, 0]


def test_the_input_matters_to_neurons_that_fire_by_themselves() -> None:
    """Activity is what the input changes, so that weights do not become 0."""
    layer = {"type": "winner_take_all", "units": 20, "winners": 3}
    (found,) = search(document(layer))[0].values()
    assert found.activity >= TARGET_RATE / 3
    assert found.zeros < 0.5
