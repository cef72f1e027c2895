"""What a CUBA operator needs to know of its neurons, as it was given and on the integer grid."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch

from netdesc.kernels.checks import check_per_neuron
from netdesc.kernels.fixed_point import (
    DECAY_ONE,
    STATE_LIMIT,
    STATE_UNIT,
    STATES_PER_WEIGHT,
    WEIGHT_UNIT,
    threshold_mantissa,
)

_PerNeuron = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Dynamics:
    """CUBA neurons of one layer, as an operator was given them; ``threshold`` is in state units.

    Real decays are [] or [neurons], the real bias [neurons] or [0]. ``keep_u``, ``keep_v`` and
    ``bias`` are the same on the grid, int32 [neurons], made when an engine asks for them: on a GPU
    that takes a dozen kernels, so that its engine does without. ``delay`` is 0 or 1 steps; ``tau``
    is ``tau_grad`` as a number of the device, where there is one. It alone has it where
    ``tau_grad`` is NaN.
    """

    neurons: int
    current_decay: torch.Tensor
    voltage_decay: torch.Tensor
    real_bias: torch.Tensor
    threshold: int
    delay: int
    tau_grad: float
    scale_grad: float
    tau: torch.Tensor | None = None

    def surrogate(self, tau_grad: float) -> tuple[float, float]:
        """Height and width of the surrogate gradient ``height · exp(−|v − threshold| / width)``."""
        tau = 100.0 * tau_grad * (self.threshold // STATES_PER_WEIGHT) / WEIGHT_UNIT
        return self.scale_grad * 0.1 / (2.0 * tau), tau * STATE_UNIT

    @property
    def height(self) -> float:
        return self.surrogate(self._host_tau())[0]

    @property
    def width(self) -> float:
        """In state units."""
        return self.surrogate(self._host_tau())[1]

    def _host_tau(self) -> float:
        if self.tau is None or not math.isnan(self.tau_grad):
            return self.tau_grad
        return float(self.tau)

    @property
    def keep_u(self) -> torch.Tensor:
        return self._on_grid[0]

    @property
    def keep_v(self) -> torch.Tensor:
        return self._on_grid[1]

    @property
    def bias(self) -> torch.Tensor:
        return self._on_grid[2]

    @functools.cached_property
    def _on_grid(self) -> _PerNeuron:
        decays = self.current_decay, self.voltage_decay
        if _are_alike(*decays, self.real_bias):
            return _alike(self.neurons, *(decay.item() for decay in decays))
        return _per_neuron(self.neurons, *decays, self.real_bias)


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
    tau: torch.Tensor | None = None,
) -> Dynamics:
    """The neurons of a CUBA operator.

    ``bias`` [neurons] or [0] is in threshold units. The surrogate is
    ``ρ(v) = scale_grad · 0.1 / (2τ) · exp(−|v − θ| / τ)`` with ``τ = 100 · tau_grad · θ``, θ being
    the threshold on the grid. Raises ValueError for tensors that do not fit, and for a threshold
    that is 0 on the grid or beyond the states.
    """
    if not 1 / WEIGHT_UNIT <= threshold <= STATE_LIMIT / STATE_UNIT:
        raise ValueError(
            f"threshold {threshold:g} is not in {1 / WEIGHT_UNIT} to {STATE_LIMIT // STATE_UNIT}"
        )
    if not _are_alike(current_decay, voltage_decay, bias):
        check_per_neuron("a current decay", current_decay, neurons, shared=1)
        check_per_neuron("a voltage decay", voltage_decay, neurons, shared=1)
        check_per_neuron("a bias", bias, neurons, shared=0)
    return Dynamics(
        neurons,
        current_decay,
        voltage_decay,
        bias,
        threshold=threshold_mantissa(threshold) * STATES_PER_WEIGHT,
        delay=int(delay),
        tau_grad=tau_grad,
        scale_grad=scale_grad,
        tau=tau,
    )


def _are_alike(
    current_decay: torch.Tensor, voltage_decay: torch.Tensor, bias: torch.Tensor
) -> bool:
    """Whether two numbers that are in reach of the program describe all neurons."""
    return not bias.numel() and _is_near(current_decay) and _is_near(voltage_decay)


def _is_near(decay: torch.Tensor) -> bool:
    """Whether it is one number that the host can read without waiting."""
    return not decay.dim() and decay.is_cpu and decay.dtype == torch.float32


@functools.lru_cache(maxsize=64)
def _alike(neurons: int, current_decay: float, voltage_decay: float) -> _PerNeuron:
    """Neurons that are all alike, on the CPU; made anew for every pass they would cost too much."""
    decays = torch.tensor([current_decay, voltage_decay], dtype=torch.float32, device="cpu")
    return _per_neuron(neurons, decays[0], decays[1], decays.new_empty(0))


def _per_neuron(
    neurons: int, current_decay: torch.Tensor, voltage_decay: torch.Tensor, bias: torch.Tensor
) -> _PerNeuron:
    """``keep_u``, ``keep_v`` and ``bias`` of Dynamics."""
    if bias.numel():
        scaled = torch.nan_to_num(bias.detach() * STATE_UNIT, nan=0.0)
        states = scaled.clamp(-STATE_LIMIT, STATE_LIMIT).to(torch.int32)
    else:
        states = torch.zeros(neurons, dtype=torch.int32, device=bias.device)
    return keep(current_decay, neurons), keep(voltage_decay, neurons), states


def decay_gradient(grad_N: torch.Tensor, decay: torch.Tensor) -> torch.Tensor | None:
    """A gradient per neuron in the decay's own shape; None where it is not learnt."""
    if not decay.requires_grad:
        return None
    return grad_N.sum_to_size(decay.shape) if decay.dim() else grad_N.sum()


def decay_gradients(
    grad_decays: torch.Tensor, current_decay: torch.Tensor, voltage_decay: torch.Tensor
) -> list[torch.Tensor | None]:
    """Those of both decays, from [2, neurons]."""
    grad_current, grad_voltage = grad_decays
    return [
        decay_gradient(grad_current, current_decay),
        decay_gradient(grad_voltage, voltage_decay),
    ]


def learns(current_decay: torch.Tensor, voltage_decay: torch.Tensor) -> bool:
    """Whether a gradient of one of them is wanted."""
    return current_decay.requires_grad or voltage_decay.requires_grad
