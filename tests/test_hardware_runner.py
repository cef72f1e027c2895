"""The integer runner computes what the device computes, and what training computed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from exchange_samples import dense, document, model_of, records
from hypothesis import given, settings
from hypothesis import strategies as st

from netdesc.events import read_events, to_dense
from netdesc.exchange import DenseLayer, FlattenLayer, InputLayer, NetFile, export_net, write_net
from netdesc.hardware import run_integer, simulate

TOP = 1 << 23


def toward_zero(product: int) -> int:
    return product // 4096 if product >= 0 else -(-product // 4096)


def by_the_book(layer: DenseLayer, input_TN: np.ndarray) -> tuple[np.ndarray, int, int]:
    """One layer as the definition has it, in Python's own integers, neuron by neuron."""
    steps = len(input_TN)
    spikes_TN = np.zeros((steps, layer.outputs), bool)
    wrapped = clipped = 0
    for n in range(layer.outputs):
        du = int(np.broadcast_to(layer.current_decay, layer.outputs)[n])
        dv = int(np.broadcast_to(layer.voltage_decay, layer.outputs)[n])
        bias = 64 * int(layer.bias[n]) if layer.bias is not None else 0
        u = v = 0
        for t in range(steps):
            z = sum(int(w) * int(s) for w, s in zip(layer.weight[n], input_TN[t], strict=True))
            u = toward_zero((4096 - du) * u) + 64 * z
            before = u
            while u > TOP:
                u -= 2 * TOP
            while u <= -TOP:
                u += 2 * TOP
            wrapped += u != before
            before = v = toward_zero((4096 - dv) * v) + u + bias
            v = max(min(v, TOP - 1), 1 - TOP)
            clipped += v != before
            if v > 64 * layer.threshold:
                v = 0
                if t + 1 < steps:
                    spikes_TN[t + 1, n] = True
    return spikes_TN, wrapped, clipped


@settings(max_examples=60, deadline=None)
@given(
    net=records(representable=False), seed=st.integers(0, 99), largest=st.sampled_from([1, 3, 900])
)
def test_every_layer_is_by_the_book(net: NetFile, seed: int, largest: int) -> None:
    random = np.random.default_rng(seed)
    size = int(np.prod(net.input_shape))
    input_TN = random.integers(0, largest + 1, (30, size)) * (random.random((30, size)) < 0.4)
    expected = input_TN
    counts = []
    for index, layer in enumerate(net.layers):
        if isinstance(layer, DenseLayer):
            expected, wrapped, clipped = by_the_book(layer, expected)
            counts.append((index, int(expected.sum()), wrapped, clipped))
    run = simulate(net, input_TN)
    np.testing.assert_array_equal(run.spikes_TN, expected)
    assert [(c.layer, c.spikes, c.wrapped, c.clipped) for c in run.counts] == counts


def one_neuron(weight: int, du: int, dv: int, threshold: int, bias: int | None = None) -> NetFile:
    layer = DenseLayer(
        np.array([[weight]], np.int32),
        np.array(du, np.int32),
        np.array(dv, np.int32),
        threshold,
        None if bias is None else np.array([bias], np.int32),
    )
    return NetFile((layer,))


def spike_steps(net: NetFile, input_T: list[int]) -> list[int]:
    return np.flatnonzero(run_integer(net, np.array(input_T)[:, None])).tolist()


def test_a_voltage_at_the_threshold_does_not_spike() -> None:
    assert spike_steps(one_neuron(64, 4096, 4096, 64), [1, 0, 1, 0]) == []
    assert spike_steps(one_neuron(64, 4096, 4096, 63), [1, 0, 1, 0]) == [1, 3]


def test_a_spike_leaves_one_step_later_and_the_last_one_not_at_all() -> None:
    net = one_neuron(64, 4096, 4096, 10)
    assert spike_steps(net, [0, 1, 0, 0]) == [2]
    assert spike_steps(net, [0, 0, 0, 1]) == []


def test_states_decay_toward_zero() -> None:
    run = simulate(one_neuron(-2, 0, 4095, 9), np.array([[1], *[[0]] * 9]))
    assert not run.spikes_TN.any()
    # v = -128 decays to rtz(-128 / 4096) = 0, not to -1.
    assert spike_steps(one_neuron(2, 4096, 4095, 1), [1, 1, 1]) == [1, 2]


def test_bias_is_in_weight_units() -> None:
    assert spike_steps(one_neuron(2, 4096, 4096, 9, bias=10), [0, 0, 0]) == [1, 2]
    assert spike_steps(one_neuron(2, 4096, 4096, 10, bias=10), [0, 0, 0]) == []


