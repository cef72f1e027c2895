"""The integer run gives the spikes of the device's definition and of the float network."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchange_samples import dense, document, model_of
from support.grids import grid
from support.integer_run import run_on_device
from support.neuron_definitions import CUBA, example_fields

import netdesc
from netdesc.description import Document
from netdesc.graph import INPUT, Graph, SynapticNode, build_graph
from netdesc.hardware import HardwareError, IntegerNetwork, layer_integers, synaptic_sums
from netdesc.hardware import layers as runs
from netdesc.hardware.integer_neurons import IntegerNeurons
from netdesc.neurons.models import NEURONS

pytestmark = pytest.mark.usefixtures("reference_engine")

TOP = 1 << 23


class Cuba(NamedTuple):
    """A layer of CUBA neurons in the device's integers."""

    weight: np.ndarray
    current_decay: np.ndarray
    voltage_decay: np.ndarray
    threshold: int
    bias: np.ndarray | None = None
    mean: np.ndarray | None = None

    @property
    def total_bias(self) -> np.ndarray | None:
        """The learnt bias less the mean of the norm."""
        parts = (self.bias, None if self.mean is None else -self.mean)
        known = [each for each in parts if each is not None]
        return np.clip(sum(known), -256, 256) if known else None


def graph_of(shape: list[int], layers: list[dict[str, Any]]) -> Graph:
    return build_graph(Document.model_validate_json(json.dumps(document(shape, layers))))


def weights_of(integers: Mapping[str, Cuba]) -> dict[str, np.ndarray]:
    """Float parameters that convert to these integers. Thresholds are part of the document."""
    weights: dict[str, np.ndarray] = {}
    for name, layer in integers.items():
        state = f"layers.{name}"
        weights[f"{state}.synapse.weight"] = np.float32(layer.weight / 64)
        weights[f"{state}.neuron.current_decay"] = np.float32(layer.current_decay / 4096)
        weights[f"{state}.neuron.voltage_decay"] = np.float32(layer.voltage_decay / 4096)
        if layer.bias is not None:
            weights[f"{state}.neuron.bias"] = np.float32(layer.bias / 64)
        if layer.mean is not None:
            weights[f"{state}.neuron.norm.running_mean"] = np.float32(layer.mean / 64)
    return weights


