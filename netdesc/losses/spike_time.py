"""The van Rossum distance between spike trains, as a loss.

The operator ``kernels.operators.spike_time`` computes the filter. The definition is in
``kernels/reference/van_rossum.py``, the fast kernels are in ``kernels/cpu/losses/van_rossum.py``
and ``kernels/cuda/van_rossum.py``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from netdesc.graph import nodes
from netdesc.kernels import operators
from netdesc.kernels.checks import check_tensor


class SpikeTimeLoss(nn.Module):
    """The distance ``Σ (h ∗ (output − target))²`` with an exponential filter h (van Rossum, 2001).

    The filter is ``exp(−n · step / time constant)`` over steps n, convolved ``filter_order − 1``
    times with itself and cut to ``filter_steps`` steps. The loss is the sum or the mean over steps,
    batch and neurons. The sum has no factor ½ and is not divided by the number of steps, so that
    losses can be compared with published results.
    """

    def __init__(self, loss: nodes.SpikeTime, step_ms: float) -> None:
        super().__init__()
        self.decay = math.exp(-step_ms / loss.time_constant_ms)
        self.order = loss.filter_order
        self.length = loss.filter_steps
        self.mean = loss.reduction == "mean"

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar.

        ``output`` and ``target`` are spikes [steps, batch, *shape] of any type. Raises ValueError
        if their shapes differ or have fewer than 3 axes, TypeError if an argument is not a tensor.
        """
        check_tensor("the output", output)
        check_tensor("the target", target)
        if output.shape != target.shape:
            raise ValueError(
                f"the output has shape {list(output.shape)}, its target {list(target.shape)}"
            )
        if output.dim() < 3:
            raise ValueError(f"[steps, batch, *shape] is needed, not shape {list(output.shape)}")
        total, _ = operators.spike_time(
            output.flatten(2).to(torch.float32),
            target.flatten(2).to(torch.float32),
            self.decay,
            self.order,
            self.length,
        )
        return total / output.numel() if self.mean else total
