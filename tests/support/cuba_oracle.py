"""CUBA neurons from their equations: integer states, and gradients in double precision.

This module does not use the package. Arrays are time-first; states are in units of 1/4096.
"""

from dataclasses import dataclass

import numpy as np
import torch

LIMIT = 1 << 29


def integer_weight(weight: np.ndarray) -> np.ndarray:
    """``clamp(2 · round(32 · w), −256, 254)``, halves to even; NaN counts as 0."""
    halves = np.rint(np.clip(np.nan_to_num(weight.astype(np.float64), nan=0.0), -9, 9) * 32)
    return np.clip(2 * halves, -256, 254).astype(np.int64)


def integer_decay(decay: np.ndarray | float) -> np.ndarray:
    return np.rint(np.asarray(decay, np.float64) * 4096).astype(np.int64)


def toward_zero(product: np.ndarray) -> np.ndarray:
    """``product / 4096`` without its fraction."""
    return np.where(product < 0, -((-product) // 4096), product // 4096)


def saturate(state: np.ndarray) -> np.ndarray:
    return np.clip(state, -LIMIT, LIMIT)


def states_of(z: np.ndarray) -> np.ndarray:
    """``trunc(4096 · z)`` of 32-bit floats, saturated; NaN counts as 0."""
    scaled = np.nan_to_num(z.astype(np.float64) * 4096, nan=0.0)
    return np.trunc(np.clip(scaled, -LIMIT, LIMIT)).astype(np.int64)


@dataclass
class Run:
    """States and spikes of neurons, [steps, batch, neurons]; ``reset_v`` is v after the reset."""

    spikes: np.ndarray
    out: np.ndarray
    u: np.ndarray
    v: np.ndarray
    reset_v: np.ndarray


def run(
    synaptic_input: np.ndarray,
    current_decay: np.ndarray | float,
    voltage_decay: np.ndarray | float,
    threshold: float,
    bias: np.ndarray | int = 0,
    delay: bool = True,
) -> Run:
    """Runs neurons on a ``synaptic_input`` [steps, batch, neurons] in state units."""
    keep_u, keep_v = 4096 - integer_decay(current_decay), 4096 - integer_decay(voltage_decay)
    limit = 64 * int(64 * threshold)
    u = np.zeros_like(synaptic_input[0])
    reset_v = np.zeros_like(u)
    rows = []
    for z in synaptic_input:
        u = saturate(toward_zero(keep_u * u) + saturate(z))
        v = saturate(toward_zero(keep_v * reset_v) + u + bias)
        spikes = v > limit
        reset_v = np.where(spikes, 0, v)
        rows.append((spikes, u, v, reset_v))
    spikes, us, vs, reset_vs = (np.stack(part) for part in zip(*rows, strict=True))
    out = spikes
    if delay:
        out = np.concatenate([np.zeros_like(spikes[:1]), spikes[:-1]])
    return Run(spikes, out, us, vs, reset_vs)


class _Surrogate(torch.autograd.Function):
    """A spike whose derivative is ``height · exp(−|v − θ| / τ)``."""

    @staticmethod
    def forward(ctx, v, threshold, height, tau):
        ctx.save_for_backward(v)
        ctx.constants = threshold, height, tau
        return (v > threshold).to(v.dtype)

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        threshold, height, tau = ctx.constants
        return grad * height * torch.exp(-(v - threshold).abs() / tau), None, None, None


def _value_with_gradient_of(value: torch.Tensor, through: torch.Tensor) -> torch.Tensor:
    return through + (value - through).detach()


@dataclass
class Differentiable:
    """Neurons for autograd: exact values in double precision and threshold units."""

    out: torch.Tensor
    currents: list[torch.Tensor]
    voltages: list[torch.Tensor]
    reset_vs: list[torch.Tensor]


def differentiable_weight(weight: torch.Tensor) -> torch.Tensor:
    """The quantised weight; the gradient passes straight through, except where it is clamped."""
    grid = torch.from_numpy(integer_weight(weight.detach().numpy()) / 64.0)
    free = np.rint(weight.detach().numpy() * 32)
    inside = torch.from_numpy(((free >= -128) & (free <= 127)).astype(np.float64))
    return _value_with_gradient_of(grid, weight * inside)


def differentiable_run(
    z: torch.Tensor,
    exact: Run,
    current_decay: torch.Tensor,
    voltage_decay: torch.Tensor,
    threshold: float,
    tau_grad: float,
    scale_grad: float,
    delay: bool,
) -> Differentiable:
    """Recomputes ``exact`` for autograd: decays and states on the grid, the reset left out."""
    theta = int(64 * threshold) / 64
    tau = 100 * tau_grad * theta
    height = scale_grad * 0.1 / (2 * tau)
    on_grid = [
        _value_with_gradient_of(torch.round(decay * 4096) / 4096, decay)
        for decay in (current_decay, voltage_decay)
    ]
    u = torch.zeros_like(z[0])
    reset_v = torch.zeros_like(u)
    result = Differentiable(z, [], [], [])
    spikes = []
    for t in range(len(z)):
        exact_u, exact_v = (torch.from_numpy(x[t] / 4096.0) for x in (exact.u, exact.v))
        u = _value_with_gradient_of(exact_u, (1 - on_grid[0]) * u + z[t])
        v = _value_with_gradient_of(exact_v, (1 - on_grid[1]) * reset_v + u)
        for state in (u, v):
            state.retain_grad()
        spikes.append(_Surrogate.apply(v, theta, height, tau))
        reset_v = _value_with_gradient_of(torch.from_numpy(exact.reset_v[t] / 4096.0), v)
        result.currents.append(u)
        result.voltages.append(v)
        result.reset_vs.append(reset_v)
    out = torch.stack(spikes)
    if delay:
        out = torch.cat([torch.zeros_like(out[:1]), out[:-1]])
    result.out = out
    return result
