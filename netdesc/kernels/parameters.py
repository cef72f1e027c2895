"""What a CUBA operator needs to know of its neurons, on the integer grid."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch

from netdesc.kernels.grid import (
    DECAY_ONE,
    STATE_UNIT,
    STATES_PER_WEIGHT,
    WEIGHT_UNIT,
    threshold_mantissa,
)


@dataclass(frozen=True, slots=True)
class Dynamics:
    """CUBA neurons of one layer: int32 tensors [neurons], numbers in state units (1/4096).

    ``height`` and ``width`` describe the surrogate gradient
    ``height · exp(−|v − threshold| / width)``; ``delay`` is 0 or 1 steps.
    """

    keep_u: torch.Tensor
    keep_v: torch.Tensor
    bias: torch.Tensor
    threshold: int
    delay: int
    height: float
    width: float


@functools.lru_cache(maxsize=256)
def _shared_keep(decay: float, neurons: int) -> torch.Tensor:
    share = round(DECAY_ONE * min(max(decay, 0.0), 1.0))
    return torch.full((neurons,), DECAY_ONE - share, dtype=torch.int32)


@functools.lru_cache(maxsize=256)
def _no_bias(neurons: int, device: torch.device) -> torch.Tensor:
    return torch.zeros(neurons, dtype=torch.int32, device=device)


def keep(decay: torch.Tensor, neurons: int) -> torch.Tensor:
    """``4096 − round(4096 · decay)``, int32 [neurons]; the decay is held in [0, 1].

    The result may be shared: it is only read. (On the CPU, making it anew for every pass of a small
    layer would take longer than the layer.)
    """
    if decay.dim() == 0 and decay.device.type == "cpu":
        return _shared_keep(decay.item(), neurons)
    share = torch.round(decay.detach().clamp(0.0, 1.0) * DECAY_ONE)
    return (DECAY_ONE - share).to(torch.int32).expand(neurons).contiguous()


def dynamics(
    neurons: int,
    current_decay: torch.Tensor,
    voltage_decay: torch.Tensor,
    bias: torch.Tensor,
    threshold: float,
    tau_grad: float,
    scale_grad: float,
    delay: bool,
) -> Dynamics:
    """Bring the floats of a CUBA operator onto the grid.

    ``bias`` [neurons] or [0] is in threshold units. The surrogate is
    ``ρ(v) = scale_grad · 0.1 / (2τ) · exp(−|v − θ| / τ)`` with ``τ = 100 · tau_grad · θ``, θ being
    the threshold on the grid.
    """
    mantissa = threshold_mantissa(threshold)
    tau = 100.0 * tau_grad * mantissa / WEIGHT_UNIT
    if bias.numel():
        states = torch.trunc(bias.detach() * STATE_UNIT).to(torch.int32)
    else:
        states = _no_bias(neurons, bias.device)
    return Dynamics(
        keep_u=keep(current_decay, neurons),
        keep_v=keep(voltage_decay, neurons),
        bias=states,
        threshold=mantissa * STATES_PER_WEIGHT,
        delay=int(delay),
        height=scale_grad * 0.1 / (2.0 * tau),
        width=tau * STATE_UNIT,
    )
