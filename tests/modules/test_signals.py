"""What a network hands to losses: outputs and states of any layer, with gradient."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.modules_samples import dense, graph, neuron, spikes
from torch import Tensor

from netdesc.description.models.loss import MeanSquaredError
from netdesc.kernels.engines import use_engine
from netdesc.modules import Network, build

pytestmark = pytest.mark.usefixtures("reference_engine")

OWN = {
    "type": "equations",
    "step": ["v = scaled(v, 0.75) + x + where(before(spike), -1, 0.1)", "w = v - scaled(w, 0.5)"],
    "spike": "w > 0.5",
    "reset": ["v = v - 0.25", "w = 0"],
    "surrogate": {"width": 1.0},
}
RF = {"type": "rf_iz", "threshold": 0.5, "period": 8, "decay": 0.1}
LIF = {"type": "lif", "threshold": 0.5, "voltage_decay": 0.1, "reset": "subtract_delayed"}
NEURONS = {
    "cuba": (neuron(), "u", "v"),
    "mean": (neuron(norm="mean"), "u", "v"),
    "mean_variance": (neuron(norm="mean_variance"), "u", "v"),
    "lif": (LIF, "v"),
    "rf_iz": (RF, "re", "im"),
    "own": (OWN, "v", "w"),
    "sigma_delta": ({"type": "sigma_delta", "threshold": 0.25, "activation": "relu"}, "a"),
}


def network_of(section: dict[str, Any], names: tuple[str, ...]) -> Network:
    """A hidden layer whose output and states losses read, and a last layer like it."""
    layers = [dense(name, 6, neuron=section, weight_scale=4) for name in ("hidden", "last")]
    loss = {"type": "mean_squared_error"}
    read = [{"from": "hidden"}, {}] + [{"from": "hidden", "signal": name} for name in names]
    losses = tuple(MeanSquaredError.model_validate(loss | each) for each in read)
    return build(replace(graph(*layers), losses=losses, classifier=None), seed=1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", NEURONS)
def test_signals_are_outputs_and_states_before_their_reset(kind: str, training: bool) -> None:
    section, *names = NEURONS[kind]
    model, plain = (network_of(section, tuple(names)) for _ in range(2))
    plain.load_state_dict(model.state_dict())
    input_TBN = spikes(30, 3, 10, density=0.4)
    for each in (model, plain):
        each(input_TBN)  # norms have statistics then
        each.train(training)
    signals = model.signals(input_TBN)
    with plain.record() as recorded:
        output_TBN = plain(input_TBN)
    expected = {("last", "output"): output_TBN, ("hidden", "output"): recorded["hidden"].spikes}
    expected |= {("hidden", name): recorded["hidden"].states[name] for name in names}
    assert signals.keys() == expected.keys()
    for name, found in signals.items():
        scale = 1.0
        if kind == "mean_variance" and not training and name[1] != "output":
            scale = (found.abs().max() / expected[name].abs().max()).item()  # a power of two
            assert scale in (2.0**each for each in range(-4, 5))
        torch.testing.assert_close(found, scale * expected[name], rtol=0, atol=0)


def test_the_gradient_of_a_state_passes_resets_as_if_there_were_none() -> None:
    """Then v is a sum of decayed inputs, whose gradient is known."""
    model = network_of(neuron(), ("v",))
    input_TBN = spikes(20, 2, 10, density=0.5)
    weight = model.layers["hidden"].synapse.weight
    signals = model.signals(input_TBN)
    assert signals["hidden", "output"].any()
    grad_TBN = torch.randn(20, 2, 6, generator=torch.Generator().manual_seed(0))
    (found,) = torch.autograd.grad(signals["hidden", "v"], weight, grad_TBN)
    exact = torch.zeros(6, 10, dtype=torch.float64, requires_grad=True)
    u = v = torch.zeros(2, 6, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    current, voltage = (1 - round(4096 * each) / 4096 for each in (0.3, 0.1))
    for x_BN, g_BN in zip(input_TBN.double(), grad_TBN.double(), strict=True):
        u = current * u + x_BN @ exact.T
        v = voltage * v + u
        total = total + (v * g_BN).sum()
    total.backward()
    torch.testing.assert_close(found.double(), exact.grad, rtol=1e-5, atol=1e-6)


def test_engines_agree_on_signals_and_their_gradients() -> None:
    model = network_of(neuron(dropout=0.0), ("v",))
    input_TBN = spikes(30, 3, 10, density=0.4)

    def compute(engine: str) -> tuple[dict[Any, Tensor], Tensor]:
        model.zero_grad()
        with use_engine(engine):
            signals = model.signals(input_TBN)
            sum(value.square().sum() for value in signals.values()).backward()
        return signals, model.layers["hidden"].synapse.weight.grad.clone()

    (one, grad), (other, other_grad) = compute("reference"), compute("cpu")
    assert all(torch.equal(one[name], other[name]) for name in one)
    torch.testing.assert_close(grad, other_grad, rtol=1e-4, atol=1e-5 * grad.abs().max().item())


def test_layers_that_losses_read_end_segments() -> None:
    """Dropout of a layer is the same for its output and its states."""
    model = network_of(neuron(dropout=0.5), ("v",))
    signals = model.signals(torch.ones(30, 4, 10))
    silent = (signals["hidden", "v"] == 0).all(0)
    assert 0 < silent.sum() < silent.numel()
    assert not signals["hidden", "output"][:, silent].any()
