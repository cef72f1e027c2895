"""Synapses and neurons: quantised weights, weight norm, dropout, mean norm."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import cuba_oracle
from support.cuba_cases import ENGINES
from support.grids import grid
from support.modules_samples import dense, network, neuron, spikes

from netdesc import run_integer
from netdesc.description.models import Training
from netdesc.exchange import export_net, import_net
from netdesc.hardware import layer_integers
from netdesc.kernels.engines import use_engine
from netdesc.training.optimizer import build_optimizer

ADAM = Training.model_validate(
    {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.1, "weight_decay": 0.1}}
)


@given(st.integers(0, 1000), st.sampled_from([0.1, 1.0, 30.0]), st.booleans())
@settings(max_examples=30)
def test_quantised_weights(seed, scale, weight_norm):
    """They include the weight norm, and equal the integers of the device."""
    model = network(dense("a", 9, weight_norm=weight_norm, weight_scale=scale), seed=seed)
    synapse = model.layers["a"].synapse
    if weight_norm:
        synapse.gain.data.mul_(torch.linspace(0.1, 5, 9)[:, None])
    integers = layer_integers(model.graph.layers[0], model.folded_state()).weights[0]
    real = synapse.weight.detach().double()
    if weight_norm:
        real = real * synapse.gain.detach() / real.norm(dim=1, keepdim=True)
    # Within one unit of the grid where folding in double precision lands on the other side.
    nearest = cuba_oracle.integer_weight(real.numpy())
    assert np.abs(integers - nearest).max() <= (2 if weight_norm else 0)
    assert torch.equal(torch.from_numpy(integers) / 64, synapse())


@given(
    bits=st.integers(2, 8),
    halvings=st.integers(0, 6),
    engine=st.sampled_from(ENGINES),
    kind=st.sampled_from(["dense", "recurrent"]),
)
@settings(max_examples=15, deadline=None)
def test_weights_of_few_bits(bits, halvings, engine, kind):
    """They are the nearest of their grid in all engines, and gradients stop where they clamp."""
    limit = max(4 / 2**halvings, 2**bits / 64)
    grid = {"bits": bits, "range": limit}
    model = network(dense("a", 6, quantization=grid, type=kind, weight_scale=9.0), dense("b", 3))
    step, synapse = 2 * limit / 2**bits, model.layers["a"].synapse
    real = synapse.weight.detach()
    expected = (torch.round(real / step) * step).clamp(-limit, limit - step)
    assert torch.equal(synapse(), expected)
    plain = network(dense("a", 6, type=kind), dense("b", 3))
    plain.load_state_dict(model.state_dict())
    plain.layers["a"].synapse.weight.data.copy_(expected)
    if kind == "recurrent":
        plain.layers["a"].recurrent.weight.data.copy_(model.layers["a"].recurrent())
    input_TBN = spikes(30, 2, 10, density=0.4)
    with use_engine(engine):
        found, same = model(input_TBN), plain(input_TBN)
    assert torch.equal(found, same)
    for each in (found, same):
        (each * torch.linspace(-1, 2, 3)).sum().backward()
    is_inside = (torch.round(real / step) * step == expected).float()
    wanted = plain.layers["a"].synapse.weight.grad * is_inside
    torch.testing.assert_close(synapse.weight.grad, wanted, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(run_integer(model, input_TBN[:, 1].numpy()), found[:, 1].detach())


def test_initial_weights_have_their_distribution():
    model = network(dense("a", 900, weight_scale=3.0), dense("b", 900, weight_init="normal"))
    uniform, normal = (model.layers[name].synapse.weight.detach() for name in "ab")
    assert uniform.abs().max() == pytest.approx(3 / math.sqrt(10), rel=1e-3)
    assert uniform.std() == pytest.approx(3 / math.sqrt(30), rel=0.05)
    assert normal.std() == pytest.approx(1 / 30, rel=0.01)
    assert ((normal.abs() < 1 / 30).float().mean() - 0.6827).abs() < 0.01


@pytest.mark.parametrize("kind", ["dense", "recurrent"])
@use_engine("reference")
def test_weights_that_are_not_trained_stay(kind):
    fixed = dense("a", 6, trainable=False, bias=True, weight_norm=True, type=kind, weight_scale=4.0)
    model = network(fixed, dense("b", 3, weight_scale=4.0))
    first, second = model.graph.layers
    assert (first.parameters, second.parameters) == (6, 18)
    assert first.fixed_weights == sum(
        each.numel() for name, each in model.layers["a"].named_parameters() if "bias" not in name
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = build_optimizer(ADAM, model)
    model(spikes(30, 2, 10, density=0.4)).sum().backward()
    optimizer.step()
    changed = {
        name for name, each in model.state_dict().items() if not torch.equal(each, before[name])
    }
    assert changed == {"layers.a.neuron.bias", "layers.b.synapse.weight"}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "more",
    [{}, {"weight_norm": True}, {"quantization": {"bits": 4, "range": 2}}, {"type": "recurrent"}],
)
def test_a_mask_holds_in_training_and_on_the_device(tmp_path, engine, more):
    more = {"weight_scale": 6.0, "mask": {"density": 0.3, "seed": 5}} | more
    model = network(dense("a", 8, **more), dense("b", 3, weight_scale=4.0), seed=1)
    other = network(dense("a", 8, **more), dense("b", 3, weight_scale=4.0), seed=2)
    synapse = model.layers["a"].synapse
    mask = synapse.mask
    assert mask.sum() == round(0.3 * 80)
    assert torch.equal(mask, other.layers["a"].synapse.mask)
    assert not synapse.weight.detach()[mask == 0].any()
    input_TBN = spikes(30, 2, 10, density=0.4)
    optimizer = build_optimizer(ADAM, model)
    before = synapse.weight.detach().clone()
    with use_engine(engine):
        model(input_TBN).sum().backward()
        optimizer.step()
        assert not torch.equal(synapse.weight, before)
        assert not synapse.weight.detach()[mask == 0].any()
        with torch.no_grad():  # weights of another origin
            synapse.weight += 0.5
        output_TBN = model.eval()(input_TBN).detach()
    assert not synapse().detach()[mask == 0].any()
    np.testing.assert_array_equal(run_integer(model, input_TBN[:, 1].numpy()), output_TBN[:, 1])
    export_net(model, tmp_path / "a.net")
    first = next(iter(import_net(tmp_path / "a.net").weights.values()))
    np.testing.assert_array_equal(first, synapse().detach())


def test_weight_norm_starts_with_the_drawn_weights():
    plain = network(dense("a", 9), seed=3)
    normed = network(dense("a", 9, weight_norm=True), seed=3)
    torch.testing.assert_close(
        normed.layers["a"].synapse.folded(), plain.layers["a"].synapse.weight
    )


def test_weight_norm_has_the_gradients_of_its_definition():
    model = network(dense("a", 9, weight_norm=True, quantization=None))
    synapse = model.layers["a"].synapse
    grad = torch.randn(9, 10, generator=torch.Generator().manual_seed(0))
    synapse.folded().backward(grad)
    w = synapse.weight.detach().clone().requires_grad_()
    g = synapse.gain.detach().clone().requires_grad_()
    (g * w / w.norm(dim=1, keepdim=True)).backward(grad)
    torch.testing.assert_close(synapse.weight.grad, w.grad)
    torch.testing.assert_close(synapse.gain.grad, g.grad)


def test_rows_of_zeros_stay_zero_and_finite():
    model = network(dense("a", 9, weight_norm=True))
    synapse = model.layers["a"].synapse
    synapse.weight.data[2] = 0
    out = model(spikes(20, 2, 10))
    assert (out[:, :, 2] == 0).all()
    assert (synapse()[2] == 0).all()
    out.sum().backward()
    assert torch.isfinite(synapse.weight.grad).all()
    assert torch.isfinite(synapse.gain.grad).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_real_weights(engine):
    """They are not quantised."""
    model = network(dense("a", 4, quantization=None))
    model.layers["a"].synapse.weight.data.fill_(0.1234)
    input_TBN = torch.zeros(3, 1, 10)
    input_TBN[0, 0, 0] = 1
    with use_engine(engine):
        model(input_TBN)
    (report,) = model.engine_report()
    assert report.peaks["u"] == int(0.1234 * 4096)


def loud(**more) -> dict:
    """A layer whose neurons spike at any positive input."""
    return dense("a", 200, neuron=neuron(threshold=0.1, **more))


def test_dropout_silences_a_neuron_for_the_whole_sample():
    model = network(loud(dropout=0.4))
    model.layers["a"].synapse.weight.data.fill_(1.0)
    torch.manual_seed(0)
    input_TBN = torch.ones(30, 8, 10)
    out = model(input_TBN)
    counts = out.sum(0)
    assert ((counts == 0) | (counts == 29)).all()
    silent = counts == 0
    assert silent.float().mean() == pytest.approx(0.4, abs=0.05)
    assert not torch.equal(silent[0], silent[1])
    assert not torch.equal(model(input_TBN), out)
    out.sum().backward()
    assert (model.eval()(input_TBN)[1:] == 1).all()


def test_dropout_scales_the_remaining_currents():
    model = network(dense("a", 50, neuron=neuron(dropout=0.75, threshold=100.0)))
    model.layers["a"].synapse.weight.data.fill_(1.0)
    model(torch.ones(1, 4, 10))
    assert model.engine_report()[0].peaks["u"] == 40 * 4096
    model.eval()(torch.ones(1, 4, 10))
    assert model.engine_report()[0].peaks["u"] == 10 * 4096


@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_comes_before_the_norm(engine):
    """A dropped neuron gets nothing, and the mean is subtracted from that."""
    model = network(loud(dropout=0.5, norm="mean", voltage_decay=1.0, current_decay=1.0))
    model.layers["a"].synapse.weight.data.fill_(-0.2)
    with use_engine(engine):
        out = model(torch.ones(40, 6, 10))[1:]
    # Each neuron is dropped in some samples, whose 0 is above the negative mean of all samples.
    assert set(out.mean(0).unique().tolist()) == {0.0, 1.0}
    assert out.mean().item() == pytest.approx(0.5, abs=0.08)


def with_norm(*, bias: bool = False, **more):
    own = neuron(norm="mean", **more)
    model = network(dense("a", 40, neuron=own, bias=bias, weight_scale=6.0))
    return model, model.layers["a"].neuron


@pytest.mark.parametrize("engine", ENGINES)
def test_the_norm_subtracts_the_mean_of_the_batch(engine):
    model, cell = with_norm()
    input_TBN = spikes(50, 4, 10, density=0.2)
    with use_engine(engine):
        out = model(input_TBN)
    weight = cuba_oracle.integer_weight(model.layers["a"].synapse.weight.detach().numpy())
    arriving = 64 * (input_TBN.numpy().astype(np.int64) @ weight.T)
    u = cuba_oracle.run(arriving, 0.3, 1.0, 32768.0).u / 4096
    mean = u.mean(axis=(0, 1))
    offset = cuba_oracle.integer_weight(mean) * 64
    expected = cuba_oracle.run((u * 4096).astype(np.int64) - offset, 1.0, 0.1, 0.5)
    np.testing.assert_array_equal(out.detach().numpy(), expected.out)
    np.testing.assert_allclose(cell.norm.running_mean.numpy(), 0.1 * mean, rtol=1e-4, atol=1e-5)
    with use_engine(engine):
        model(input_TBN)
    np.testing.assert_allclose(cell.norm.running_mean.numpy(), 0.19 * mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("density", [0.06, 0.4])
@pytest.mark.parametrize("engine", ENGINES)
def test_after_training_the_running_mean_is_a_bias(engine, density):
    """With the batch's mean as running mean both modes give the same spikes."""
    model, cell = with_norm(bias=True)
    cell.value("bias").data.copy_(torch.linspace(-0.4, 0.4, 40))
    input_TBN = spikes(50, 4, 10, density=density)
    with use_engine(engine):
        trained = model(input_TBN)
        cell.norm.running_mean.mul_(10)  # after one batch it holds a tenth of the mean
        running_mean = cell.norm.running_mean.clone()
        tested = model.eval()(input_TBN)
    assert trained[..., 20:].sum() > 1.5 * trained[..., :20].sum()
    assert torch.equal(tested, trained)
    assert torch.equal(cell.norm.running_mean, running_mean)
    assert model.engine_report()[0].path == (
        "events" if density < 0.1 and engine == "cpu" else "product"
    )


