"""Chunks, resets and Lava's timing of the integer run."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchange_samples import dense, document, model_of
from support.networks import any_neuron, networks
from support.neuron_definitions import example_fields

from netdesc.description import Document
from netdesc.graph import build_graph
from netdesc.hardware import HardwareError, IntegerNetwork, Resets

pytestmark = pytest.mark.usefixtures("reference_engine")


def network_of(content: dict[str, Any], seed: int) -> tuple[Any, Any]:
    """Returns a graph, and weights with biases and delays that differ."""
    model = model_of(content, seed)
    random = np.random.default_rng(seed)
    weights = model.folded_state()
    for name, value in weights.items():
        if name.endswith(("bias", "running_mean")):
            weights[name] = np.float32(random.integers(-40, 60, value.shape) / 64)
        elif name.endswith("delay"):
            weights[name] = np.float32(random.integers(0, 4, value.shape))
    return model.graph, weights


@settings(max_examples=40, deadline=None)
@given(networks(any_neuron()), st.integers(0, 999), st.data())
def test_any_chunks_equal_one_run(content: dict[str, Any], seed: int, data: st.DataObject) -> None:
    graph, weights = network_of(content, seed)
    resets = Resets(data.draw(st.none() | st.integers(1, 7)))
    timings = ["training", "lava"] if graph.decimation == 1 else ["training"]
    timing = data.draw(st.sampled_from(timings))
    random = np.random.default_rng(seed)
    quarters_TN = random.integers(1, 9, (20, *graph.input_shape)) / 4
    input_TN = quarters_TN * (random.random(quarters_TN.shape) < 0.4)
    try:
        whole = IntegerNetwork(graph, weights, timing, resets)
    except HardwareError:
        return
    output_TN, network = whole.run_all(input_TN), IntegerNetwork(graph, weights, timing, resets)
    cuts = sorted(data.draw(st.lists(st.integers(0, 20), max_size=5)))
    pieces = [network.run(piece_TN) for piece_TN in np.split(input_TN, cuts)]
    pieces.append(network.finish()[graph.layers[-1].name])
    np.testing.assert_array_equal(np.concatenate(pieces), output_TN)
    assert network.counts == whole.counts


def spiking_layers(random: np.random.Generator, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """One to four layers with biases, each with the fields of one of ``more``."""
    kinds = [{}, *more]
    return [
        dense(f"l{at}", 8, bias=True, weight_scale=3.0) | kinds[random.integers(len(kinds))]
        for at in range(random.integers(1, 5))
    ]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999))
def test_biases_act_one_step_early_in_lavas_timing(seed: int) -> None:
    """Networks of spikes are equal to Lava with one silent step in front that is taken off."""
    random = np.random.default_rng(seed)
    layers = spiking_layers(random, {"type": "recurrent"}, {"neuron": example_fields("alif")})
    graph, weights = network_of(document([6], layers), seed)
    input_TN = random.random((40, 6)) < 0.3
    found_TN = IntegerNetwork(graph, weights, "lava").run_all(input_TN)
    padded_TN = np.pad(input_TN, ((1, 0), (0, 0)))
    expected_TN = IntegerNetwork(graph, weights).run_all(padded_TN)[1:]
    np.testing.assert_array_equal(found_TN, expected_TN)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999))
def test_timings_are_equal_without_biases(seed: int) -> None:
    random = np.random.default_rng(seed)
    delays = {"learn": True, "initial_steps": [0, 3]}
    kinds = {"delay": delays}, {"delay": {"steps": 2}}, {"axonal_delay_step": False}
    layers = [each | {"bias": False} for each in spiking_layers(random, *kinds)]
    graph, weights = network_of(document([6], layers), seed)
    input_TN = random.random((40, 6)) < 0.4
    found = [
        IntegerNetwork(graph, weights, timing).run_all(input_TN) for timing in ("training", "lava")
    ]
    np.testing.assert_array_equal(*found)
    assert found[0].any() or len(layers) > 2


def test_the_spikes_of_a_bias_alone() -> None:
    """A neuron with bias 2 and threshold 9 of a silent input fires in steps 4, 9 and 14 on Lava."""
    neuron = {"type": "cuba", "threshold": 9 / 64, "current_decay": 1.0, "voltage_decay": 0.0}
    layer = dense("a", 1, neuron=neuron, bias=True, axonal_delay_step=False)
    graph, weights = network_of(document([1], [layer]), 0)
    weights["layers.a.neuron.bias"] = np.float32([2 / 64])
    for timing, steps in (("training", [4, 9, 14]), ("lava", [3, 8, 13])):
        output_TN = IntegerNetwork(graph, weights, timing).run_all(np.zeros((15, 1)))
        assert np.flatnonzero(output_TN).tolist() == steps


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.booleans(), st.sampled_from(["training", "lava"]))
def test_a_reset_separates_samples(seed: int, has_input_neurons: bool, timing: Any) -> None:
    """Each sample gives what it gives behind a sample of any other kind."""
    random = np.random.default_rng(seed)
    layers = spiking_layers(random)
    if has_input_neurons:
        first = {"name": "in", "type": "neurons", "weight": 1.0, "bias": 0.1}
        layers.insert(0, {**first, "neuron": layers[0]["neuron"], "axonal_delay_step": False})
    graph, weights = network_of(document([8], layers), seed)
    late = sum(layer.delay for layer in graph.neuron_layers)
    before_TN, sample_TN = random.random((2, 12, 8)) < 0.3
    found = [
        IntegerNetwork(graph, weights, timing, Resets(12)).run_all(np.concatenate(parts))
        for parts in ([before_TN, sample_TN, before_TN], [sample_TN, sample_TN, sample_TN])
    ]
    np.testing.assert_array_equal(*(each[12 + late : 24 + late] for each in found))


def test_another_offset_is_another_reset() -> None:
    """The offset that is derived is 1; another one resets so many steps later."""
    graph, weights = network_of(document([6], [dense("a", 4), dense("b", 3)]), 1)
    input_TN = np.random.default_rng(0).random((60, 6)) < 0.3
    derived, given, other = (
        IntegerNetwork(graph, weights, "training", Resets(10, offset)).run_all(input_TN)
        for offset in (None, 1, 4)
    )
    np.testing.assert_array_equal(derived, given)
    assert (derived != other).any()


def test_what_no_clock_has() -> None:
    with pytest.raises(ValueError, match="interval is 0"):
        Resets(0)
    with pytest.raises(ValueError, match="needs a reset interval"):
        Resets(None, 3)
    content = document(
        [4], [{"name": "slow", "type": "time_decimation", "factor": 2}, dense("a", 2)]
    )
    graph = build_graph(Document.model_validate_json(json.dumps(content)))
    with pytest.raises(HardwareError, match='layer "slow" averages steps'):
        IntegerNetwork(graph, {}, "lava")
    unknown: Any = "loihi"
    with pytest.raises(ValueError, match="known are training, lava"):
        IntegerNetwork(graph, {}, unknown)
