"""Metrics of an epoch: sums over batches, and the search for NaN and infinity."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.thread_counts import check_thread_counts
from support.training_task import small_network
from torch import nn

from netdesc.kernels.layer_neurons import LayerCounts
from netdesc.training.metrics import EpochMetricsSum


def network_with_gradients(seed: int = 0) -> tuple[nn.Module, EpochMetricsSum]:
    """A network after a pass, with gradients."""
    root = small_network()
    epoch_sum = EpochMetricsSum(root)
    run(root, epoch_sum, seed)
    return root, epoch_sum


def run(root: nn.Module, epoch_sum: EpochMetricsSum, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, block in root.layers.items():
        size = block(torch.ones(2, 1, 3)).numel()
        epoch_sum.set_counts(name, block.counts, size)
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
    """Twice with equal results, because reading resets the sums."""
    root, epoch_sum = network_with_gradients()
    readings = []
    for _ in range(2):
        norms = {"first": 0.0, "second": 0.0}
        for number, loss in enumerate(losses):
            run(root, epoch_sum, seed + number)
            epoch_sum.add_batch([torch.tensor(loss)], share, loss_share)
            for name, block in root.layers.items():
                flat = torch.cat([p.grad.flatten() for p in block.parameters()])
                norms[name] += share * flat.norm().item()
            total = torch.cat([p.grad.flatten() for p in root.parameters()]).norm()
            torch.testing.assert_close(epoch_sum.gradient_norm(), total)
        readings.append(epoch_sum.read_and_reset())
    first, second = readings
    with_loss = torch.tensor(loss_share * sum(losses)).item()
    assert first.loss == pytest.approx(with_loss, rel=1e-5, nan_ok=True)
    assert first.gradient_norms == pytest.approx(norms, rel=1e-5)
    rate = 0.3 * share * len(losses)
    assert first.spike_rates == pytest.approx({"first": rate, "second": rate})
    assert first.non_finite == (None if math.isfinite(first.loss) else f"the loss is {first.loss}")
    assert repr(first) == repr(second)


def test_losses_that_differ_by_rounding_are_equal() -> None:
    """Otherwise the best epoch of a network that learns nothing depends on the batches."""
    found: set[float] = set()
    for noise in (0.0, 1e-5, 5e-5):
        _, epoch_sum = network_with_gradients()
        for loss in (6000.25, 2547.0, noise):
            epoch_sum.add_batch([torch.tensor(loss)], 1.0, 1.0)
        found.add(epoch_sum.read_and_reset().loss)
    assert len(found) == 1


@given(st.integers(0, 100))
@settings(deadline=None, max_examples=10)
def test_norms_do_not_depend_on_the_number_of_threads(seed: int) -> None:
    root = nn.Module()
    root.layers = nn.ModuleDict({"one": nn.Linear(300, 300, bias=False)})
    parameter = next(root.parameters())
    parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))

    def compute_norm() -> list[torch.Tensor]:
        epoch_sum = EpochMetricsSum(root)
        epoch_sum.set_counts("one", LayerCounts(torch.tensor([0, 0, 0, 3])), 10)
        epoch_sum.add_batch([torch.tensor(1.0)], 1.0, 1.0)
        return [epoch_sum.gradient_norm()]

    check_thread_counts(compute_norm)
