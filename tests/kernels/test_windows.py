"""Losses and classes of a moving window: the engines against the definition in 64 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.cuba_cases import ENGINES

from netdesc.kernels import operators
from netdesc.kernels.engine import use_engine
from netdesc.kernels.reference import windows as reference
from netdesc.kernels.reference.windows import COSTS, CostParameters

SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 5), st.integers(1, 70))
OUTPUTS = st.sampled_from(["silent", "spikes", "full", "sums", "large", "graded", "negative"])


def output_of(kind: str, shape: tuple[int, int, int], seed: int) -> torch.Tensor:
    """An output; sums of graded ones are exact in 64 bits."""
    rng = np.random.default_rng(seed)
    spikes = rng.random(shape) < (1.0 if kind == "full" else 0.2)
    sizes = {
        "silent": np.zeros(shape),
        "sums": rng.integers(1, 71, shape),
        "large": rng.integers(1, 65_536, shape),
        "graded": rng.integers(1, 1 << 20, shape) / (1 << 16),
        "negative": rng.integers(-100, 100, shape) / 64,
    }
    return torch.from_numpy((spikes * sizes.get(kind, 1.0)).astype(np.float32))


def labels_of(shape: tuple[int, int, int], by_step: bool, seed: int) -> torch.Tensor:
    """[steps, batch], the same in all steps unless ``by_step``."""
    steps, batch, neurons = shape
    rng = np.random.default_rng(seed + 1)
    labels = rng.integers(0, neurons, (steps, batch) if by_step else batch)
    return torch.from_numpy(labels).expand(steps, batch)


def loss_and_gradient(engine: str, output_TBN: torch.Tensor, *arguments: Any) -> list[torch.Tensor]:
    """The loss, and the gradient of the output."""
    leaf = output_TBN.clone().requires_grad_()
    with use_engine(engine):
        loss = operators.window_loss(leaf, *arguments)
        return [loss.detach(), *torch.autograd.grad(loss, leaf)]


def expected(
    output_TBN: torch.Tensor, labels_TB: torch.Tensor, window: int, costs: str, *rates: float
) -> list[torch.Tensor]:
    """Loss and gradient by autograd in 64 bits."""
    leaf = output_TBN.to(torch.float64).requires_grad_()
    rate_TBN = reference.window_rates(leaf, window)
    loss = (
        COSTS[costs].value(rate_TBN, labels_TB.unsqueeze(-1), CostParameters(window, *rates)).sum()
    )
    return [loss.detach(), *torch.autograd.grad(loss, leaf)]


@given(
    kind=OUTPUTS,
    shape=SHAPES,
    window=st.integers(1, 90),
    costs=st.sampled_from([*COSTS]),
    rates=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    by_step=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=300)
@example("full", (1, 1, 1), 1, "likelihood", (0.0, 0.0), False, 0)
@example("spikes", (70, 2, 64), 70, "softmax", (0.0, 0.0), True, 1)
@example("sums", (70, 2, 33), 69, "squares", (0.9, 0.1), True, 2)
@example("full", (5, 1, 2), 2**62, "squares", (1.0, 0.0), True, 3)
@example("large", (70, 2, 65), 1, "softmax", (0.0, 0.0), True, 4)
def test_loss_gradient_and_classes_are_those_of_the_definition(
    kind: str,
    shape: tuple[int, int, int],
    window: int,
    costs: str,
    rates: tuple[float, float],
    by_step: bool,
    seed: int,
) -> None:
    output_TBN, labels_TB = output_of(kind, shape, seed), labels_of(shape, by_step, seed)
    if kind == "negative" and costs == "likelihood":
        costs = "softmax"  # a negative sum has no logarithm
    arguments = labels_TB, window, costs, *rates
    loss, grad_TBN = expected(output_TBN, *arguments)
    size = max(1 / window, grad_TBN.abs().max().item())
    for engine, tolerance in (("cpu", 1e-6), ("reference", 1e-4)):
        found_loss, found_TBN = loss_and_gradient(engine, output_TBN, *arguments)
        assert found_loss.dtype == found_TBN.dtype == torch.float32
        assert found_loss.item() == pytest.approx(loss.item(), rel=tolerance, abs=tolerance)
        torch.testing.assert_close(found_TBN.double(), grad_TBN, rtol=0, atol=tolerance * size)
    classes_TB = operators.window_classes(output_TBN, window)
    assert classes_TB.dtype == torch.int64
    assert torch.equal(classes_TB, reference.window_classes(output_TBN.to(torch.float64), window))


def test_counts_beyond_32_bit_integers_have_classes() -> None:
    """65,534 spikes in every cell, and one more of one neuron."""
    output_TBN = torch.full((40_000, 1, 3), 65_534.0)
    output_TBN[:, :, 2] += 1
    assert (operators.window_classes(output_TBN, 40_000) == 2).all()


@pytest.mark.parametrize("neurons", [1, 2, 40])
def test_small_costs_are_no_difference_of_large_ones(neurons: int) -> None:
    """The label's neuron spikes at its target rate, the others nearly so."""
    output_TBN = torch.zeros(50, 8, neurons)
    output_TBN[:, :, 0] = 1
    labels_TB = torch.zeros(50, 8, dtype=torch.int64)
    loss, _ = loss_and_gradient("cpu", output_TBN, labels_TB, 1, "squares", 1.0, 1e-6)
    assert loss.item() == pytest.approx(50 * 8 * (neurons - 1) * 1e-12, rel=1e-6)


