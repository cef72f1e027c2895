"""Learning rates by epoch, and early stopping."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netdesc.description.models import PlateauSchedule, Training
from netdesc.description.models.training import EarlyStopping
from netdesc.training.schedule import Plateaus, Stopping, build_schedule

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
