"""Losses of any signal, and their sum, against formulas in float64."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.modules_samples import dense, graph
from torch import Tensor
from torch.nn import functional

from netdesc.description.models.loss import (
    CrossEntropy,
    EventRate,
    MeanSquaredError,
    SpikeMax,
    SpikeMoid,
    SpikeRate,
)
from netdesc.losses import TotalLoss, build_loss

OVER: dict[str, Callable[[Tensor], Tensor]] = {
    "each_step": lambda x: x,
    "mean": lambda x: x.mean(0, keepdim=True),
    "sum": lambda x: x.sum(0, keepdim=True),
    "max": lambda x: x.amax(0, keepdim=True),
    "last": lambda x: x[-1:],
}
PLAIN = graph(dense("hidden", 3), dense("last", 3))


def total(*losses: Any, regularizers: tuple[EventRate, ...] = ()) -> TotalLoss:
    return build_loss(replace(PLAIN, losses=losses, classifier=None, regularizers=regularizers))


def window_means(x_TBN: Tensor, window: int) -> Tensor:
    silent = torch.zeros(window, *x_TBN.shape[1:], dtype=x_TBN.dtype)
    return torch.cat([silent, x_TBN]).unfold(0, window, 1)[1:].sum(-1) / window


def rate_costs(values: Tensor, labels: Tensor) -> Tensor:
    goal = torch.full_like(values, 0.03).scatter(-1, labels.unsqueeze(-1), 0.2)
    return (values - goal) ** 2


def label_costs(values: Tensor, labels: Tensor) -> Tensor:
    return -values.log_softmax(-1).gather(-1, labels.unsqueeze(-1))


def hot_costs(values: Tensor, hot: Tensor) -> Tensor:
    probability = torch.sigmoid((values - 0.1) / 0.5)
    return functional.binary_cross_entropy(probability, hot.expand(values.shape), reduction="none")


KINDS: dict[str, tuple[Any, dict[str, Any], Callable[[Tensor, Tensor], Tensor]]] = {
    "spike_rate": (SpikeRate, {}, rate_costs),
    "spike_max": (SpikeMax, {"mode": "softmax"}, label_costs),
    "cross_entropy": (CrossEntropy, {}, label_costs),
    "spike_moid": (SpikeMoid, {"alpha": 0.5, "theta": 0.1}, hot_costs),
    "mean_squared_error": (MeanSquaredError, {}, lambda values, goal: (values - goal) ** 2),
}


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(list(KINDS)),
    over=st.sampled_from(list(OVER)),
    window=st.one_of(st.none(), st.integers(1, 9)),
    reduction=st.sampled_from(["sum", "mean"]),
    steps=st.integers(1, 8),
    skip=st.integers(0, 7),
    by_step=st.booleans(),
    weights=st.none() | st.tuples(*[st.sampled_from([0.0, 0.5, 3.0])] * 3),
)
def test_values_and_gradients_are_those_of_the_formula(
    seed, kind, over, window, reduction, steps, skip, by_step, weights
):
    """Targets are those of samples or, if each step is compared, of steps."""
    section, fields, costs = KINDS[kind]
    generator, skip = torch.Generator().manual_seed(seed), min(skip, steps - 1)
    is_windowed = window is not None and "window_steps" in section.model_fields
    fields = fields | ({"window_steps": window} if is_windowed else {"over": over})
    is_weighted = weights is not None and "class_weights" in section.model_fields
    fields = fields | ({"class_weights": weights} if is_weighted else {})
    loss = total(section(type=kind, reduction=reduction, skip_steps=skip, **fields))
    x_TBN = torch.randn(steps, 2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    by_step = by_step and (is_windowed or over == "each_step")
    shape = (steps, 2) if by_step else (2,)
    if kind in ("spike_moid", "mean_squared_error"):
        target = torch.randint(2, (*shape, 3), generator=generator).double()
    else:
        target = torch.randint(3, shape, generator=generator)
    kept = x_TBN[skip:]
    values = window_means(kept, window) if is_windowed else OVER[over](kept)
    goal = target[skip:] if by_step else target.expand(len(values), *target.shape)
    cost = costs(values, goal)
    if is_weighted:
        cost = cost * torch.tensor(weights, dtype=torch.float64)[goal].unsqueeze(-1)
    expected = getattr(cost, reduction)()
    (gradient,) = torch.autograd.grad(expected, x_TBN)
    single = x_TBN.detach().float().requires_grad_()
    found = loss(single, target)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-5)
    (own,) = torch.autograd.grad(found, single)
    torch.testing.assert_close(own.double(), gradient, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.1, 9))
def test_a_list_adds_up_with_weights_and_regularizers(seed, lowest, width, weight):
    generator = torch.Generator().manual_seed(seed)
    signals = {
        name: torch.rand(9, 4, 3, generator=generator).requires_grad_()
        for name in (("last", "output"), ("hidden", "output"), ("hidden", "v"))
    }
    labels = torch.randint(3, (4,), generator=generator)
    loss = total(
        CrossEntropy(type="cross_entropy", weight=weight),
        CrossEntropy.model_validate(
            {"type": "cross_entropy", "from": "hidden", "signal": "v", "over": "max"}
        ),
        regularizers=(
            EventRate(type="event_rate", min_rate=lowest, max_rate=lowest + width, weight=weight),
            EventRate(type="event_rate", layers=("hidden",), max_rate=0.2),
        ),
    )
    found = loss(signals, labels)
    exact = {name: each.detach().double().requires_grad_() for name, each in signals.items()}
    rates = [exact[name, "output"].abs().mean() for name in ("hidden", "last")]

    def penalty(rate: Tensor, low: float, high: float) -> Tensor:
        return functional.relu(rate - high) ** 2 + functional.relu(low - rate) ** 2

    expected = weight * functional.cross_entropy(exact["last", "output"].mean(0), labels)
    expected = expected + functional.cross_entropy(exact["hidden", "v"].amax(0), labels)
    expected = expected + weight * sum(penalty(each, lowest, lowest + width) for each in rates)
    expected = expected + penalty(rates[0], 0.0, 0.2)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert sum(each.item() for each in loss.terms(signals, labels)) == pytest.approx(found.item())
    for own, other in zip(
        torch.autograd.grad(found, list(signals.values()), allow_unused=True),
        torch.autograd.grad(expected, list(exact.values()), allow_unused=True),
        strict=True,
    ):
        torch.testing.assert_close(own.double(), other, rtol=1e-4, atol=1e-6)


def test_a_missing_signal_is_named():
    loss = total(CrossEntropy(type="cross_entropy"), CrossEntropy(type="cross_entropy", signal="v"))
    with pytest.raises(ValueError, match=r'reads "v" of layer "last": .*model\.signals'):
        loss(torch.zeros(4, 2, 3), torch.zeros(2, dtype=torch.int64))
