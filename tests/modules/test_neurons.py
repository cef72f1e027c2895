"""Neurons of every kind as torch modules: values, surrogate, norm, streams, recorded states."""

import contextlib
import copy
import itertools
import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from support.equation_interpreter import run_equations
from support.modules_samples import dense, network, spikes

from netdesc.modules import Network
from netdesc.modules.neuron import NeuronModule
from netdesc.neurons.functions import ARGUMENTS
from netdesc.neurons.models.fields import DEFAULT_PEAK, DEFAULT_WIDTH

pytestmark = pytest.mark.usefixtures("reference_engine")

ADAPTION = {"threshold_step": 0.2, "threshold_decay": 0.1, "refractory_decay": 0.4}
RF = {"type": "rf", "threshold": 0.3, "period": 7.0, "decay": 0.1}
LIF = {"type": "lif", "threshold": 0.3, "voltage_decay": 0.1}
ALIF = LIF | ADAPTION | {"type": "alif", "current_decay": 0.3}
KINDS: dict[str, dict[str, Any]] = {
    "cuba": LIF | {"type": "cuba", "current_decay": 0.3, "norm": "mean"},
    "lif": LIF | {"norm": "mean_variance", "reset": "subtract_delayed"},
    "alif": ALIF | {"graded": True},
    "rf": RF,
    "adrf_iz": RF | ADAPTION | {"type": "adrf_iz"},
    "sigma_delta": {"type": "sigma_delta", "threshold": 0.1, "cumulative_error": True},
    "integrator": {"type": "integrator", "current_decay": 0.4},
}


def of_kind(neuron: dict[str, Any], *, units: int = 6, delay: bool = True) -> Network:
    return network(
        dense("a", units, neuron=neuron, axonal_delay_step=delay, weight_scale=3.0),
        dense("b", 4, neuron=KINDS["cuba"] | {"norm": None}, weight_scale=3.0),
    )


def cells(neuron: dict[str, Any], units: int = 5) -> NeuronModule:
    return network(dense("a", units, neuron=neuron)).layers["a"].neuron


def with_statistics(model: Network) -> Network:
    """Gives norms statistics of a batch, and returns the network outside training."""
    with torch.no_grad():
        model.train()(spikes(30, 2, 10, density=0.4, seed=3))
    return model.eval()


@given(
    kind=st.sampled_from(sorted(KINDS)),
    cuts=st.lists(st.integers(1, 29), max_size=3),
    delay=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=20)
def test_pieces_of_a_stream_are_the_whole(kind, cuts, delay, seed):
    model = with_statistics(of_kind(KINDS[kind], delay=delay))
    kept = with_statistics(of_kind(KINDS[kind] | {"persistent_state": True}, delay=delay)) if (
        kind != "cuba"
    ) else None  # fmt: skip
    input_TBN = spikes(30, 2, 10, density=0.3, seed=seed)
    whole = model(input_TBN).detach()
    ends = [0, *sorted(cuts), 30]
    state, pieces, hidden = None, [], []
    for start, end in itertools.pairwise(ends):
        if start == end:
            continue
        output, state = model.stream(input_TBN[start:end], state)
        pieces.append(output)
        if kept is not None:
            hidden.append(kept.layers["a"](input_TBN[start:end]))
    assert torch.equal(torch.cat(pieces), whole)
    if kept is not None:
        assert torch.equal(torch.cat(hidden), model.layers["a"](input_TBN))


def test_states_that_stay_belong_to_a_number_of_samples():
    model = of_kind(LIF | {"persistent_state": True}).eval()
    first, second = spikes(20, 2, 10, density=0.5), spikes(20, 3, 10, density=0.5)
    began = model.layers["a"](first)
    assert not torch.equal(model.layers["a"](first), began)
    with pytest.raises(ValueError, match=r"reset_state\(\)"):
        model(second)
    model.reset_state()
    assert torch.equal(model.layers["a"](first), began)
    model.train()(second).sum().backward()  # training begins at 0, with any number of samples
    with pytest.raises(ValueError, match=r"eval\(\)"):
        model.stream(first)


