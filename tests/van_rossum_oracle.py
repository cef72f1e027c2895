"""The van Rossum distance by numpy's convolution, and an engine held against it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cuba_cases import device_of

from netdesc.kernels import operators
from netdesc.kernels.engine import use_engine


def impulse(decay: float, order: int, length: int) -> np.ndarray:
    """``decayⁿ``, convolved with itself by numpy and cut."""
    once = decay ** np.arange(length, dtype=np.float64)
    h = once
    for _ in range(order - 1):
        h = np.convolve(h, once)[:length]
    return h


def filtered(difference_TN: np.ndarray, h: np.ndarray) -> np.ndarray:
    steps = len(difference_TN)
    columns = [np.convolve(column, h)[:steps] for column in difference_TN.T]
    return np.stack(columns, axis=1)


def expected(output: np.ndarray, target: np.ndarray, h: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss, and its gradient by the output: the transposed convolution of 2f."""
    steps, batch, neurons = output.shape
    difference = (output.astype(np.float64) - target).reshape(steps, batch * neurons)
    f = filtered(difference, h)
    gradient = 2 * filtered(f[::-1], h)[::-1]
    return (f * f).sum(), gradient.reshape(output.shape)


def check(output, target, decay, order, length, engine, tolerance=1e-5) -> None:
    loss, gradient = expected(output, target, impulse(decay, order, min(length, len(output))))
    device = device_of(engine)
    leaf = torch.from_numpy(output).to(device, copy=True).requires_grad_()
    wanted = torch.from_numpy(target).to(device)
    with use_engine(engine):
        found, _ = operators.spike_time(leaf, wanted, decay, order, length)
        (3 * found).backward()
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss, rel=tolerance)
    size = np.abs(gradient).max()
    np.testing.assert_allclose(
        leaf.grad.cpu().numpy(), 3 * gradient, rtol=0, atol=3 * tolerance * size
    )


def trains(seed: int, steps: int, batch: int, neurons: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = steps, batch, neurons
    return tuple((rng.random(shape) < share).astype(np.float32) for share in (0.1, 0.05))
