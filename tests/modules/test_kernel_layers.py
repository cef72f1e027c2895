"""Layers with a kernel: their first weights, one weight of pools, and a network of them."""

import pytest
import torch
from support.kernel_layers import Case
from support.modules_samples import dense, network, neuron, spikes

from netdesc.kernels.engines import use_engine
from netdesc.modules import Network


def kernel_network(case: Case, seed: int = 0, **more) -> Network:
    layer, shape = case
    cell = neuron(threshold=0.3, per_channel=True, current_decay=[0.1, 0.5])
    return network({"name": "a", "neuron": cell, **layer, **more}, shape=shape, seed=seed)


@pytest.mark.parametrize("kind", ["sum_pool", "upsample"])
def test_pools_have_one_weight(kind) -> None:
    """It is learnt, and its gradient is the sum over all connections."""
    model = kernel_network(({"type": kind, "kernel": 2}, (3, 4, 4)), weight_scale=0.5)
    weight = model.layers["a"].synapse.weight
    assert weight.tolist() == [0.5]
    with use_engine("reference"):
        model(spikes(20, 2, 3, 4, 4, density=0.3)).sum().backward()
    expected = weight.grad.clone()
    weight.grad = None
    model(spikes(20, 2, 3, 4, 4, density=0.3)).sum().backward()
    torch.testing.assert_close(weight.grad, expected)
    assert weight.grad.abs() > 0


def test_first_weights_of_a_convolution() -> None:
    conv = {"type": "conv", "kernel": [3, 5], "channels": 64, "groups": 2}
    weight = kernel_network((conv, (4, 9, 9)), weight_scale=2.0).layers["a"].synapse.weight
    assert weight.shape == (64, 2, 3, 5)
    assert weight.abs().max().item() == pytest.approx(2 / 30**0.5, rel=0.01)


def test_a_layer_in_a_network() -> None:
    """A convolution, a pool, and a dense layer behind flatten learn together."""
    conv = {"name": "a", "type": "conv", "kernel": 3, "channels": 4, "neuron": neuron()}
    pool = {"name": "b", "type": "sum_pool", "kernel": 2, "neuron": neuron()}
    flat = {"name": "c", "type": "flatten"}
    model = network(conv, pool, flat, dense("d", 3, weight_scale=4.0), shape=(2, 8, 8))
    out = model(spikes(40, 3, 2, 8, 8, density=0.3))
    out.sum().backward()
    assert out.shape == (40, 3, 3)
    assert all(each.grad.abs().sum() > 0 for each in model.parameters())