def test_an_evaluation_in_between_changes_neither_modes_nor_states():
    model = of_kind(LIF | {"persistent_state": True, "dropout": 0.5}).eval()
    layer, input_TBN = model.layers["a"], spikes(20, 2, 10, density=0.5)
    whole = layer(input_TBN)
    model.reset_state()
    began = layer(input_TBN[:8])
    with contextlib.suppress(ValueError), model.evaluating():
        model(spikes(20, 3, 10, density=0.5, seed=1))
        raise ValueError
    assert torch.equal(torch.cat([began, layer(input_TBN[8:])]), whole)
    model.train().layers["a"].eval()
    with model.evaluating():
        assert not any(each.training for each in model.modules())
    assert model.training
    assert not model.layers["a"].training


@pytest.mark.parametrize("state", [[], {}, {"b": []}])
def test_a_stream_goes_on_from_a_state_of_its_own_layers_alone(state):
    with pytest.raises(ValueError, match="layers"):
        of_kind(LIF).eval().stream(spikes(3, 2, 10, density=0.5), state)


def test_values_are_drawn_or_spaced_and_thresholds_are_in_the_document():
    drawn = cells(RF | {"period": [4.0, 64.0], "decay": [0.1, 0.2], "per_channel": True})
    periods = drawn.value("period")
    torch.testing.assert_close(periods, torch.tensor([64.0, 32.0, 16.0, 8.0, 4.0]))
    assert len(drawn.value("decay").unique()) == 5
    assert set(drawn.state_dict()) == {"period", "decay"}
    learnt = cells(ALIF | {"learn": ["threshold"], "threshold_step": [0.1, 0.2],
                           "per_channel": True})  # fmt: skip
    assert {"threshold", "threshold_step"} <= set(learnt.state_dict())
    with torch.no_grad():
        learnt.value("threshold").fill_(-1)
    learnt.project()
    assert (learnt.value("threshold") == 1 / 64).all()


OWN = {"type": "equations", "step": ["v = v + forward * x + delay * x"], "spike": "v > threshold"}
PARAMETERS = {
    name: {"kind": kind, "value": 0.5}
    for name, kind in {"forward": "factor", "delay": "factor", "threshold": "threshold"}.items()
}


def test_a_value_may_have_the_name_of_an_attribute():
    own = OWN | {"parameters": PARAMETERS, "surrogate": {}, "learn": ["forward", "delay"]}
    model = of_kind(own)
    assert "layers.a.neuron.forward" in model.state_dict()
    model(spikes(20, 2, 10, density=0.5)).sum().backward()
    assert dict(model.named_parameters())["layers.a.neuron.forward"].grad is not None
    assert "layers.a.neuron.forward" in copy.deepcopy(model).state_dict()
    model.load_state_dict(model.state_dict(), assign=True)
    model.layers["a"].neuron.delay = torch.nn.Parameter(torch.tensor(0.25))
    assert model.layers["a"].neuron.value("delay") == 0.25
    model(spikes(20, 2, 10, density=0.5))
    with pytest.raises(TypeError, match="forward"):
        model.layers["a"].neuron.forward = torch.tensor(0.25)
    with pytest.raises(TypeError, match="threshold"):
        model.layers["a"].neuron.threshold = torch.nn.Parameter(torch.tensor(0.25))


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5)])
def test_a_number_is_not_assigned_to_a_value(value):
    neurons = cells(LIF)
    with pytest.raises(TypeError, match="threshold"):
        neurons.threshold = value
    neurons.value("threshold").detach().fill_(value)
    neurons.dropout = value
    assert neurons.threshold == value


@pytest.mark.parametrize("learns", [False, True])
def test_assigning_an_attribute_leaves_a_value_of_its_name_alone(learns):
    for name in {*dir(cells(LIF))} - {*ARGUMENTS}:
        own = OWN | {"step": [f"v = v + x + {name}"], "spike": "v > 1", "surrogate": {}}
        own |= {"parameters": {name: {"kind": "grid", "value": 0.5}}, "learn": [name] * learns}
        neurons = cells(own).eval().train()
        for attribute, present in list(vars(neurons).items()):
            setattr(neurons, attribute, present)
        assert dict(neurons.state_dict()) == {name: 0.5}
        assert len(list(neurons.parameters())) == len(own["learn"])


def surrogate(neurons: NeuronModule) -> tuple[float, float]:
    known = neurons._kernel_parameters()
    return known["peak"].mean().item(), known["width"].mean().item()


