"""Metrics of an epoch: what is added up over batches, and what is called a fault."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.training_task import small_network
from torch import nn

from netdesc.training.metrics import Figures, weight_fault

FAULT_OF_WEIGHT = 'a weight of layer "first" is NaN or too large'
FAULT_OF_GRADIENT = 'the gradient of layer "second" is NaN or too large for 32-bit floats'


def prepared(seed: int = 0) -> tuple[nn.Module, Figures]:
    """A network after a pass, with gradients."""
    root = small_network()
    figures = Figures(root)
    run(root, figures, seed)
    return root, figures


def run(root: nn.Module, figures: Figures, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, block in root.layers.items():
        size = block(torch.ones(2, 1, 3)).numel()
        figures.note(name, block.notes, size)
    for parameter in root.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@settings(deadline=None)
@given(
    st.integers(0, 10_000),
    st.lists(st.floats(0, width=32) | st.just(math.nan), min_size=1, max_size=4),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
)
@example(0, [math.inf, -math.inf], 1.0, 1.0)
def test_metrics_are_sums_over_batches_by_layer(
    seed: int, losses: list[float], share: float, loss_share: float
) -> None:
    """And the same twice: what was read is forgotten."""
    root, figures = prepared()
    readings = []
    for _ in range(2):
        norms = {"first": 0.0, "second": 0.0}
        for number, loss in enumerate(losses):
            run(root, figures, seed + number)
            figures.add(torch.tensor(loss), share, loss_share)
            for name, block in root.layers.items():
                flat = torch.cat([p.grad.flatten() for p in block.parameters()])
                norms[name] += share * flat.norm().item()
            total = torch.cat([p.grad.flatten() for p in root.parameters()]).norm()
            torch.testing.assert_close(figures.gradient_norm(), total)
        readings.append(figures.read())
    first, second = readings
    with_loss = torch.tensor(loss_share * sum(losses)).item()
    assert first.loss == pytest.approx(with_loss, rel=1e-5, nan_ok=True)
    assert first.gradient_norms == pytest.approx(norms, rel=1e-5)
    rate = 0.3 * share * len(losses)
    assert first.spike_rates == pytest.approx({"first": rate, "second": rate})
    assert first.fault == (None if math.isfinite(first.loss) else f"the loss is {first.loss}")
    assert repr(first) == repr(second)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 3e38])
def test_the_first_layer_at_fault_is_named(bad: float) -> None:
    """A sum that 32 bits cannot hold is a fault, too."""
    root, figures = prepared()
    root.layers["second"].synapse.weight.grad[:, 1] = bad
    figures.add(torch.tensor(math.inf), 1.0, 1.0)
    assert figures.read().fault == FAULT_OF_GRADIENT
    with torch.no_grad():
        root.layers["first"].synapse.weight[0, :2] = bad
    figures.add(torch.tensor(math.inf), 1.0, 1.0)
    assert figures.read().fault == weight_fault(root) == FAULT_OF_WEIGHT
    assert weight_fault(small_network()) is None


def test_losses_are_alike_but_for_their_rounding() -> None:
    """Or the best epoch of a network that learns nothing would be a matter of how batches fall."""
    found: set[float] = set()
    for noise in (0.0, 1e-5, 5e-5):
        _, figures = prepared()
        for loss in (6000.25, 2547.0, noise):
            figures.add(torch.tensor(loss), 1.0, 1.0)
        found.add(figures.read().loss)
    assert len(found) == 1


@given(st.integers(0, 100))
@settings(deadline=None, max_examples=10)
def test_norms_do_not_depend_on_the_number_of_threads(seed: int) -> None:
    root = nn.Module()
    root.layers = nn.ModuleDict({"one": nn.Linear(300, 300, bias=False)})
    parameter = next(root.parameters())
    parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
    before, found = torch.get_num_threads(), set()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            figures = Figures(root)
            figures.note("one", torch.tensor([0, 0, 0, 3]), 10)
            figures.add(torch.tensor(1.0), 1.0, 1.0)
            found.add(figures.gradient_norm().item())
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1
