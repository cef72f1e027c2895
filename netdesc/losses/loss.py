"""The base of all losses."""

from __future__ import annotations

from torch import Tensor, nn

from netdesc.kernels.needs import Need


class Loss(nn.Module):
    """Maps an output [steps, batch, *shape] and its target to a float32 scalar.

    The target is spikes or values of the output's shape, values [batch, *shape], or integer labels
    [batch] or [steps, batch].
    """

    def forward(self, output: Tensor, target: Tensor, /) -> Tensor:
        raise NotImplementedError

    def needs(self, steps: int) -> set[Need]:
        """Returns what the loss of ``steps`` steps needs of the CPU engine."""
        return set()

    def filter(self, spikes: Tensor) -> Tensor:
        """Returns the filtered trace of spikes. ValueError if the loss compares no traces."""
        raise ValueError(f"{type(self).__name__} compares no filtered spike trains")
