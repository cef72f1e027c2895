"""The squared error of values against numpy in float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.modules_samples import dense, graph

from netdesc.description.models.loss import MeanSquaredError
from netdesc.losses import ValueErrorSums, build_loss

OVER = {
    "each_step": lambda output: output,
    "mean": lambda output: output.mean(0, keepdims=True),
    "sum": lambda output: output.sum(0, keepdims=True),
    "max": lambda output: output.max(0, keepdims=True),
    "last": lambda output: output[-1:],
}


def loss_of(over: str = "each_step", skip: int = 0, reduction: str = "mean"):
    node = MeanSquaredError(
        type="mean_squared_error", over=over, skip_steps=skip, reduction=reduction
    )
    return build_loss(replace(graph(dense("only", 3)), losses=(node,), classifier=None))


@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 6),
    skip=st.integers(0, 5),
    shape=st.sampled_from([(1,), (3,), (2, 2)]),
    over=st.sampled_from([*OVER]),
    reduction=st.sampled_from(["mean", "sum"]),
    by_step=st.booleans(),
)
def test_loss_gradient_and_errors(seed, steps, skip, shape, over, reduction, by_step):
    rng, skip, batch = np.random.default_rng(seed), min(skip, steps - 1), 2
    output = rng.normal(size=(steps, batch, *shape))
    target = rng.normal(size=(steps, batch, *shape) if by_step else (batch, *shape))
    loss = loss_of(over, skip, reduction)
    output_TBN = torch.tensor(output, requires_grad=True)
    if by_step and over != "each_step" and steps > 1:
        with pytest.raises(ValueError, match="is needed"):
            loss(output_TBN, torch.tensor(target))
        return
    value = loss(output_TBN, torch.tensor(target))
    kept = OVER[over](output[skip:])
    error = kept - (target[-len(kept) :] if by_step else target)
    total = (error**2).sum() if reduction == "sum" else (error**2).mean()
    assert value.item() == pytest.approx(total, rel=1e-5)
    value.backward()
    assert not output_TBN.grad[:skip].any()
    if over == "each_step":
        gradient = 2 * error / (1 if reduction == "sum" else error.size)
        np.testing.assert_allclose(output_TBN.grad[skip:], gradient, rtol=1e-5, atol=1e-6)
    sums = ValueErrorSums(loss.main)
    for sample in range(batch):
        chosen = slice(sample, sample + 1)
        of_sample = target[:, chosen] if by_step else target[chosen]
        sums.add(torch.tensor(output[:, chosen]), torch.tensor(of_sample))
    found, goal = sums.errors(), np.broadcast_to(kept - error, kept.shape)
    smape = np.mean(2 * np.abs(error) / (np.abs(kept) + np.abs(goal)))
    assert found.root_mean_squared_error == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    assert found.smape == pytest.approx(smape, rel=1e-3)
    spread = np.square(goal - goal.mean((0, 1))).sum((0, 1))
    r2 = np.mean(1 - np.square(error).sum((0, 1)) / spread)
    assert found.r2 == pytest.approx(r2, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("output", "target", "message"),
    [
        ((4, 2, 3), (4, 2, 2), r"\[2, 3\], or \[4, 2, 3\] with one per step"),
        ((4, 2, 3), (3, 2, 3), "with one per step"),
        ((4, 2), (4, 2), "each at least 1"),
        ((1, 2, 3), (2, 3), "skip_steps is 1"),
    ],
)
def test_shapes_that_do_not_fit(output, target, message):
    with pytest.raises(ValueError, match=message):
        loss_of(skip=1)(torch.zeros(output), torch.zeros(target))
