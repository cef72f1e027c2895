"""Optimizers: contiguous gradients, weight decay, and their state as tensors."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from training_task import write_task

from netdesc.kernels.engine import use_engine
from netdesc.training.figures import Figures, Reading, weight_fault
from netdesc.training.optimizer import (
    build_optimizer,
    load_optimizer_tensors,
    make_contiguous,
    optimizer_tensors,
    set_learning_rate,
)

ADAM = {"learning_rate": 0.1, "weight_decay": 0.0, "betas": (0.9, 0.999), "eps": 1e-8}
SGD = {"learning_rate": 0.1, "weight_decay": 0.0, "momentum": 0.0, "nesterov": False}
SPECS = [
    SimpleNamespace(type="adam", **ADAM),
    SimpleNamespace(type="adamw", **ADAM | {"weight_decay": 0.1}),
    SimpleNamespace(type="sgd", **SGD),
    SimpleNamespace(type="sgd", **SGD | {"momentum": 0.9, "nesterov": True}),
]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.synapse = nn.Module()
        self.synapse.weight = nn.Parameter(torch.randn(5, 3))
        self.neuron = nn.Module()
        self.neuron.current_decay = nn.Parameter(torch.tensor(0.5))

        self.notes = torch.tensor([0, 0, 0, 3])  # the last one counts spikes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.synapse.weight.T * self.neuron.current_decay


def network() -> nn.Module:
    torch.manual_seed(0)
    root = nn.Module()
    root.layers = nn.ModuleDict({"first": Block(), "second": Block()})
    return root


def give_gradients(root: nn.Module, seed: int = 1, is_transposed: bool = False) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in root.parameters():
        shape = parameter.shape[::-1] if is_transposed else parameter.shape
        gradient = torch.randn(shape, generator=generator)
        parameter.grad = gradient.mT if gradient.ndim == 2 and is_transposed else gradient


@pytest.mark.parametrize("spec", SPECS)
def test_a_transposed_gradient_changes_the_right_weights(spec: SimpleNamespace) -> None:
    ours, reference = network(), network()
    optimizer, plain = build_optimizer(spec, ours), build_optimizer(spec, reference)
    give_gradients(ours, is_transposed=True)
    for mine, other in zip(ours.parameters(), reference.parameters(), strict=True):
        assert mine.grad is not None
        other.grad = mine.grad.clone(memory_format=torch.contiguous_format)
    assert not ours.layers["first"].synapse.weight.grad.is_contiguous()
    make_contiguous(ours.parameters())
    optimizer.step()
    plain.step()
    for mine, other in zip(ours.parameters(), reference.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_fused_adam_equals_the_plain_one() -> None:
    ours, reference = network(), network()
    optimizer = build_optimizer(SPECS[0], ours)
    plain = torch.optim.Adam(reference.parameters(), lr=0.1, fused=False, foreach=False)
    for seed in range(5):
        for root, each in ((ours, optimizer), (reference, plain)):
            give_gradients(root, seed)
            each.step()
    for mine, other in zip(ours.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


PLAIN = {
    "adam": lambda spec, groups: torch.optim.Adam(
        groups, spec.learning_rate, betas=spec.betas, eps=spec.eps, fused=True
    ),
    "adamw": lambda spec, groups: torch.optim.AdamW(
        groups, spec.learning_rate, betas=spec.betas, eps=spec.eps, fused=True
    ),
    "sgd": lambda spec, groups: torch.optim.SGD(
        groups, spec.learning_rate, spec.momentum, nesterov=spec.nesterov, fused=True
    ),
}


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("plain_first", [False, True])
def test_the_optimizers_are_torch_s_own(spec: SimpleNamespace, plain_first: bool) -> None:
    """Though their methods go without what torch wraps round them, hooks are called."""
    ours, theirs = network(), network()
    by_place = [
        {"params": [block.synapse.weight for block in theirs.layers.values()],
         "weight_decay": spec.weight_decay},
        {"params": [block.neuron.current_decay for block in theirs.layers.values()],
         "weight_decay": 0.0},
    ]  # fmt: skip
    plain = PLAIN[spec.type](spec, by_place) if plain_first else None
    optimizer = build_optimizer(spec, ours)
    plain = plain or PLAIN[spec.type](spec, by_place)
    assert isinstance(optimizer, type(plain))
    called: list[str] = []
    hooks = [
        optimizer.register_step_post_hook(lambda *_: called.append("after ours")),
        optimizer.register_step_pre_hook(lambda *_: called.append("before ours")),
        register_optimizer_step_pre_hook(lambda *_: called.append("before any")),
        register_optimizer_step_post_hook(lambda *_: called.append("after any")),
    ]
    for seed in range(5):
        if seed < 4:  # the last step is without
            hooks[seed].remove()
        for root, each in ((ours, optimizer), (theirs, plain)):
            each.zero_grad()
            assert all(parameter.grad is None for parameter in root.parameters())
            give_gradients(root, seed)
            each.step()
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(mine, other)
            assert mine.requires_grad
    assert [called.count(each) for each in WHEN] == [0, 1, 4, 6]


WHEN = "after ours", "before ours", "before any", "after any"


def test_training_loads_no_compiler(tmp_path: Path) -> None:
    """It would take longer than all else of a short run."""
    document = write_task(tmp_path / "task")
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


def test_weight_decay_spares_neuron_parameters() -> None:
    root = network()
    optimizer = build_optimizer(SPECS[1], root)
    for parameter in root.parameters():
        parameter.grad = torch.zeros_like(parameter)
    block = root.layers["first"]
    before = block.synapse.weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(block.synapse.weight, before * (1 - 0.1 * 0.1))
    assert block.neuron.current_decay == 0.5


@pytest.mark.parametrize("spec", SPECS)
def test_state_put_back_goes_on_to_the_same_bits(spec: SimpleNamespace) -> None:
    straight, first, second = network(), network(), network()
    optimizer = build_optimizer(spec, straight)
    for seed in range(4):
        give_gradients(straight, seed)
        optimizer.step()
    before, after = build_optimizer(spec, first), build_optimizer(spec, second)
    for seed in range(2):
        give_gradients(first, seed)
        before.step()
    tensors = {k: v.clone() for k, v in optimizer_tensors(before, first).items()}
    second.load_state_dict(first.state_dict())
    load_optimizer_tensors(after, second, tensors)
    for seed in range(2, 4):
        give_gradients(second, seed)
        after.step()
    for mine, other in zip(straight.parameters(), second.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_the_rate_reaches_every_group() -> None:
    optimizer = build_optimizer(SPECS[0], network())
    set_learning_rate(optimizer, 0.25)
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}


def figures_of(root: nn.Module) -> Figures:
    return Figures(root)


def run_forward(root: nn.Module, figures: Figures) -> None:
    for name, block in root.layers.items():
        size = block(torch.ones(2, 1, 3)).numel()
        figures.note(name, block.notes, size)


@given(st.integers(0, 10_000), st.lists(st.floats(0.1, 10), min_size=1, max_size=4))
def test_figures_are_means_over_batches_by_layer(seed: int, losses: list[float]) -> None:
    root = network()
    figures = figures_of(root)
    wanted = {"first": 0.0, "second": 0.0}
    for number, loss in enumerate(losses):
        run_forward(root, figures)
        give_gradients(root, seed + number)
        figures.add(torch.tensor(loss), 1 / len(losses), 0.5)
        for name, block in root.layers.items():
            flat = torch.cat([p.grad.flatten() for p in block.parameters()])
            wanted[name] += flat.norm().item() / len(losses)
        total = torch.cat([p.grad.flatten() for p in root.parameters()]).norm()
        torch.testing.assert_close(figures.gradient_norm(), total)
    reading = figures.read()
    assert reading.loss == pytest.approx(0.5 * sum(losses), rel=1e-5)
    assert reading.gradient_norms == pytest.approx(wanted, rel=1e-5)
    assert reading.spike_rates == pytest.approx({"first": 0.3, "second": 0.3})
    assert reading.fault is None


@given(
    st.integers(0, 10_000),
    st.lists(st.floats(0, width=32) | st.just(math.nan), min_size=1, max_size=4),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
)
@example(0, [float("inf"), float("-inf")], 1.0, 1.0)
def test_figures_are_alike_for_all_engines(
    seed: int, losses: list[float], share: float, loss_share: float
) -> None:
    """And the same twice: what was read is forgotten."""
    readings: list[Reading] = []
    for engine in "reference", "cpu":
        with use_engine(engine):
            root = network()
            figures = figures_of(root)
            for _ in range(2):
                for number, loss in enumerate(losses):
                    run_forward(root, figures)
                    give_gradients(root, seed + number)
                    figures.add(torch.tensor(loss), share, loss_share)
                readings.append(figures.read())
    first, *others = readings
    for other in others:
        assert other.loss == pytest.approx(first.loss, rel=1e-6, nan_ok=True)
        assert other.gradient_norms == pytest.approx(first.gradient_norms, rel=1e-6)
        assert other.spike_rates == pytest.approx(first.spike_rates, rel=1e-6)
        assert other.fault == first.fault
    assert repr(readings[2]) == repr(readings[3])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_first_layer_at_fault_is_named(bad: float) -> None:
    root = network()
    figures = figures_of(root)
    run_forward(root, figures)
    give_gradients(root)
    figures.add(torch.tensor(bad), 1.0, 1.0)
    fault = figures.read().fault
    assert fault is not None
    assert fault.startswith("the loss is")

    root.layers["second"].synapse.weight.grad[2, 1] = bad
    figures.add(torch.tensor(bad), 1.0, 1.0)
    of_gradient = 'the gradient of layer "second" is NaN or too large for 32-bit floats'
    assert figures.read().fault == of_gradient

    with torch.no_grad():
        root.layers["first"].synapse.weight[0, 0] = bad
    figures.add(torch.tensor(bad), 1.0, 1.0)
    assert figures.read().fault == 'a weight of layer "first" is NaN or infinite'
    assert weight_fault(root) == 'a weight of layer "first" is NaN or infinite'
    assert weight_fault(network()) is None


@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_what_32_bits_cannot_hold_is_a_fault(engine: str) -> None:
    """Whatever adds up the figures, and whoever asks."""
    with use_engine(engine):
        root = network()
        figures = figures_of(root)
        run_forward(root, figures)
        give_gradients(root)
        root.layers["second"].synapse.weight.grad[:] = 3e38
        figures.add(torch.tensor(1.0), 1.0, 1.0)
        of_gradient = 'the gradient of layer "second" is NaN or too large for 32-bit floats'
        assert figures.read().fault == of_gradient
        with torch.no_grad():
            root.layers["first"].synapse.weight[0, :2] = 3e38
        figures.add(torch.tensor(1.0), 1.0, 1.0)
        assert figures.read().fault == 'a weight of layer "first" is NaN or infinite'
        assert weight_fault(root) == 'a weight of layer "first" is NaN or infinite'


def test_losses_are_alike_but_for_their_rounding() -> None:
    """Or the best epoch of a network that learns nothing would be a matter of how batches fall."""
    found: set[float] = set()
    for noise in (0.0, 1e-5, 5e-5):
        root = network()
        figures = figures_of(root)
        run_forward(root, figures)
        give_gradients(root)
        for loss in (6000.25, 2547.0, noise):
            figures.add(torch.tensor(loss), 1.0, 1.0)
        found.add(figures.read().loss)
    assert len(found) == 1


def test_large_weights_are_no_fault() -> None:
    """Their squares are beyond 32 bits."""
    root = network()
    figures = figures_of(root)
    run_forward(root, figures)
    give_gradients(root)
    with torch.no_grad():
        root.layers["first"].synapse.weight[0, 0] = -3e38
    figures.add(torch.tensor(1.0), 1.0, 1.0)
    assert figures.read().fault is None
    assert weight_fault(root) is None
