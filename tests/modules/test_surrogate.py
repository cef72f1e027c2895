"""The width of the surrogate gradient over a run."""

import numpy as np
import pytest
import torch
from support.modules_samples import dense, network, neuron, spikes


@pytest.mark.parametrize("kind", ["constant", "linear", "geometric"])
def test_the_surrogate_s_width_over_a_run(kind):
    tau = 0.3 if kind == "constant" else {"type": kind, "start": 1.0, "end": 0.01}
    model = network(
        dense("a", 4, neuron=neuron(tau_grad=tau)), dense("b", 4, neuron=neuron(tau_grad=1.0))
    )
    widths = []
    for fraction in (0.0, 0.5, 1.0):
        model.set_tau_grad(fraction)
        widths.append(model.layers["a"].neuron.surrogate.tau_grad)
        assert model.layers["b"].neuron.surrogate.tau_grad == 1.0
    expected = {"constant": [0.3] * 3, "linear": [1, 0.505, 0.01], "geometric": [1, 0.1, 0.01]}
    assert widths == pytest.approx(expected[kind])
    grads = []
    for fraction in (0.0, 1.0):
        model.zero_grad()
        model.set_tau_grad(fraction)
        model(spikes(20, 2, 10)).sum().backward()
        grads.append(model.layers["a"].synapse.weight.grad.clone())
    assert torch.equal(*grads) == (kind == "constant")
    for fraction in (-0.1, 1.01, 30, float("nan")):
        with pytest.raises(ValueError, match="is not a part of a run from 0 to 1"):
            model.set_tau_grad(fraction)


@pytest.mark.parametrize(
    "fields",
    [
        {"tau_grad": {"type": "linear", "start": 1.0, "end": 0.01}},
        {"surrogate": {"peak": 2.0, "width": 0.5}},
    ],
)
def test_a_backward_pass_has_the_width_of_its_forward_pass(fields):
    model = network(dense("a", 4, neuron=neuron(**fields)))
    grads = []
    for fraction in (0.0, 1.0):
        model.zero_grad()
        model.set_tau_grad(0.0)
        total = model(spikes(20, 2, 10)).sum()
        model.set_tau_grad(fraction)
        total.backward()
        grads.append(model.layers["a"].synapse.weight.grad.clone())
    assert torch.equal(*grads)


def test_the_surrogate_s_width_survives_conversions_of_the_module():
    model = network(dense("a", 4, neuron=neuron(tau_grad=0.3)))
    for changed in (model.half().float(), model.to("meta").to_empty(device="cpu")):
        assert changed.layers["a"].neuron.surrogate.width.item() == np.float32(0.3)