def test_the_norm_has_the_gradient_of_a_mean():
    """A number that is added to all currents of a neuron is subtracted again."""
    model, _ = with_norm()
    input_TBN = spikes(50, 4, 10, density=0.2).requires_grad_()
    grads = []
    for engine in ENGINES:
        with use_engine(engine):
            out = model(input_TBN)
        model.zero_grad()
        (grad,) = torch.autograd.grad((out * torch.linspace(-1, 1, 40)).sum(), input_TBN)
        grads.append(grad)
    assert (grads[0] - grads[1]).abs().max() <= 1e-5 * grads[0].abs().max()
    norm = model.layers["a"].neuron.norm
    u = torch.randn(30, 2, 40, generator=torch.Generator().manual_seed(1)).requires_grad_()
    weights = torch.randn(30, 2, 40, generator=torch.Generator().manual_seed(2))
    (norm(u, torch.zeros(())) * weights).sum().backward()
    torch.testing.assert_close(u.grad, weights - weights.mean((0, 1)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", grid(["cuba", "lif", "integrator"], ["cuba", "integrator"]))
@pytest.mark.parametrize("unit", [64, 4096])
def test_a_bias_is_the_weight_of_an_input_that_always_spikes(engine, kind, unit):
    """With a current decay of 1, it has the same effect and the same gradient. Its ``unit`` is that
    of weights, and without quantization that of states."""
    own = {"type": kind, "voltage_decay": 0.1}
    own |= {"threshold": 0.7} if kind != "integrator" else {}
    own |= {"current_decay": 1.0} if kind != "lif" else {}
    own = {"neuron": own} | ({"quantization": None} if unit == 4096 else {})
    plain = network(dense("a", 6, **own), shape=(4,))
    biased = network(dense("a", 6, **own, bias=True), shape=(4,))
    values = torch.tensor([8, 7, -3, 0, 3, 90]) / 32
    values += 31 / 4096 if unit == 4096 else 0
    weight, bias = plain.layers["a"].synapse.weight, biased.layers["a"].neuron.value("bias")
    weight.data.mul_(64).round_().div_(64)[:, 3] = values  # so that no sum is rounded
    biased.load_state_dict(plain.state_dict(), strict=False)
    bias.data.copy_(values + 0.4 / unit)
    outputs = []
    for model, constant in ((plain, 1), (biased, 0)):
        input_TBN = spikes(30, 3, 4, density=0.3)
        input_TBN[..., 3] = constant
        with use_engine(engine):
            outputs.append(model(input_TBN))
        (outputs[-1] * torch.linspace(-1, 2, 6)).sum().backward()
    assert outputs[0].count_nonzero()
    assert torch.equal(*outputs)
    torch.testing.assert_close(bias.grad, weight.grad[:, 3], rtol=1e-5, atol=1e-7)
    bias.data.fill_(7.0)
    biased.project()
    assert bias.max() == 4


def test_a_bias_begins_where_the_document_says():
    layers = [dense("a", 6, bias=True, bias_init=-0.3), dense("b", 2, bias=True)]
    model = network(*layers)
    assert model.layers["a"].neuron.bias.tolist() == [pytest.approx(-0.3)] * 6
    assert not model.layers["b"].neuron.bias.any()
    silent = torch.zeros(5, 1, 10)
    raised = network(dense("a", 6, bias=True, bias_init=4.0))
    assert raised(silent).any()
    assert not model(silent).any()


def test_integers_of_the_device():
    model, cell = with_norm(current_decay=0.25, voltage_decay=0.03, threshold=0.37)
    cell.norm.running_mean.copy_(torch.linspace(-5, 5, 40))
    found = layer_integers(model.graph.layers[0], model.folded_state())
    expected = {"threshold": 23, "current_decay": 1024, "voltage_decay": 123}
    assert found.parameters == expected
    expected = -cuba_oracle.integer_weight(np.linspace(-5, 5, 40).astype(np.float32))
    np.testing.assert_array_equal(found.bias, expected)
    assert found.bias.max() == 256
    plain = network(dense("b", 3, neuron=neuron(per_channel=True, current_decay=[0.0, 1.0])))
    found = layer_integers(plain.graph.layers[0], plain.folded_state())
    assert found.bias is None
    decay = plain.layers["b"].neuron.current_decay.numpy()
    np.testing.assert_array_equal(
        found.parameters["current_decay"], cuba_oracle.integer_decay(decay)
    )


@given(
    seed=st.integers(0, 10_000),
    delay=st.booleans(),
    engine=st.sampled_from(ENGINES),
    density=st.sampled_from([0.05, 0.5]),
    threshold=st.sampled_from([0.1, 0.5, 2.0]),
)
@settings(max_examples=40)
def test_two_layers_compute_the_equations(seed, delay, engine, density, threshold):
    """Spikes of both layers equal those of exact integers, with the device's weights."""
    own = neuron(per_channel=True, current_decay=[0.0, 1.0], voltage_decay=[0.0, 1.0])
    model = network(
        dense("a", 33, weight_scale=4.0, axonal_delay_step=delay, neuron=own),
        dense("b", 17, weight_scale=4.0, neuron=neuron(threshold=threshold)),
        seed=seed,
    )
    input_TBN = spikes(25, 2, 10, density=density, seed=seed)
    with use_engine(engine):
        found = model(input_TBN)
    signal = input_TBN.numpy()
    for name, block in model.blocks():
        weight = cuba_oracle.integer_weight(block.synapse.weight.detach().numpy())
        signal = cuba_oracle.run(
            64 * (signal.astype(np.int64) @ weight.T),
            block.neuron.current_decay.numpy(),
            block.neuron.voltage_decay.numpy(),
            block.neuron.section.threshold,
            delay=delay if name == "a" else True,
        ).out
    np.testing.assert_array_equal(found.detach().numpy(), signal)