@pytest.mark.parametrize("times", [1, 70])
def test_one_class_is_certain(times: int) -> None:
    output_TBN = times * output_of("spikes", (300, 2, 1), 7)
    labels_TB = torch.zeros(300, 2, dtype=torch.int64)
    for costs in ("softmax", "likelihood"):
        loss, grad_TBN = loss_and_gradient("cpu", output_TBN, labels_TB, 7, costs, 0.0, 0.0)
        assert loss == 0
        if costs == "softmax":  # the likelihood has a gradient where the neuron is silent
            assert not grad_TBN.any()


@pytest.mark.parametrize("costs", COSTS)
def test_the_gradient_is_scaled_and_may_be_computed_twice(costs: str) -> None:
    shape = 40, 3, 50
    output_TBN, labels_TB = output_of("spikes", shape, 8), labels_of(shape, True, 8)
    _, once = loss_and_gradient("cpu", output_TBN, labels_TB, 5, costs, 0.5, 0.1)
    leaf = output_TBN.clone().requires_grad_()
    loss = operators.window_loss(leaf, labels_TB, 5, costs, 0.5, 0.1)
    for _ in range(2):
        (grad_TBN,) = torch.autograd.grad(-0.375 * loss, leaf, retain_graph=True)
        torch.testing.assert_close(grad_TBN, -0.375 * once, rtol=1e-6, atol=0)


@pytest.mark.parametrize("costs", COSTS)
def test_results_do_not_depend_on_the_number_of_threads(costs: str) -> None:
    shape = 200, 7, 40
    output_TBN, labels_TB = output_of("spikes", shape, 6), labels_of(shape, True, 6)
    results: list[list[torch.Tensor]] = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            found = loss_and_gradient("cpu", output_TBN, labels_TB, 9, costs, 0.5, 0.1)
            results.append([operators.window_classes(output_TBN, 9), *found])
    finally:
        torch.set_num_threads(before)
    for each in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], each, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_TBN": torch.zeros(5, 2)}, r"shape \[5, 2\]"),
        ({"output_TBN": torch.zeros(5, 2, 3, dtype=torch.float64)}, "computes in float32"),
        ({"labels_TB": torch.zeros(5, 3, dtype=torch.int64)}, r"shape \[5, 3\] do not fit"),
        ({"labels_TB": torch.zeros(5, 2)}, r"labels of type torch.float32"),
        ({"window": 0}, "a window of 0 steps; at least 1"),
        ({"costs": "other"}, "unknown costs 'other'; .* squares, softmax, likelihood"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    engine: str, changes: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {
        "output_TBN": torch.zeros(5, 2, 3),
        "labels_TB": torch.zeros(5, 2, dtype=torch.int64),
        "window": 3,
        "costs": "squares",
        "true_rate": 0.5,
        "false_rate": 0.1,
    }
    with use_engine(engine), pytest.raises(ValueError, match=message):
        operators.window_loss(**(arguments | changes))


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_neuron_is_refused(label: int) -> None:
    labels_TB = torch.zeros(5, 2, dtype=torch.int64)
    labels_TB[4, 1] = label
    with pytest.raises(ValueError, match=rf"a label is {label}; with 3 neurons, labels are 0 to 2"):
        operators.window_loss(torch.zeros(5, 2, 3), labels_TB, 3, "softmax", 0.0, 0.0)
