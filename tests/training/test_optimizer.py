"""Optimizers: equal to torch's, on contiguous gradients; their state as tensors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.modules_samples import dense, graph, neuron
from support.training_task import small_network, write_task
from torch import nn

from netdesc.description.models import Group
from netdesc.modules import build
from netdesc.training.optimizer import (
    build_optimizer,
    load_optimizer_tensors,
    optimizer_tensors,
    parameter_kind,
    set_learning_rate,
)

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
    return SimpleNamespace(optimizer=optimizer, groups=groups)


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


def test_training_loads_no_compiler(tmp_path: Path) -> None:
    """Importing it would dominate the time of a short run."""
    document = write_task(tmp_path / "task", epochs=1)
    code = (
        "import sys, netdesc\n"
        "run = netdesc.train(netdesc.load(sys.argv[1]), run_dir=sys.argv[2], progress='quiet')\n"
        "print(run.status, 'torch._dynamo' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(document), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == ["done", "False"]


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


@pytest.mark.parametrize("damage", [lambda x: x[:1], lambda x: x.double(), lambda x: x.sum()])
def test_state_that_does_not_fit_the_parameters_is_refused(damage: Any) -> None:
    root = small_network()
    optimizer = build_optimizer(training(SPECS[0]), root)
    give_gradients(root, 0)
    optimizer.step()
    tensors = optimizer_tensors(optimizer, root)
    name = "layers.first.synapse.weight.exp_avg"
    with pytest.raises(ValueError, match="exp_avg has shape"):
        load_optimizer_tensors(optimizer, root, tensors | {name: damage(tensors[name])})


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