def test_a_current_wraps_at_24_bits_and_is_counted() -> None:
    net = one_neuron(64, 0, 4096, 100_000)
    run = simulate(net, np.array([[2048], [0], [1], [0]]))  # 2**23 is held, one more wraps
    assert (run.counts[0].wrapped, run.counts[0].spikes) == (1, 2)
    run = simulate(net, np.array([[2049], [0], [0]]))
    assert (run.counts[0].wrapped, run.counts[0].spikes) == (1, 0)


def test_a_voltage_is_clipped_and_counted() -> None:
    net = one_neuron(64, 4096, 0, TOP)
    run = simulate(net, np.full((5, 1), 1000))
    assert (run.counts[0].wrapped, run.counts[0].clipped) == (0, 3)


@pytest.mark.parametrize(
    "layers",
    [
        [dense("a", 12), dense("b", 5)],
        [dense("a", 12, weight_norm=True), dense("b", 5, weight_scale=3.0)],
        [dense("a", 12, neuron={"norm": "mean"}), dense("b", 5)],
        [dense("a", 12, neuron={"per_channel": True, "current_decay": [0.1, 0.9]})],
    ],
)
def test_spikes_are_those_of_the_float_network(tmp_path: Path, layers: list) -> None:
    layers = [{"name": "flat", "type": "flatten"}, *layers]
    model = model_of(document([2, 10], layers, time={"steps": 300}))
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith("running_mean"):
            value += 0.1 * torch.randn(value.shape, generator=generator)
    model.eval()
    input_TBN = (torch.rand(300, 1, 2, 10, generator=generator) < 0.2).float()
    with torch.no_grad():
        expected = model(input_TBN)[:, 0].numpy()
    export_net(model, tmp_path / "a.net")
    spikes_TN = run_integer(tmp_path / "a.net", input_TBN[:, 0].numpy())
    assert spikes_TN.dtype == np.bool_
    assert spikes_TN.sum() > 100
    np.testing.assert_array_equal(spikes_TN, expected)
    np.testing.assert_array_equal(run_integer(model, input_TBN[:, 0].numpy()), expected)


def test_inputs_in_their_shape_or_flat() -> None:
    layer = one_neuron(64, 4096, 4096, 10).layers[0]
    assert isinstance(layer, DenseLayer)
    wide = DenseLayer(np.full((1, 6), 64, np.int32), layer.current_decay, layer.voltage_decay, 10)
    net = NetFile((InputLayer((2, 3)), FlattenLayer(6), wide))
    spikes = np.zeros((4, 2, 3))
    spikes[1, 1, 2] = 1
    for given_input in (spikes, spikes.reshape(4, 6), spikes.astype(bool), spikes.astype("i1")):
        assert np.flatnonzero(run_integer(net, given_input)).tolist() == [2]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((4, 2)), r"has shape \[4, 2\]; \[steps, 1\] is needed"),
        (np.zeros(4), r"has shape \[4\]"),
        (np.array([[0.0], [0.5]]), "step 1, neuron 0 is 0.5"),
        (np.array([[np.nan]]), "step 0, neuron 0 is nan"),
        (np.array([[1e12]]), "spikes are whole numbers up to"),
        (np.array([["a"]]), "not spikes"),
    ],
)
def test_inputs_that_do_not_fit(values: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run_integer(one_neuron(64, 4096, 4096, 10), values)


def test_no_steps_are_no_spikes() -> None:
    assert run_integer(one_neuron(64, 4096, 4096, 10), np.zeros((0, 1))).shape == (0, 1)


def test_it_runs_without_torch(tmp_path: Path) -> None:
    write_net(tmp_path / "a.net", one_neuron(64, 4096, 4096, 10))
    code = (
        "import sys, numpy, netdesc; netdesc.run_integer(sys.argv[1], numpy.ones((9, 1)));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.net")], check=True)


def test_the_recorded_spikes_of_slayer_where_they_are_at_hand() -> None:
    shared = Path(__file__).parents[2] / "shared"
    if not (shared / "golden" / "oxford_slayer.npz").exists():
        pytest.skip("the recording is not part of the repository")
    golden = np.load(shared / "golden" / "oxford_slayer.npz")

    def layer(name: str) -> DenseLayer:
        weight = np.clip(2 * np.rint(32 * golden[name]), -256, 254).astype(np.int32)
        decays = np.array([golden["current_decay"], golden["voltage_decay"]]) * 4096
        current, voltage = np.rint(decays).astype(np.int32)
        return DenseLayer(
            weight, np.array(current), np.array(voltage), int(64 * golden["threshold"])
        )

    hidden, output = layer("w_hidden"), layer("w_output")
    input_TN, _ = to_dense(read_events(shared / "oxford" / "input.bs1"), (200,), 2000, 1.0)
    for layers, name in (((hidden,), "hidden_spikes"), ((hidden, output), "output_spikes")):
        expected_TN = np.unpackbits(golden[name], axis=1).T
        np.testing.assert_array_equal(run_integer(NetFile(layers), input_TN), expected_TN)
