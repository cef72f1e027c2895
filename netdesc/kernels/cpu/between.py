"""What acts between a layer's synapses and its neurons in training: a mean norm, and dropout.

Both look at the current as a whole, [steps, batch, neurons], and change it where it is, as they do
with its gradient: what the operators compute with tensors of their own, to the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu import backward, forward
from netdesc.kernels.cpu.arrays import flat
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.parameters import keep
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
    _current: np.ndarray | None = None

    def there(self, z: np.ndarray) -> None:
        """From what arrives to what the neurons take."""
        z_TBN = torch.from_numpy(z)
        if self.norm is not None:
            _, batch, size = z.shape
            keep_N = flat(keep(self.norm.decay, size))
            forward.leaky_forward(z.reshape(-1), keep_N, batch, z.reshape(-1))
            if self.norm.learn:
                self._current = take(z.shape, np.float32)
                self._current[:] = z
            self.mean_N = z_TBN.mean(dim=(0, 1))
            z_TBN.sub_(quantize(self.mean_N, self.norm.bits))
        if self.gain_BN is not None:
            z_TBN.mul_(self.gain_BN)

    def back(self, grad_z: np.ndarray) -> Tensor | None:
        """From the gradient of the one to that of the other; returns that of the norm's decay."""
        grad_TBN = torch.from_numpy(grad_z)
        if self.gain_BN is not None:
            grad_TBN.mul_(self.gain_BN)
        return None if self.norm is None else self._back_through(self.norm, grad_TBN)

    def _back_through(self, norm: MeanNorm, grad_TBN: Tensor) -> Tensor:
        assert self.mean_N is not None, "the way back comes after the way there"
        steps, batch, size = grad_TBN.shape
        of_mean = straight_through(-grad_TBN.sum(dim=(0, 1)), self.mean_N, norm.bits)
        grad_TBN.add_(of_mean / (steps * batch))
        by_sample, grad = np.zeros((batch, size), np.float32), flat(grad_TBN)
        current = grad if self._current is None else self._current.reshape(-1)
        keep_N = flat(keep(norm.decay, size))
        backward.leaky_adjoint(
            grad, current, keep_N, norm.learn, batch, grad, by_sample.reshape(-1)
        )
        self._current = None
        return torch.from_numpy(by_sample.sum(axis=0))