def run_layer(layer: Cuba, delay: int, input_TN: np.ndarray) -> tuple[np.ndarray, IntegerNeurons]:
    """Returns the spikes of one layer, delayed, and its neurons."""
    parameters = {
        "threshold": np.array(layer.threshold / 64),
        "current_decay": layer.current_decay / 4096,
        "voltage_decay": layer.voltage_decay / 4096,
        "bias": np.zeros(1) if layer.total_bias is None else layer.total_bias / 64,
    }
    spikes_TN, neurons = run_on_device(CUBA, parameters, [64 * input_TN @ layer.weight.T])
    return np.pad(spikes_TN, ((delay, 0), (0, 0)))[: len(input_TN)], neurons


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Cuba], list[int]]:
    """Layers that read any earlier layers of one size, their integers, and the input's shape."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([[6], [2, 3]]))
    layers: list[dict[str, Any]] = []
    if len(shape) > 1 or draw(st.booleans()):
        layers.append({"name": "flat", "type": "flatten"})
    sizes = dict.fromkeys(([INPUT] if len(shape) == 1 else []) + [x["name"] for x in layers], 6)
    integers: dict[str, Cuba] = {}
    for index in range(draw(st.integers(1, 4))):
        inputs = draw(st.sampled_from(sorted(set(sizes.values()))))
        known = st.sampled_from([name for name, size in sizes.items() if size == inputs])
        reads = draw(st.lists(known, min_size=1, max_size=3))
        units, name = draw(st.sampled_from([1, 4, 6])), f"l{index}"
        decay_shape = (units,) if units > 1 and draw(st.booleans()) else ()
        has_bias, has_norm = draw(st.booleans()), draw(st.booleans())
        threshold = draw(st.integers(1, 400))
        neuron = {"threshold": threshold / 64, "norm": "mean" if has_norm else None}
        own = {"neuron": neuron, "axonal_delay_step": draw(st.booleans()), "bias": has_bias}
        layers.append(dense(name, units, **own, **{"from": reads}))
        integers[name] = Cuba(
            weight=2 * random.integers(-128, 128, (units, inputs)),
            current_decay=random.integers(0, 4097, decay_shape) // random.choice([1, 4096]),
            voltage_decay=random.integers(0, 4097, decay_shape),
            threshold=threshold,
            bias=random.integers(-256, 257, units) if has_bias else None,
            mean=2 * random.integers(-128, 128, units) if has_norm else None,
        )
        sizes[name] = units
    return layers, integers, shape


@settings(max_examples=60, deadline=None)
@given(
    networks(), st.integers(0, 99), st.sampled_from([1, 3, 900, TOP]), st.booleans(), st.booleans()
)
def test_every_layer_follows_its_definition(
    network: tuple[list[dict[str, Any]], dict[str, Cuba], list[int]],
    seed: int,
    largest: int,
    is_exact_in_float: bool,
    is_compiled: bool,
) -> None:
    layers, integers, shape = network
    graph, weights = graph_of(shape, layers), weights_of(integers)
    random = np.random.default_rng(seed)
    input_TN = random.integers(0, largest + 1, (30, 6)) * (random.random((30, 6)) < 0.4)
    expected, counts = {INPUT: input_TN}, []
    for layer in graph.layers:
        total = sum(expected[name].astype(np.int64) for name in layer.inputs)
        if isinstance(layer, SynapticNode):
            known = integers[layer.name]
            found = layer_integers(layer, weights)
            assert np.array_equal(found.weights, [known.weight])
            assert np.array_equal(found.bias, known.total_bias)
            for field, values in found.parameters.items():
                np.testing.assert_array_equal(values, getattr(known, field))
            delay = int(layer.section.axonal_delay_step)
            expected[layer.name], neurons = run_layer(known, delay, total)
            spikes = int(expected[layer.name].sum())
            counts.append((layer.name, spikes, neurons.exceeded))
        else:
            expected[layer.name] = total
    exact = synaptic_sums.MAX_EXACT_FLOAT64 * is_exact_in_float
    with (
        mock.patch.object(synaptic_sums, "MAX_EXACT_FLOAT64", exact),
        mock.patch.object(runs, "runs_compiled", return_value=is_compiled),
    ):
        network = IntegerNetwork(graph, weights)
        output_TN = network.run_all(input_TN)
    np.testing.assert_array_equal(output_TN, expected[graph.layers[-1].name])
    assert [(c.layer, c.spikes, c.exceeded) for c in network.counts] == counts


ALIF = {"threshold": 0.4, "current_decay": 0.25, "voltage_decay": 0.03, "threshold_decay": 0.1}
ALIF |= {"threshold_step": 0.1, "refractory_decay": 0.4, "norm": "mean"}
RF = {"threshold": 0.6, "period": [5.0, 20.0], "decay": 0.03, "per_channel": True}
ADRF = RF | {"threshold_step": 0.2, "threshold_decay": 0.1, "refractory_decay": 0.4}
OWN = {
    "step": ["v = decay(v, leak) + min(x, 2 * top)", "w = scaled(w, 0.5) + abs(v)"],
    "spike": "v > top and w > 0.25",
    "reset": ["v = v - top"],
    "parameters": {
        "leak": {"kind": "decay", "value": [0.01, 0.2]},
        "top": {"kind": "grid", "value": 0.3},
    },
    "per_channel": True,
    "surrogate": {"peak": 1.0},
}
NEURON_KINDS: dict[str, dict[str, Any]] = {
    "cuba": {"threshold": 0.4, "current_decay": 0.3, "voltage_decay": 0.1},
    "lif": {"threshold": 0.4, "voltage_decay": [0.0, 0.1], "per_channel": True},
    "alif": ALIF,
    "rf": RF,
    "rf_iz": RF | {"graded": True},
    "adrf": ADRF,
    "adrf_iz": ADRF,
    "delta": {"threshold": 0.1},
    "sigma_delta": {"threshold": 0.01, "norm": "mean"},
    "integrator": {"current_decay": 0.3, "voltage_decay": 0.1},
    "equations": OWN,
}
"""Type -> other fields of a neuron, in place of those of its example."""


RECURRENT = {"type": "recurrent", "recurrent_weight_scale": 0.5}
WINNERS = {"type": "winner_take_all", "winners": 2}
LEAKY_READOUT = {"name": "a", "units": 6, "neuron": {"type": "integrator", "voltage_decay": 0.8}}
SUM = {"type": "integrator", "fine_units": True}


def layers_of(kind: str) -> list[dict[str, Any]]:
    neuron = {"type": kind, **(NEURON_KINDS.get(kind) or example_fields(kind))}
    scale = 0.1 if kind == "sigma_delta" else 1.0  # so that no sum reaches 32
    more = {"type": "dense", "units": 7, "neuron": neuron, "weight_scale": scale}
    return [{"name": "a", **more}, {"name": "b", **more}]


@pytest.mark.parametrize(
    "layers",
    [
        *map(layers_of, NEURONS),
        [dense("a", 12) | RECURRENT, dense("b", 5) | RECURRENT],
        [dense("a", 9) | RECURRENT | {"axonal_delay_step": False}, dense("b", 7) | WINNERS],
        [layers_of("rf")[0] | RECURRENT, layers_of("lif")[1] | WINNERS],
        [LEAKY_READOUT | RECURRENT, dense("b", 5)],
        [layers_of("sigma_delta")[0], dense("b", 5) | {"neuron": SUM}],
        [dense("a", 12), dense("b", 5)],
        [dense("a", 12, weight_norm=True), dense("b", 5, weight_scale=3.0)],
        [dense("a", 12, neuron={"norm": "mean"}), dense("b", 5, bias=True)],
        [dense("a", 12, neuron={"norm": "mean"}, bias=True), dense("b", 5, weight_scale=3.0)],
        [dense("a", 12, neuron={"per_channel": True, "current_decay": [0.1, 0.9]})],
        [dense("a", 12), dense("b", 5) | {"neuron": None, "bias": True}],
        [
            dense("a", 20, axonal_delay_step=False),
            dense("b", 20, **{"from": ["a", "flat", "a"]}),
            {"name": "sum", "type": "flatten", "from": ["a", "b"]},
        ],
    ],
)
def test_the_output_is_that_of_the_float_network(layers: list) -> None:
    layers = [{"name": "flat", "type": "flatten"}, *layers]
    model = model_of(document([2, 10], layers, time={"steps": 300}))
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "gain", "bias")):
            value += 0.1 * torch.randn(value.shape, generator=generator)
    model.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    input_TBN = (torch.rand(300, 1, 2, 10, generator=generator) < 0.2).float()
    with torch.no_grad():
        expected = model(input_TBN)[:, 0].numpy()
    output_TN = netdesc.run_integer(model, input_TBN[:, 0].numpy())
    assert np.count_nonzero(output_TN) > 50
    np.testing.assert_array_equal(output_TN, expected)
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


SCALED = {"norm": "mean_variance"}


@pytest.mark.parametrize("exponent", grid([-1, 0, 2], [2]))
@pytest.mark.parametrize("is_coarse", [True, False])
@pytest.mark.parametrize("kind", ["cuba", "lif", "alif", "integrator", "sigma_delta"])
def test_scales_are_folded_alike(tmp_path: Path, kind: str, is_coarse: bool, exponent: int) -> None:
    """Evaluation, the integer run and the file agree. Files hold coarse weights."""
    layers = layers_of(kind)
    for layer in layers:
        level = {"threshold": 0.5} if kind == "alif" else {}  # half of it is on the grid
        layer["neuron"] |= SCALED | level
        layer["bias"] = not is_coarse or exponent == 2
    steps = 40 if kind in ("integrator", "sigma_delta") else 400  # so that no sum leaves 24 bits
    model = model_of(document([10], layers, time={"steps": steps})).eval()
    random = torch.Generator().manual_seed(1)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.fill_(4.0 ** (exponent - 0.25))
        elif name.endswith(("running_mean", "bias")):
            value.copy_(torch.randint(-3, 2, value.shape, generator=random) / 8)
        elif is_coarse and name.endswith("weight"):
            value.copy_(torch.randint(-3, 4, value.shape, generator=random) / 8)
    input_TBN = (torch.rand(steps, 1, 10, generator=random) < 0.2).float()
    with torch.no_grad():
        expected_TN = model(input_TBN)[:, 0].numpy()
    assert np.count_nonzero(expected_TN) > 5
    input_TN = input_TBN[:, 0].numpy()
    np.testing.assert_array_equal(netdesc.run_integer(model, input_TN), expected_TN)
    path = tmp_path / "a.net"
    if is_coarse:
        netdesc.export_net(model, path)
        imported = netdesc.compile(netdesc.import_net(path)).model.eval()
        for output_TN in (netdesc.run_integer(path, input_TN), imported(input_TBN)[:, 0].detach()):
            np.testing.assert_array_equal(output_TN, expected_TN)


def test_a_file_runs_without_torch(tmp_path: Path) -> None:
    model = model_of(document([2, 3], [{"name": "f", "type": "flatten"}, dense("a", 4)]))
    netdesc.export_net(model, tmp_path / "a.net")
    input_TN = np.random.default_rng(0).integers(0, 9, (600, 6))  # more than a chunk
    np.save(tmp_path / "in.npy", input_TN)
    code = (
        "import sys, numpy, netdesc; spikes = netdesc.run_integer('a.net', numpy.load('in.npy'));"
        "result = netdesc.run('a.net', 'in.npy', 'integer');"
        "assert (result.spikes_TN == spikes).all();"
        "assert result.layers[-1].spikes == spikes.sum();"
        "assert not {'torch', 'numba'} & {*sys.modules}; numpy.save('out.npy', spikes)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    spikes_TN = np.load(tmp_path / "out.npy")
    assert spikes_TN.dtype == np.bool_
    assert spikes_TN.any()
    np.testing.assert_array_equal(spikes_TN, netdesc.run_integer(model, input_TN))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((4, 2)), r"has shape \[4, 2\]; \[steps, 1\] is needed"),
        (np.zeros(4), r"has shape \[4\]"),
        (np.array([[0.0], [0.3]]), "step 1, neuron 0 is 0.3"),
        (np.array([[np.nan]]), "step 0, neuron 0 is nan"),
        (np.array([[1e12]]), "spikes are whole numbers up to"),
        (np.array([["a"]]), "not spikes"),
    ],
)
def test_inputs_that_do_not_fit(values: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        netdesc.run_integer(model_of(document([1], [dense("a", 1)])), values)


def test_a_network_that_is_compiled_first() -> None:
    content = document([1], [dense("a", 1)])
    del content["data"]
    for network in (content, netdesc.compile(content)):
        with pytest.raises(TypeError, match=r"netdesc\.compile\(…\)\.model"):
            netdesc.run_integer(network, np.zeros((3, 1)))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantization": None}, "has weights that are not quantised"),
        (
            {"neuron": {"type": "equations", "step": ["v = norm(x)"], "output": "v"} | SCALED},
            'has equations with the norm "mean_variance"',
        ),
    ],
)
def test_networks_that_do_not_fit(changes: dict[str, Any], words: str) -> None:
    model = model_of(document([1], [dense("a", 1) | changes]))
    with pytest.raises(HardwareError, match=f'layer "a" {words}'):
        netdesc.run_integer(model, np.zeros((3, 1)))
