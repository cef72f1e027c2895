"""The surrogate gradient of a layer's neurons: its width over a run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from netdesc.kernels.fixed_point import WEIGHT_UNIT
from netdesc.neurons.models import NeuronSection
from netdesc.neurons.models.fields import width_at


class SurrogateWidth(nn.Module):
    """The present width of the surrogate gradient, as the schedule of a neuron says.

    ``width`` is a tensor [] on the device that no state dict has, ``tau_grad`` the same number.
    """

    width: Tensor

    def __init__(self, section: NeuronSection) -> None:
        super().__init__()
        self._section = section
        self.tau_grad = width_at(section.width_schedule, 0.0)
        self.register_buffer("width", torch.tensor(self.tau_grad), persistent=False)

    def set(self, fraction: float) -> None:
        """Sets the width at a ``fraction`` of the run.

        A captured CUDA graph and compiled code read the new width, too.
        """
        self.tau_grad = width_at(self._section.width_schedule, fraction)
        self.width.fill_(self.tau_grad)

    @torch.no_grad()
    def parameters_at(self, threshold: Tensor | None) -> dict[str, Tensor]:
        """Returns peak and width, float32 [] or [units], for the equations.

        ``threshold`` is [] or [units], None if the neurons have none. It is rounded as on the
        device, and at least the smallest threshold.
        """
        if threshold is None:
            level = torch.ones_like(self.width)
        else:
            level = torch.trunc(threshold.abs() * WEIGHT_UNIT).clamp(min=1) / WEIGHT_UNIT
        peak, width = self._section.surrogate_at(level, self.width)
        if not isinstance(peak, Tensor):
            peak = torch.full_like(level, peak)
        return {"peak": peak, "width": width if width is not self.width else width.clone()}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> SurrogateWidth:
        """Moves or converts the module, then writes the width unrounded to the new tensor."""
        super()._apply(fn, recurse)
        if not self.width.is_meta:
            self.width.fill_(self.tau_grad)
        return self