@pytest.mark.parametrize("learn", [[], ["threshold"], ["voltage_decay"]])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tau_grad": 0.5}, (0.1 / (2 * 50 * 19 / 64), 50 * 19 / 64)),
        ({"surrogate": {"peak": 2.0, "width": 0.5}}, (2.0, 0.5)),
        ({"surrogate": {"peak": 2.0}}, (2.0, DEFAULT_WIDTH * 19 / 64)),
        ({}, (DEFAULT_PEAK * 64 / 19, DEFAULT_WIDTH * 19 / 64)),
    ],
)
def test_the_surrogate_has_the_width_of_the_schedule(learn, fields, expected):
    neurons = cells(LIF | {"learn": learn} | fields)
    assert surrogate(neurons) == pytest.approx(expected)
    schedule = {"type": "linear", "start": 1.0, "end": 0.5}
    if "tau_grad" not in fields:
        return
    narrowing = cells(LIF | {"learn": learn, "tau_grad": schedule})
    before = surrogate(narrowing)
    narrowing.surrogate.set(1.0)
    assert surrogate(narrowing) == pytest.approx(expected)
    assert before == pytest.approx((expected[0] / 2, expected[1] * 2))


def test_derived_parameters_follow_their_values():
    neurons = cells(RF | {"tau_grad": 1.0})
    first = neurons._kernel_parameters()
    assert first["sine"].item() == pytest.approx(0.9 * math.sin(2 * math.pi / 7))
    neurons.value("period").fill_(9.0)
    neurons.value("threshold").fill_(0.5)
    changed = neurons._kernel_parameters()
    assert changed["sine"].item() == pytest.approx(0.9 * math.sin(2 * math.pi / 9))
    assert changed["width"].item() == 0.5 * 0.5
    learnt = cells(RF | {"learn": ["period"]})
    learnt._kernel_parameters()["sine"].backward()
    slope = -0.9 * math.cos(2 * math.pi / 7) * 2 * math.pi / 49
    assert learnt.value("period").grad.item() == pytest.approx(slope)


def test_the_norm_divides_by_a_power_of_two_near_the_deviation():
    neurons = cells(LIF | {"norm": "mean_variance"})
    values_TBN = torch.randn(40, 3, 5) * torch.tensor([1.0, 2, 3, 4, 5]) + 3
    mean = torch.round(32 * values_TBN.mean((0, 1))) / 32
    deviation = values_TBN.numpy().std()
    bias = torch.tensor([0.5, 0, 0, 0, -0.25])
    expected = (values_TBN - mean + bias) / 2 ** math.ceil(math.log2(deviation))
    torch.testing.assert_close(neurons.norm(values_TBN, bias), expected)
    running = neurons.norm.running_var.item()
    assert running == pytest.approx(0.1 * deviation**2 * 120 / 121, rel=1e-4)
    neurons.norm.running_var.fill_(float(deviation) ** 2)
    neurons.norm.running_mean.copy_(mean)
    torch.testing.assert_close(neurons.norm.eval()(values_TBN, bias), expected)


@pytest.mark.parametrize("kind", ["alif", "rf"])
def test_recorded_states_are_those_of_the_equations(kind):
    model = of_kind(KINDS[kind])
    input_TBN = spikes(25, 1, 10, density=0.4)
    with model.record("a") as recording:
        model(input_TBN)
    block = model.layers["a"]
    arriving = [
        (4096 * (input_TBN[:, 0] @ weight.T)).long().numpy() for weight in block.synapse.weights()
    ]
    section = block.neuron.section
    values = {name: [v] * 6 for name, v in section.derive(math, section.values()).items()}
    expected = run_equations(section.definition(), values, arriving)
    found = recording["a"].states
    assert list(found) == list(expected.before_reset_TN)
    for name, state_TN in expected.before_reset_TN.items():
        np.testing.assert_array_equal(found[name][:, 0].numpy() * 4096, state_TN)
    level_TBN = 19 / 64 + (found["a"] + found["r"] if kind == "alif" else 0 * found["re"])
    assert torch.equal(recording["a"].threshold, level_TBN)
    for arrived_TBN, integers_TN in zip(recording["a"].inputs.values(), arriving, strict=True):
        np.testing.assert_array_equal(arrived_TBN[:, 0].detach().numpy() * 4096, integers_TN)
    if kind == "rf":
        with pytest.raises(ValueError, match="re, im"):
            _ = recording["a"].voltages
