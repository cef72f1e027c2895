"""Delays of a layer's output by whole steps, fixed or learnt."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from netdesc.graph import layers
from netdesc.modules.values import initial_value, places


def _shift(signal_TBN: Tensor, steps_N: Tensor) -> Tensor:
    """Hands on each neuron's signal ``steps_N`` steps later, or earlier; 0 stands at the ends."""
    steps, batch, count = signal_TBN.shape
    index_TN = torch.arange(steps, device=signal_TBN.device)[:, None] - steps_N
    is_inside = (index_TN >= 0) & (index_TN < steps)
    index_TBN = index_TN.clamp(0, steps - 1)[:, None].expand(steps, batch, count)
    return torch.where(is_inside[:, None], signal_TBN.gather(0, index_TBN), 0.0)


class _LearntShift(torch.autograd.Function):
    """Delays by the whole steps of ``delay_N``.

    The gradient of a delay is Σ g[t] · (y[t − 1] − y[t]) of the delayed signal y, as in lava-dl's
    slayer (Shrestha & Orchard, 2018).
    """

    @staticmethod
    def forward(ctx: Any, signal_TBN: Tensor, delay_N: Tensor) -> Tensor:
        steps_N = delay_N.to(torch.int64)
        out_TBN = _shift(signal_TBN, steps_N)
        ctx.save_for_backward(out_TBN, steps_N)
        return out_TBN

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad_TBN,), (out_TBN, steps_N) = grads, ctx.saved_tensors
        before_TBN = nn.functional.pad(out_TBN, (0, 0, 0, 0, 1, 0))[:-1]
        grad_N = (grad_TBN * (before_TBN - out_TBN)).sum(dim=(0, 1))
        return _shift(grad_TBN, -steps_N), grad_N


class SignalDelay(nn.Module):
    """Hands on a signal later, by whole steps.

    A learnt ``delay`` is a parameter [channels], of which the whole steps count.
    """

    def __init__(
        self, section: layers.AxonalDelay, channels: int, generator: torch.Generator | None
    ) -> None:
        super().__init__()
        self._most = section.most
        self.delay = None
        if section.steps is None:
            self.delay = nn.Parameter(initial_value(section.initial_steps, channels, generator))

    def forward(self, signal_TBN: Tensor) -> Tensor:
        """Delays a signal [steps, batch, neurons]. Before it began, it was 0."""
        if self.delay is None:
            steps = max(0, len(signal_TBN) - self._most)
            return nn.functional.pad(signal_TBN[:steps], (0, 0, 0, 0, len(signal_TBN) - steps, 0))
        delay_N = self.delay.clamp(0, self._most)
        delay_N = delay_N.repeat_interleave(signal_TBN.shape[2] // len(delay_N))
        return _LearntShift.apply(signal_TBN, delay_N)

    def resume(self, signal_TBN: Tensor, history: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Goes on after a history, the last steps of the signal before the delay, if there is one.

        Returns the delayed signal, and the next history if there was one.
        """
        if not history:
            return self(signal_TBN), []
        joined_TBN = torch.cat([history[0], signal_TBN])
        return self(joined_TBN)[len(history[0]) :], [joined_TBN[len(signal_TBN) :]]

    def new_history(self, signal_TBN: Tensor) -> Tensor:
        """Returns the history of a signal that begins."""
        return signal_TBN.new_zeros(self._most, *signal_TBN.shape[1:])

    @torch.no_grad()
    def dither(self, generator: torch.Generator) -> None:
        """Moves learnt delays, if all are whole, to random ones that have the same whole steps."""
        delay = self.delay
        if delay is not None and delay.requires_grad and not (delay % 1).any():
            delay += 0.5 + places(delay, generator)
            self.project()

    def project(self) -> None:
        """Clamps learnt delays to their range."""
        if self.delay is not None:
            self.delay.detach().clamp_(0, self._most)
