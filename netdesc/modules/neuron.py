"""CUBA neurons: their parameters, norm and dropout."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from netdesc.graph.nodes import Neuron, TauGrad, decay_range
from netdesc.kernels import operators
from netdesc.modules.norm import MeanNorm


class CubaNeurons(nn.Module):
    """Current-based leaky integrate-and-fire neurons [units] (see ``kernels.operators.cuba``).

    A decay is the share of a state that is lost in a step. Its shape is [], or [units] with
    ``per_channel``. Learnt decays are parameters, other decays are buffers. ``tau_grad`` is the
    present relative width of the surrogate gradient, and ``tau`` is the same number as a tensor.
    """

    current_decay: Tensor
    voltage_decay: Tensor
    tau: Tensor

    def __init__(
        self,
        neuron: Neuron,
        units: int,
        axonal_delay_step: bool,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.threshold = neuron.threshold
        self.scale_grad = neuron.scale_grad
        self.tau_schedule = TauGrad.of(neuron.tau_grad)
        self._tau_grad = self.tau_schedule.at(0.0)
        self.register_buffer("tau", torch.tensor(self._tau_grad), persistent=False)
        self.axonal_delay_step = axonal_delay_step
        self.dropout = neuron.dropout
        shape = (units,) if neuron.per_channel else ()
        for name in ("current_decay", "voltage_decay"):
            low, high = decay_range(getattr(neuron, name))
            decay = torch.full(shape, low)
            if high > low:
                decay.uniform_(low, high, generator=generator)
            if name in neuron.learn:
                self.register_parameter(name, nn.Parameter(decay))
            else:
                self.register_buffer(name, decay)
        self.norm = MeanNorm(units) if neuron.norm else None
        self.recorder: Callable[[Tensor, Tensor], None] | None = None
        """Called with spikes and voltages of each forward pass (see ``kernels.operators.cuba``)."""

    @property
    def tau_grad(self) -> float:
        return self._tau_grad

    @tau_grad.setter
    def tau_grad(self, width: float) -> None:
        self._tau_grad = width
        self.tau.fill_(width)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> CubaNeurons:
        """Moves or converts the module, then writes ``tau_grad`` unrounded to the new ``tau``."""
        super()._apply(fn, recurse)
        if not self.tau.is_meta:
            self.tau.fill_(self._tau_grad)
        return self

    def numbers(self) -> list[float]:
        """Returns threshold, tau_grad, scale_grad and delay, as the operators' ``numbers``.

        While torch compiles, tau_grad is NaN, so that the operators read the width from ``tau``.
        Otherwise torch would compile the network again for each new width.
        """
        tau_grad = math.nan if torch.compiler.is_compiling() else self._tau_grad
        return [self.threshold, tau_grad, self.scale_grad, float(self.axonal_delay_step)]

    def bias(self) -> Tensor:
        """Returns the bias [units] that the norm adds outside training, in threshold units.

        Returns an empty tensor [0] without norm.
        """
        return self.current_decay.new_empty(0) if self.norm is None else self.norm.bias()

    @property
    def acts_on_current(self) -> bool:
        """Whether norm or dropout is applied to the current before the neurons are computed."""
        return self.training and (self.norm is not None or self.dropout > 0)

    def dropout_factors(self, like_1BN: Tensor) -> Tensor:
        """Draws dropout's random factors of the current, [1, batch, units].

        A neuron is dropped for all steps of a sample. Dropout is applied after the norm, because a
        mean that is subtracted after dropout could make a dropped neuron spike.
        """
        return nn.functional.dropout(torch.ones_like(like_1BN), self.dropout)

    def forward(self, z_TBN: Tensor) -> tuple[Tensor, Tensor]:
        """Returns spikes [steps, batch, units] and notes [4] (see ``kernels.operators``).

        ``z_TBN`` is the synaptic input.
        """
        current_decay, bias = self.current_decay, self.bias()
        if self.training and self.norm is not None:
            z_TBN = self.norm(operators.leaky(z_TBN, current_decay))
            current_decay, bias = torch.ones_like(self.current_decay), bias.new_empty(0)
        if self.training and self.dropout > 0:
            z_TBN = z_TBN * self.dropout_factors(z_TBN[:1])
        out, voltages, notes = operators.cuba(
            z_TBN, current_decay, self.voltage_decay, bias, self.tau, self.numbers()
        )
        if self.recorder is not None:
            self.recorder(out, voltages)
        return out, notes

    def project(self) -> None:
        """Clamps learnt decays to [0, 1]."""
        for decay in self._parameters.values():  # ``parameters()`` is slow
            assert decay is not None
            decay.detach().clamp_(0.0, 1.0)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, tau_grad={self.tau_grad:g}, dropout={self.dropout}"
