"""Optimizers equal to torch's, their state as tensors; learning rates by epoch; early stopping."""

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.modules_samples import dense, graph, neuron
from support.training_task import small_network
from torch import nn

from netdesc.description.models.training import EarlyStopping, Group, PlateauSchedule, Training
from netdesc.modules import build
from netdesc.training.optimizer import (
    build_optimizer,
    load_optimizer_tensors,
    optimizer_tensors,
    parameter_kind,
    set_learning_rate,
)
from netdesc.training.schedule import Plateaus, Stopping, build_schedule

ADAM = {"learning_rate": 0.1, "weight_decay": 0.0, "betas": (0.9, 0.999), "eps": 1e-8}
SGD = {"learning_rate": 0.1, "weight_decay": 0.0, "momentum": 0.0, "nesterov": False}
SPECS = [
    SimpleNamespace(type="adam", **ADAM),
    SimpleNamespace(type="adamw", **ADAM | {"weight_decay": 0.1}),
    SimpleNamespace(type="radam", **ADAM | {"weight_decay": 0.1}),
    SimpleNamespace(type="sgd", **SGD | {"weight_decay": 0.1}),
    SimpleNamespace(type="sgd", **SGD | {"momentum": 0.9, "nesterov": True}),
]
PLAIN = {
    "adam": lambda spec, groups: torch.optim.Adam(groups, spec.learning_rate, foreach=False),
    "adamw": lambda spec, groups: torch.optim.AdamW(groups, spec.learning_rate, foreach=False),
    "radam": lambda spec, groups: torch.optim.RAdam(groups, spec.learning_rate, foreach=False),
    "sgd": lambda spec, groups: torch.optim.SGD(
        groups, spec.learning_rate, spec.momentum, nesterov=spec.nesterov, foreach=False
    ),
}


def training(optimizer: SimpleNamespace, *groups: Group) -> Any:
    rate = optimizer.learning_rate
    return SimpleNamespace(optimizer=optimizer, groups=groups, learning_rate=rate)


def give_gradients(root: nn.Module, seed: int, is_transposed: bool = False) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in root.parameters():
        gradient = torch.randn(parameter.shape, generator=generator)
        turns = is_transposed and gradient.ndim == 2
        parameter.grad = gradient.mT.contiguous().mT if turns else gradient


