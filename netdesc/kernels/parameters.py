"""What a CUBA operator needs to know of its neurons, on the integer grid."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch

from netdesc.kernels.checks import check_per_neuron
from netdesc.kernels.grid import (
    DECAY_ONE,
    STATE_LIMIT,
    STATE_UNIT,
    STATES_PER_WEIGHT,
    WEIGHT_UNIT,
    threshold_mantissa,
)


@dataclass(frozen=True, slots=True, eq=False)
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


def keep(decay: torch.Tensor, neurons: int) -> torch.Tensor:
    """``4096 − round(4096 · decay)``, int32 [neurons]; the decay is held in [0, 1], NaN is 0."""
    share = torch.round(decay.detach().nan_to_num(0.0).clamp(0.0, 1.0) * DECAY_ONE)
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
    the threshold on the grid. Raises ValueError for tensors that do not fit, and for a threshold
    that is 0 on the grid or beyond the states.
    """
    if not 1 / WEIGHT_UNIT <= threshold <= STATE_LIMIT / STATE_UNIT:
        raise ValueError(
            f"threshold {threshold:g} is not in {1 / WEIGHT_UNIT} to {STATE_LIMIT // STATE_UNIT}"
        )
    mantissa = threshold_mantissa(threshold)
    tau = 100.0 * tau_grad * mantissa / WEIGHT_UNIT
    decays = current_decay, voltage_decay
    if bias.numel() or any(decay.dim() or decay.device.type != "cpu" for decay in decays):
        per_neuron = _per_neuron(neurons, *decays, bias)
    else:
        per_neuron = _alike(neurons, current_decay.item(), voltage_decay.item())
    return Dynamics(
        *per_neuron,
        threshold=mantissa * STATES_PER_WEIGHT,
        delay=int(delay),
        height=scale_grad * 0.1 / (2.0 * tau),
        width=tau * STATE_UNIT,
    )


_PerNeuron = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@functools.lru_cache(maxsize=64)
def _alike(neurons: int, current_decay: float, voltage_decay: float) -> _PerNeuron:
    """Neurons that are all alike, on the CPU; made anew for every pass they would cost too much."""
    decays = torch.tensor([current_decay, voltage_decay], dtype=torch.float32, device="cpu")
    return _per_neuron(neurons, decays[0], decays[1], decays.new_empty(0))


def _per_neuron(
    neurons: int, current_decay: torch.Tensor, voltage_decay: torch.Tensor, bias: torch.Tensor
) -> _PerNeuron:
    """``keep_u``, ``keep_v`` and ``bias`` of Dynamics."""
    check_per_neuron("a current decay", current_decay, neurons, shared=1)
    check_per_neuron("a voltage decay", voltage_decay, neurons, shared=1)
    check_per_neuron("a bias", bias, neurons, shared=0)
    if bias.numel():
        scaled = torch.nan_to_num(bias.detach() * STATE_UNIT, nan=0.0)
        states = scaled.clamp(-STATE_LIMIT, STATE_LIMIT).to(torch.int32)
    else:
        states = torch.zeros(neurons, dtype=torch.int32, device=bias.device)
    return keep(current_decay, neurons), keep(voltage_decay, neurons), states
