"""Delays of layers: values, gradients, streams and files."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchange_samples import assert_file_holds
from support.modules_samples import dense, network, neuron, spikes

from netdesc.exchange import export_net
from netdesc.modules import Network
from netdesc.modules.delay import SignalDelay

pytestmark = pytest.mark.usefixtures("reference_engine")

LEARNT = {"learn": True, "max_steps": 9, "initial_steps": [0.0, 9.0]}
CONV = {"name": "c", "type": "conv", "channels": 3, "kernel": 2, "neuron": neuron(threshold=0.2)}


def of_delay(delay: dict[str, Any] | None, kind: str, seed: int = 0, **more: Any) -> Network:
    """A layer with a delay, and one behind it, for an input of 12 values."""
    last = dense("b", 4, weight_scale=4.0)
    if kind == "dense":
        first = dense("c", 6, weight_scale=4.0, neuron=neuron(**more), delay=delay)
        return network(first, last, shape=(12,), seed=seed)
    flat = {"name": "f", "type": "flatten"}
    return network(CONV | {"delay": delay}, flat, last, shape=(1, 3, 4), seed=seed)


def later(signal_TBN: torch.Tensor, steps: list[int]) -> torch.Tensor:
    """Shifts each channel, the third axis, by its steps."""
    out = torch.zeros_like(signal_TBN)
    for channel, delay in enumerate(steps):
        out[delay:, :, channel] = signal_TBN[: len(signal_TBN) - delay, :, channel]
    return out


@given(
    kind=st.sampled_from(["dense", "conv"]),
    delay=st.sampled_from([{"steps": 0}, {"steps": 3}, {"steps": 50}, LEARNT]),
    cut=st.integers(1, 29),
    seed=st.integers(0, 99),
)
@settings(max_examples=6, deadline=None)
def test_floats_streams_and_files_agree(tmp_path_factory, kind, delay, cut, seed) -> None:
    plain, model = of_delay(None, kind, seed), of_delay(delay, kind, seed).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    shape = model.graph.input_shape
    input_TBN = spikes(30, 2, *shape, density=0.4, seed=seed)
    at_once, delayed = plain.layers["c"](input_TBN), model.layers["c"](input_TBN)
    channels = model.graph.layers[0].channels
    values = model.state_dict().get("layers.c.neuron.axonal.delay", torch.zeros(channels))
    steps = [delay.get("steps", int(each)) for each in values]
    assert torch.equal(delayed, later(at_once, [min(each, 30) for each in steps]))
    expected = model(input_TBN).detach()
    state, pieces = None, []
    for piece in input_TBN.tensor_split([cut]):
        output, state = model.stream(piece, state)
        pieces.append(output)
    assert torch.equal(torch.cat(pieces), expected)
    other, folder = of_delay(delay, kind, seed + 1), tmp_path_factory.mktemp("net")
    assert_file_holds(model, other, input_TBN, folder)


def test_gradients_are_those_of_slayer() -> None:
    section = of_delay(LEARNT, "dense").graph.neuron_layers[0].section.delay
    delay = SignalDelay(section, 3, torch.Generator().manual_seed(0))
    signal_TBN = torch.rand(20, 2, 6).requires_grad_()
    grad_TBN = torch.randn(20, 2, 6)
    out_TBN = delay(signal_TBN)
    out_TBN.backward(grad_TBN)
    steps = delay.delay.detach().int().repeat_interleave(2)
    assert len(set(steps.tolist())) == 3
    expected = torch.zeros(6)
    for t in range(20):
        before = out_TBN[t - 1] if t else torch.zeros(2, 6)
        expected += (grad_TBN[t] * (before - out_TBN[t])).sum(0).detach()
    torch.testing.assert_close(delay.delay.grad, expected.view(3, 2).sum(1))
    for place, count in enumerate(steps.tolist()):
        reached = signal_TBN.grad[: 20 - count, :, place]
        assert torch.equal(reached, grad_TBN[count:, :, place])
        assert not signal_TBN.grad[20 - count :, :, place].any()
    delay.delay.data += torch.tensor([-20.0, 0, 20])
    delay.project()
    assert delay.delay[[0, 2]].tolist() == [0, 9]


def test_training_moves_delays_within_their_range() -> None:
    model = of_delay(LEARNT, "dense")
    assert [*model.graph.layers[0].learnt_shapes] == ["neuron.axonal.delay"]
    delay = model.layers["c"].neuron.axonal.delay
    before = delay.detach().clone()
    model(spikes(30, 2, 12, density=0.4)).sum().backward()
    torch.optim.SGD([delay], lr=100.0).step()
    model.project()
    assert not torch.equal(before, delay)
    assert (delay >= 0).all()
    assert (delay <= 9).all()
    assert model.layers["c"].neuron.learns


def test_the_delay_of_neurons_that_go_on_goes_on() -> None:
    model = of_delay({"steps": 4}, "dense", persistent_state=True).eval()
    input_TBN = spikes(30, 2, 12, density=0.4)
    layer = model.layers["c"]
    whole = layer(input_TBN)
    model.reset_state()
    assert torch.equal(torch.cat([layer(each) for each in input_TBN.split(7)]), whole)


@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("conv", {}, "netx ignores the delays"),
        ("dense", {"type": "recurrent"}, "netx fails to load the delays"),
        ("dense", {"bias": True}, "and not their bias"),
        ("dense", {"neuron": {"type": "rf", "threshold": 1, "period": 9, "decay": 0.1}}, "ignores"),
    ],
)
def test_what_netx_makes_of_delays(tmp_path, kind, more, words) -> None:
    layer = (CONV if kind == "conv" else dense("c", 4)) | {"delay": {"steps": 2}} | more
    shape = (1, 3, 4) if kind == "conv" else (12,)
    found = export_net(network(layer, shape=shape).eval(), tmp_path / "a.net")
    assert any(words in each for each in found)
