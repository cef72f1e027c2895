"""The van Rossum distance by numpy's convolution, and a check of engines against it."""

import numpy as np
import pytest
import torch
from support.cuba_cases import device_of

from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine

TOLERANCE = 1e-6
"""Relative to the loss, and to the largest gradient."""


def impulse(decay: float, order: int, length: int) -> np.ndarray:
    """``decayⁿ``, convolved with itself by numpy and cut."""
    once = decay ** np.arange(length, dtype=np.float64)
    h = once
    for _ in range(order - 1):
        h = np.convolve(h, once)[:length]
    return h


def filtered(difference_TN: np.ndarray, h: np.ndarray) -> np.ndarray:
    columns = [np.convolve(column, h)[: len(column)] for column in difference_TN.T]
    return np.stack(columns, axis=1)


def expected(output: np.ndarray, target: np.ndarray, h: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss, and its gradient with respect to the output: the transposed convolution of 2f."""
    steps, batch, neurons = output.shape
    difference = (output.astype(np.float64) - target).reshape(steps, batch * neurons)
    f = filtered(difference, h)
    gradient = 2 * filtered(f[::-1], h)[::-1]
    return (f * f).sum(), gradient.reshape(output.shape)


def check(output, target, decay, order, length, engines, tolerance=TOLERANCE) -> None:
    """Checks the loss, alone and with both gradients of 3 times the loss, on each engine."""
    loss, gradient = expected(output, target, impulse(decay, order, min(length, len(output))))
    size = np.abs(gradient).max()
    for engine in engines:
        trains = (torch.tensor(train, device=device_of(engine)) for train in (output, target))
        leaves = [train.requires_grad_() for train in trains]
        with use_engine(engine):
            found, _ = operators.spike_time(*leaves, decay, order, length, True)
            (3 * found).backward()
            loss_only, no_grad = operators.spike_time(*leaves, decay, order, length, False)
        assert found.item() == pytest.approx(loss, rel=tolerance)
        assert found.dtype == torch.float32
        assert loss_only == found
        assert no_grad.numel() == 0
        by_output, by_target = (leaf.grad.cpu().numpy() for leaf in leaves)
        np.testing.assert_allclose(by_output, 3 * gradient, rtol=0, atol=3 * tolerance * size)
        np.testing.assert_array_equal(by_target, -by_output)


def random_spikes(seed: int, steps: int, batch: int, neurons: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = steps, batch, neurons
    return tuple((rng.random(shape) < share).astype(np.float32) for share in (0.1, 0.05))
