"""The base of all losses."""

from __future__ import annotations

from torch import Tensor, nn


class Loss(nn.Module):
    """Maps output spikes [steps, batch, *shape] and their target to a float32 scalar.

    The target is spikes of the output's shape, or integer labels [batch] or [steps, batch].
    """

    def forward(self, output: Tensor, target: Tensor, /) -> Tensor:
        raise NotImplementedError

    def filter(self, spikes: Tensor) -> Tensor:
        """Returns the filtered trace of spikes. ValueError if the loss compares rates."""
        kind = type(self).__name__
        raise ValueError(f"{kind} compares spike rates with labels, so it filters no spike trains")
