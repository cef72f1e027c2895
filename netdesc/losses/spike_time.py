"""The van Rossum distance between spike trains, as a loss.

The operator ``spike_time`` computes the distance and its gradient; the definition is in
``kernels/reference/van_rossum.py``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netdesc.graph import loss as sections
from netdesc.kernels import operators
from netdesc.kernels.checks import check_target, check_tensor
from netdesc.kernels.reference.van_rossum import filter_signal
from netdesc.losses.loss import Loss


class SpikeTimeLoss(Loss):
    """The distance ``Σ (h ∗ (output − target))²`` with an exponential filter h (van Rossum, 2001).

    The filter is ``exp(−n · step / time constant)`` over steps n, convolved ``filter_order − 1``
    times with itself and cut to ``filter_steps`` steps. The loss is the sum or the mean over steps,
    batch and neurons. The sum has no factor ½ and is not divided by the number of steps, so that
    losses can be compared with published results.
    """

    def __init__(self, loss: sections.SpikeTime, step_ms: float) -> None:
        super().__init__(loss)
        decay = math.exp(-step_ms / loss.time_constant_ms)
        self._filter = decay, loss.filter_order, loss.filter_steps

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar.

        ``output`` and ``target`` are spikes [steps, batch, *shape] of any type. Raises ValueError
        if their shapes differ or have fewer than 3 axes, TypeError if an argument is not a tensor.
        """
        self.check(output)
        check_target(target, output)
        if output.shape != target.shape:
            raise ValueError(
                f"the output has shape {list(output.shape)}, its target {list(target.shape)}"
            )
        output_TBN, target_TBN = (
            self.drop_skipped_steps(each).flatten(2).to(torch.float32) for each in (output, target)
        )
        # Also if the output needs no gradient: torch.export and vmap do not show whether it does.
        keep = torch.is_grad_enabled()
        total, _ = operators.spike_time(output_TBN, target_TBN, *self._filter, keep)
        return total / output_TBN.numel() if self.mean else total

    @torch.no_grad()
    def filter(self, spikes: Tensor) -> Tensor:
        """Returns the trace that the loss compares: spikes filtered by h, float32.

        Its time grows with the number of steps times the number of the filter's steps.
        ``spikes`` [steps, …] of any type begin with the axis of the steps; the trace has the same
        shape and no gradient. Raises ValueError for a scalar or an empty tensor, TypeError if
        ``spikes`` is not a tensor.

        >>> trace = compiled.loss.filter(torch.tensor([0.0, 1.0, 0.0, 0.0]))
        >>> trace.round(decimals=4)
        tensor([0.0000, 1.0000, 1.2131, 1.1036])
        """
        check_tensor("a spike train", spikes)
        if not spikes.dim() or not spikes.numel():
            raise ValueError(f"[steps, …] is needed, each at least 1, not {list(spikes.shape)}")
        train_T1N = spikes.reshape(len(spikes), 1, -1)
        trace_T1N = filter_signal(train_T1N, *self._filter)
        return trace_T1N.to(torch.float32).reshape(spikes.shape)
