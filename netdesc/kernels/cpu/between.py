"""What acts between a layer's synapses and its neurons in training: a mean norm, and dropout.

Both look at the current as a whole, [steps, batch, neurons], and change it where it is, as they do
with its gradient: what the operators compute with tensors of their own, to the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu.leaky import leak
from netdesc.kernels.quantization import quantize, straight_through


@dataclass(frozen=True, eq=False)
class MeanNorm:
    """The current leaks by ``decay``, [] or [neurons], and loses its mean, which is on the grid.

    So nothing is left of it for the neurons to leak: their own current decay is 1.
    """

    decay: Tensor
    bits: int
    learn: bool
    """Whether the decay is learnt."""


@dataclass(eq=False)
class Between:
    """One pass there, then one back. ``gain_BN`` is dropout's factor on what a neuron receives."""

    norm: MeanNorm | None
    gain_BN: Tensor | None
    mean_N: Tensor | None = None
    """The current's mean over the batch and time, once it is known."""

    def there(self, z: np.ndarray) -> None:
        """From what arrives to what the neurons take."""
        z_TBN = torch.from_numpy(z)
        if self.norm is not None:
            leak(z, self.norm.decay)
            self.mean_N = z_TBN.mean(dim=(0, 1))
            z_TBN.sub_(quantize(self.mean_N, self.norm.bits))
        if self.gain_BN is not None:
            z_TBN.mul_(self.gain_BN)

    def back(self, grad: np.ndarray) -> None:
        """The other way with their gradients; under a norm to that of the current, which leaks."""
        grad_TBN = torch.from_numpy(grad)
        if self.gain_BN is not None:
            grad_TBN.mul_(self.gain_BN)
        if self.norm is not None:
            assert self.mean_N is not None, "the way back comes after the way there"
            of_mean = straight_through(-grad_TBN.sum(dim=(0, 1)), self.mean_N, self.norm.bits)
            grad_TBN.add_(of_mean / (len(grad_TBN) * grad_TBN.shape[1]))
