"""Layers without synapses: values, gradients, and the run in integers."""

import numpy as np
import pytest
import torch
from support.exchange_samples import document as sample_document
from torch.nn import functional

import netdesc
from netdesc.graph import layers
from netdesc.hardware import IntegerNetwork
from netdesc.modules.plain import PLAIN_BLOCKS

pytestmark = pytest.mark.usefixtures("reference_engine")


def block(kind, **fields):
    return PLAIN_BLOCKS[kind](kind.model_validate({"name": "a", **fields}))


def signal(*shape, seed=0):
    """Multiples of 1/4096 of both signs, as a graded layer hands them on."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-9000, 9000, shape, generator=generator) / 4096


def test_a_mean_is_cut_toward_zero_and_has_the_gradient_of_a_mean():
    pool = block(layers.AveragePool, type="average_pool", kernel=3)
    values = signal(4, 2, 2, 6, 9).requires_grad_()
    mean = pool(values)
    exact = functional.avg_pool2d(values.detach().double().flatten(0, 1), 3) * 4096
    assert torch.equal(mean.detach().double().flatten(0, 1) * 4096, exact.trunc())
    weight = torch.rand_like(mean)
    mean.backward(weight)
    expected = torch.repeat_interleave(torch.repeat_interleave(weight / 9, 3, 3), 3, 4)
    torch.testing.assert_close(values.grad, expected)


def test_a_mean_of_many_large_values_does_not_overflow():
    pool = block(layers.AveragePool, type="average_pool", kernel=64)
    assert pool(torch.full((1, 1, 1, 64, 64), 510.0)).item() == 510


def test_padding_is_no_value_of_a_maximum():
    pool = block(layers.MaxPool, type="max_pool", kernel=2, padding=1)
    values = -1 - torch.rand(1, 1, 1, 2, 2)
    assert torch.equal(pool(values), values)


def test_missing_steps_of_the_last_group_are_zero():
    decimation = block(layers.TimeDecimation, type="time_decimation", factor=4)
    assert decimation(torch.ones(6, 1, 1)).flatten().tolist() == [1.0, 0.5]
    with pytest.raises(ValueError, match="multiple of 4"):
        decimation.stream(torch.ones(6, 1, 1), [])


NEURONS = {"type": "neurons", "weight": -1.5, "bias": 0.25, "axonal_delay_step": False}


@pytest.mark.parametrize("graded", [False, True])
def test_neurons_scale_and_shift_what_they_read(graded):
    integrator = {"type": "integrator", "current_decay": 0.25, "voltage_decay": 0.5}
    cuba = {"type": "cuba", "threshold": 0.5, "current_decay": 1, "voltage_decay": 0.1}
    before = {"name": "before", "type": "dense", "units": 4, "weight_scale": 4}
    read_by = [{**before, "neuron": integrator if graded else cuba}]
    layers = [
        {"name": "first", **NEURONS, "neuron": None},
        *read_by,
        {"name": "last", **NEURONS, "neuron": integrator},
    ]
    loss = {"type": "spike_max", "mode": "softmax"}
    document = netdesc.load(sample_document([4], layers, time={"steps": 8}, data=None, loss=loss))
    compiled = netdesc.compile(document)
    input_TBN = signal(8, 1, 4) * 3
    with compiled.model.record("first") as recorded:
        output_TBN = compiled.model(input_TBN)
    rounded = torch.clamp(2 * torch.round(32 * input_TBN), -256, 254) / 64
    assert torch.equal(recorded["first"].spikes, rounded * -1.5 + 0.25)
    network = IntegerNetwork(compiled.graph, compiled.model.folded_state())
    output_TN = network.run_all(input_TBN[:, 0].numpy())
    np.testing.assert_array_equal(output_TN, output_TBN[:, 0].detach().numpy())
    output_TBN.sum().backward()
    assert compiled.model.layers["last"].synapse.weight.grad[1] != 0