@pytest.mark.parametrize("spec", SPECS, ids=str)
@given(st.lists(st.tuples(st.integers(0, 99), st.booleans()), min_size=1, max_size=6))
@settings(deadline=None, max_examples=20)
def test_steps_equal_those_of_torch_without_fusing(
    spec: SimpleNamespace, steps: list[tuple[int, bool]]
) -> None:
    """For any layout of the gradients; weight decay acts on synapses only."""
    fused_network, plain_network = small_network(), small_network()
    blocks = plain_network.layers.values()
    decay = {"weight_decay": spec.weight_decay}
    groups = [
        {"params": [block.synapse.weight for block in blocks]} | decay,
        {"params": [block.neuron.current_decay for block in blocks], "weight_decay": 0.0},
    ]
    optimizer, plain = (
        build_optimizer(training(spec), fused_network),
        PLAIN[spec.type](spec, groups),
    )
    for seed, is_transposed in steps:
        for root, each, turns in (
            (fused_network, optimizer, is_transposed),
            (plain_network, plain, False),
        ):
            each.zero_grad()
            assert all(parameter.grad is None for parameter in root.parameters())
            give_gradients(root, seed, turns)
            each.step()
    for mine, other in zip(fused_network.parameters(), plain_network.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("spec", SPECS, ids=str)
@given(st.integers(0, 3), st.integers(1, 3))
@settings(deadline=None, max_examples=12)
def test_restored_state_is_bit_identical(spec: SimpleNamespace, before: int, after: int) -> None:
    uninterrupted, first, second = small_network(), small_network(), small_network()
    steady, begun, resumed = (
        build_optimizer(training(spec), root) for root in (uninterrupted, first, second)
    )
    for seed in range(before + after):
        give_gradients(uninterrupted, seed)
        steady.step()
    for seed in range(before):
        give_gradients(first, seed)
        begun.step()
    tensors = {key: value.clone() for key, value in optimizer_tensors(begun, first).items()}
    second.load_state_dict(first.state_dict())
    load_optimizer_tensors(resumed, second, tensors)
    for seed in range(before, before + after):
        give_gradients(second, seed)
        resumed.step()
    for mine, other in zip(uninterrupted.parameters(), second.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_weight_decay_acts_on_the_weights_of_synapses_alone() -> None:
    learning = neuron(learn=["threshold", "voltage_decay"])
    recurrent = {"name": "b", "type": "recurrent", "units": 3, "weight_norm": True}
    unlike = {"name": "c", "type": "neurons", "bias": 0.5, "neuron": neuron()}
    delayed = {"delay": {"learn": True, "max_steps": 4}, "bias": True}
    last = dense("a", 4, neuron=learning, **delayed)
    network = build(graph(recurrent | {"neuron": neuron()}, unlike, last))
    (spec,) = [each for each in SPECS if each.type == "adamw"]
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    decaying = {
        names[id(parameter)]
        for group in build_optimizer(training(spec), network).param_groups
        for parameter in group["params"]
        if group["weight_decay"]
    }
    assert decaying == {
        "layers.a.synapse.weight",
        "layers.b.synapse.weight",
        "layers.b.recurrent.weight",
    }


def test_groups_have_their_own_rates_in_proportion() -> None:
    """Each parameter is in the first group that has its kind and its layer; the rule about empty
    groups knows the kinds, too.
    """
    learning = neuron(learn=["threshold", "voltage_decay"], per_channel=True)
    unlike = {"name": "b", "type": "neurons", "bias": 0.5, "neuron": neuron()}
    graph_ = graph(dense("a", 4, neuron=learning, weight_norm=True), unlike)
    root = build(graph_)
    groups = (
        Group(parameters=("decays",), layers=("a",), learning_rate=0.02),
        Group(parameters=("decays", "weights"), layers=("a",), learning_rate=0.3),
    )
    optimizer = build_optimizer(training(SPECS[0], *groups), root)
    names = {id(parameter): name for name, parameter in root.named_parameters()}
    for rate, factor in ((0.1, 1), (0.05, 0.5)):
        set_learning_rate(optimizer, rate)
        found = {
            names[id(parameter)].removeprefix("layers."): pytest.approx(group["lr"] / factor)
            for group in optimizer.param_groups
            for parameter in group["params"]
        }
        assert found == {
            "a.synapse.weight": 0.3,
            "a.synapse.gain": 0.3,
            "a.neuron.voltage_decay": 0.02,
            "a.neuron.threshold": 0.1,
            "b.synapse.weight": 0.1,
        }
    known = {each.name: set(each.section.trained_kinds(each.neuron)) for each in graph_.layers}
    kinds: dict[str, set[str]] = {"a": set(), "b": set()}
    for name, _ in root.named_parameters():
        layer, kind = parameter_kind(name, root)
        kinds[layer].add(kind)
    assert kinds == known


SAMPLES = 4
"""A power of two, by which every loss is multiplied exactly."""
RATES = st.floats(1e-6, 10.0)


def schedule_of(rate: float, last: int, /, **schedule: Any):
    optimizer = {"type": "sgd", "learning_rate": rate}
    training = Training.model_validate(
        {"epochs": last, "optimizer": optimizer, "schedule": schedule}
    )
    at = build_schedule(training)
    return lambda epoch, plateaus=0: at(epoch, plateaus)


@given(RATES, st.integers(1, 10_000), st.data())
def test_constant_stays(rate: float, epochs: int, data: st.DataObject) -> None:
    at = schedule_of(rate, epochs, type="constant")
    assert at(data.draw(st.integers(0, epochs - 1))) == rate


@given(RATES, st.integers(1, 500), st.integers(0, 600), st.floats(0, 1))
def test_cosine_rises_to_the_rate_and_falls_toward_the_final_one(
    rate: float, epochs: int, warmup: int, final_share: float
) -> None:
    final = final_share * rate
    at = schedule_of(rate, epochs, type="cosine", warmup_epochs=warmup, final_rate=final)
    rates = [at(epoch) for epoch in range(epochs)]
    top = min(warmup, epochs)
    assert rates[:top] == sorted(rates[:top])
    assert all(0 < each <= rate for each in rates[:top])
    fall = rates[top:]
    assert all(a >= b - 1e-12 * rate for a, b in itertools.pairwise(fall))
    if fall:
        assert fall[0] == pytest.approx(rate)
        assert all(each >= final - 1e-12 * rate for each in fall)
        assert fall[-1] > final or final == rate or fall[-1] == pytest.approx(final, rel=1e-6)


@pytest.mark.parametrize(
    ("schedule", "epochs", "rates"),
    [
        (
            {"type": "cosine", "warmup_epochs": 0, "final_rate": 0.0},
            4,
            [1, 0.853553, 0.5, 0.146447],
        ),
        ({"type": "cosine", "warmup_epochs": 4, "final_rate": 0.0}, 100, [0.2, 0.4, 0.6, 0.8, 1]),
        ({"type": "step", "every_epochs": 3, "factor": 0.5}, 10, [1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
        ({"type": "milestones", "epochs": (1, 3), "factor": 0.1}, 10, [1, 0.1, 0.1, 0.01, 0.01]),
    ],
)
def test_rates_by_hand(schedule: dict[str, Any], epochs: int, rates: list[float]) -> None:
    """The cosine has half the rate in the middle; no epoch has rate 0."""
    at = schedule_of(1.0, epochs, **schedule)
    assert [at(epoch) for epoch in range(len(rates))] == pytest.approx(rates, rel=1e-4)


@given(
    st.lists(st.floats(0, 10), max_size=40),
    st.integers(1, 5),
    st.floats(0, 0.9),
    st.floats(0.01, 0.9),
    st.floats(0, 2),
)
def test_a_plateau_lowers_the_rate_as_in_torch(
    losses: list[float], patience: int, min_delta: float, factor: float, final: float
) -> None:
    """Also if the state was stored after any epoch. torch waits one epoch longer. ``min_delta`` is
    a loss a sample, of losses that are sums.
    """
    schedule = PlateauSchedule(
        type="plateau",
        factor=factor,
        patience_epochs=patience,
        min_delta=min_delta,
        final_rate=final,
    )
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "min", factor, patience - 1, min_delta, "abs", min_lr=min(final, 1.0), eps=0
    )
    at, plateaus = schedule_of(1.0, 100, **schedule.model_dump()), Plateaus()
    for epoch, loss in enumerate(losses):
        plateaus = replace(plateaus)
        plateaus.update(loss * SAMPLES, schedule, SAMPLES)
        theirs.step(loss)
        assert at(epoch, plateaus.count) == pytest.approx(optimizer.param_groups[0]["lr"])


@given(st.lists(st.floats(0, 1e6), max_size=50), st.integers(1, 5), st.floats(0, 10))
def test_early_stopping_ends_after_patience_epochs_without_progress(
    losses: list[float], patience: int, min_delta: float
) -> None:
    stopping, early = Stopping(), EarlyStopping(patience_epochs=patience, min_delta=min_delta)
    reference, since = math.inf, 0
    for loss in losses:
        stopping.update(loss * SAMPLES, early, SAMPLES)
        stopping.update(loss, None, SAMPLES)
        since = 0 if loss < reference - min_delta else since + 1
        reference = loss if since == 0 else reference
        assert stopping.is_over(early) == (since >= patience)
        assert not stopping.is_over(None)
