"""Parameters of CUBA neurons, as real numbers and as integers on the fixed-point grid.

Operators get real parameters, and neurons compute with integers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from netdesc.kernels.checks import check_per_neuron
from netdesc.kernels.fixed_point import (
    STATE_UNIT,
    STATES_PER_WEIGHT,
    WEIGHT_UNIT,
    threshold_mantissa,
)
from netdesc.kernels.parameter_grid import parameter_gradient, parameter_vector, truncate
from netdesc.neurons.models.cuba import Cuba
from netdesc.neurons.models.fields import MAX_LEVEL

CUBA = Cuba(type="cuba", threshold=1.0, current_decay=0.5, voltage_decay=0.5).definition().to_text()
"""The equations, which are the same for all values of the parameters."""

_GridParameters = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Parameters of the CUBA neurons of one layer.

    ``current_decay`` and ``voltage_decay`` are [] or [neurons], ``real_bias`` is [neurons] or [0].
    ``keep_u`` and ``keep_v`` are ``keep_factor`` of the two decays, and ``bias`` is ``real_bias``
    in state units; all three are int32 [neurons]. They are computed when an engine first reads
    them. The CUDA engine does not read them, because computing them takes a dozen GPU kernels.

    ``threshold`` is in state units, ``delay`` (of the output spikes) is 0 or 1 steps. ``tau_grad``
    is the relative width of the surrogate gradient. ``tau`` is None or a tensor [] on the device
    with the same number. If ``tau_grad`` is NaN, ``tau`` is read instead.
    """

    neurons: int
    current_decay: torch.Tensor
    voltage_decay: torch.Tensor
    real_bias: torch.Tensor
    threshold: int
    delay: int
    tau_grad: float
    scale_grad: float
    tau: torch.Tensor | None

    def surrogate(self, tau_grad: float) -> tuple[float, float]:
        """Returns height and width (in state units) of the surrogate gradient for a ``tau_grad``.

        The surrogate gradient is ``height · exp(−|v − threshold| / width)``.
        """
        tau = 100.0 * tau_grad * (self.threshold // STATES_PER_WEIGHT) / WEIGHT_UNIT
        return self.scale_grad * 0.1 / (2.0 * tau), tau * STATE_UNIT

    @property
    def height(self) -> float:
        return self.surrogate(self._host_tau())[0]

    @property
    def width(self) -> float:
        """The width of the surrogate gradient, in state units."""
        return self.surrogate(self._host_tau())[1]

    def _host_tau(self) -> float:
        if self.tau is None or not math.isnan(self.tau_grad):
            return self.tau_grad
        return float(self.tau)

    @property
    def keep_u(self) -> torch.Tensor:
        return self._grid_parameters[0]

    @property
    def keep_v(self) -> torch.Tensor:
        return self._grid_parameters[1]

    @property
    def bias(self) -> torch.Tensor:
        return self._grid_parameters[2]

    @functools.cached_property
    def _grid_parameters(self) -> _GridParameters:
        decays = self.current_decay, self.voltage_decay
        if _are_uniform(*decays, self.real_bias):
            return _uniform_parameters(self.neurons, *(decay.item() for decay in decays))
        return _parameters_on_grid(self.neurons, *decays, self.real_bias)


def keep_factor(decay: torch.Tensor, neurons: int) -> torch.Tensor:
    """Returns ``4096 − round(4096 · decay)``, int32 [neurons], see ``parameter_vector``."""
    return parameter_vector("decay", decay, neurons, STATE_UNIT)


def make_dynamics(
    neurons: int,
    current_decay: torch.Tensor,
    voltage_decay: torch.Tensor,
    bias: torch.Tensor,
    tau: torch.Tensor,
    numbers: Sequence[float],
) -> Dynamics:
    """Checks the arguments of a CUBA operator, and returns the parameters of its neurons.

    ``bias`` [neurons], or [0] without bias, is in threshold units. ``tau`` is ``tau_grad`` as a
    tensor [] on the device, or empty [0]. ``numbers`` are threshold, tau_grad, scale_grad and
    axonal delay (0 or 1 steps). The surrogate gradient is
    ``ρ(v) = scale_grad · 0.1 / (2τ) · exp(−|v − θ| / τ)`` with ``τ = 100 · tau_grad · θ``, where θ
    is the threshold on the grid. Raises ValueError for tensors that do not fit, and for a threshold
    that is 0 on the grid or beyond ``MAX_LEVEL``.
    """
    threshold, tau_grad, scale_grad, delay = numbers
    if not 1 / WEIGHT_UNIT <= threshold <= MAX_LEVEL:
        raise ValueError(f"threshold {threshold:g} is not in {1 / WEIGHT_UNIT} to {MAX_LEVEL}")
    if not _are_uniform(current_decay, voltage_decay, bias):
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
        tau=tau if tau.numel() else None,
    )


def _are_uniform(
    current_decay: torch.Tensor, voltage_decay: torch.Tensor, bias: torch.Tensor
) -> bool:
    """Whether the neurons have no bias, and share decays that are in the host's memory."""
    return not bias.numel() and _is_host_number(current_decay) and _is_host_number(voltage_decay)


def _is_host_number(decay: torch.Tensor) -> bool:
    """Whether ``decay`` is one float32 number in the host's memory."""
    return not decay.dim() and decay.is_cpu and decay.dtype == torch.float32


@functools.lru_cache(maxsize=64)
def _uniform_parameters(
    neurons: int, current_decay: float, voltage_decay: float
) -> _GridParameters:
    """Computes ``_parameters_on_grid`` of neurons with shared decays and no bias.

    The result is cached, because every forward and backward pass needs it.
    """
    decays = torch.tensor([current_decay, voltage_decay], dtype=torch.float32, device="cpu")
    return _parameters_on_grid(neurons, decays[0], decays[1], decays.new_empty(0))


def _parameters_on_grid(
    neurons: int, current_decay: torch.Tensor, voltage_decay: torch.Tensor, bias: torch.Tensor
) -> _GridParameters:
    """Computes ``keep_u``, ``keep_v`` and ``bias`` of ``Dynamics`` from the real parameters."""
    if bias.numel():
        states = truncate(bias.detach(), STATE_UNIT)
    else:
        states = torch.zeros(neurons, dtype=torch.int32, device=bias.device)
    return keep_factor(current_decay, neurons), keep_factor(voltage_decay, neurons), states


def decay_gradients(
    grad_decays: torch.Tensor, current_decay: torch.Tensor, voltage_decay: torch.Tensor
) -> list[torch.Tensor | None]:
    """Returns ``parameter_gradient`` of both decays; ``grad_decays`` is [2, neurons]."""
    grad_current, grad_voltage = grad_decays
    return [
        parameter_gradient(grad_current, current_decay),
        parameter_gradient(grad_voltage, voltage_decay),
    ]


def learns_decays(current_decay: torch.Tensor, voltage_decay: torch.Tensor) -> bool:
    """Whether the gradient of at least one decay is needed."""
    return current_decay.requires_grad or voltage_decay.requires_grad
