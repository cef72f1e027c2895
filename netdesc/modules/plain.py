"""Blocks of layers without synapses and neurons: views, joins, pools and means."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from netdesc.graph import layers
from netdesc.kernels.fixed_point import STATE_UNIT
from netdesc.modules.delay import SignalDelay


class Block(nn.Module):
    """A layer: maps float32 [steps, batch, *input shape] to [steps, batch, *output shape]."""

    has_states = False
    """Whether ``stream`` needs states of the steps before."""

    def __init__(self, section: Any) -> None:
        super().__init__()
        self.section = section

    def join(self, signals: Sequence[Tensor]) -> Tensor:
        """Returns the input of the layer from the outputs of the layers that it reads."""
        return functools.reduce(torch.add, signals)

    def stream(self, signal: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Goes on from the ``states`` that an earlier call returned; from 0 if empty.

        Returns the output, without gradient, and the states after it. Raises ValueError if the
        states are those of another number of samples.
        """
        return self(signal), []


class FlattenBlock(Block):
    """Flattens a signal to [steps, batch, neurons], in row-major order."""

    def forward(self, signal: Tensor) -> Tensor:
        return signal.flatten(start_dim=2)


class ReshapeBlock(Block):
    """Gives a signal other axes, in row-major order."""

    def forward(self, signal: Tensor) -> Tensor:
        return signal.reshape(*signal.shape[:2], *self.section.shape)


class ConcatBlock(Block):
    """Joins signals along an axis."""

    def join(self, signals: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(signals), dim=2 + self.section.axis)

    def forward(self, signal: Tensor) -> Tensor:
        return signal


class _Mean(torch.autograd.Function):
    """``trunc(4096 · total / count) / 4096``, whose gradient is that of the division."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, count: int) -> Tensor:
        ctx.count = count
        units = (total * STATE_UNIT).to(torch.int64)
        return torch.div(units, count, rounding_mode="trunc") / STATE_UNIT

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] / ctx.count, None


class Pool(Block):
    """Applies a function to the windows of each channel of a signal [steps, batch, C, H, W]."""

    def forward(self, signal: Tensor) -> Tensor:
        images, window = signal.flatten(0, 1), self.section.window
        if self.section.is_mean:
            totals = nn.functional.avg_pool2d(images, *window, divisor_override=1)
            pooled = _Mean.apply(totals, math.prod(window[0]))
        else:
            pooled = nn.functional.max_pool2d(images, *window)
        return pooled.unflatten(0, signal.shape[:2])


class PopulationAverageBlock(Block):
    """Averages groups of consecutive neurons."""

    def forward(self, signal: Tensor) -> Tensor:
        groups = signal.unflatten(2, (self.section.units, -1))
        return _Mean.apply(groups.sum(dim=3), groups.shape[3])


class TimeDecimationBlock(Block):
    """Averages groups of ``factor`` consecutive steps; missing steps of the last group are 0."""

    def forward(self, signal: Tensor) -> Tensor:
        factor = self.section.factor
        if missing := -len(signal) % factor:
            signal = torch.cat([signal, signal.new_zeros(missing, *signal.shape[1:])])
        return _Mean.apply(signal.unflatten(0, (-1, factor)).sum(dim=1), factor)

    def stream(self, signal: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        if len(signal) % self.section.factor:
            raise ValueError(
                f"a piece of a stream has {len(signal)} steps; a layer of type time_decimation "
                f"needs a multiple of {self.section.factor}"
            )
        return self(signal), []


class DelayLayer(Block):
    """Hands on a signal some steps later."""

    has_states = True

    def __init__(self, section: layers.Delay) -> None:
        super().__init__(section)
        self._delay = SignalDelay(layers.AxonalDelay.model_construct(steps=section.steps), 1, None)

    def forward(self, signal: Tensor) -> Tensor:
        return self._delay(signal.flatten(2)).view_as(signal)

    def stream(self, signal: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        flat_TBN = signal.flatten(2)
        states = states or [self._delay.new_history(flat_TBN)]
        if states[0].shape[1] != signal.shape[1]:
            counts = f"{states[0].shape[1]} samples, and the input has {signal.shape[1]}"
            raise ValueError(f"the states are those of {counts}")
        out_TBN, history = self._delay.resume(flat_TBN, states)
        return out_TBN.view_as(signal), history


PLAIN_BLOCKS: dict[type[layers.LayerSection], Callable[[Any], Block]] = {
    layers.Flatten: FlattenBlock,
    layers.Reshape: ReshapeBlock,
    layers.Concat: ConcatBlock,
    layers.MaxPool: Pool,
    layers.AveragePool: Pool,
    layers.PopulationAverage: PopulationAverageBlock,
    layers.TimeDecimation: TimeDecimationBlock,
    layers.Delay: DelayLayer,
}
"""Maps the class of a section without synapses to the block of its layers."""
