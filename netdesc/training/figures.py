"""The figures of an epoch, gathered where they are computed and read once.

Reading a number from a device waits for it. So losses and norms are added up on it, and ``read``
fetches all of them together. The CPU engine has them at hand, and adds up so few numbers by itself
in a fraction of torch's time.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from netdesc.kernels.engine import engine_name
from netdesc.training.score import Score, Tally

if TYPE_CHECKING:
    from netdesc.kernels.cpu.chain import AtHand


@dataclass(frozen=True)
class Reading:
    """One epoch in numbers, over its batches: the loss, and means by layer.

    Gradient norms are L2 and before clipping; rates are spikes a neuron a step.
    """

    loss: float
    gradient_norms: dict[str, float]
    spike_rates: dict[str, float]
    score: Score | None
    """What the classifier made of the samples, where there is one."""
    fault: str | None
    """Where the first NaN or infinity is (layers in order, then the loss), or None."""


class Figures:
    """Adds up the loss and, by layer, gradient norm, sum of weights and spike rate over batches.

    ``tally`` counts predictions; whoever adds batches hands it their outputs.
    """

    def __init__(
        self,
        network: nn.Module,
        blocks: Iterable[tuple[str, nn.Module]],
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally
        self._parameters = parameters_by_layer(network)
        self._notes: dict[str, torch.Tensor] = {}
        self._sizes: dict[str, int] = {}
        for name, block in blocks:
            block.register_forward_hook(self._hook(name))
        on_cpu = engine_name(next(network.parameters()).device) == "cpu"
        self._sums = _OnHost() if on_cpu else _OnDevice()

    def _hook(self, name: str):
        def keep_notes(block: nn.Module, _inputs: object, spikes_TBN: torch.Tensor) -> None:
            assert isinstance(block.notes, torch.Tensor)
            self.note(name, block.notes, spikes_TBN.numel())

        return keep_notes

    def note(self, name: str, notes: torch.Tensor, size: int) -> None:
        """What the layer ``name`` observed in a forward pass that handed out ``size`` values.

        Said by the layers themselves where they are called as modules.
        """
        self._notes[name], self._sizes[name] = notes, size

    def add(
        self,
        loss: torch.Tensor,
        share: float,
        loss_share: float,
        at_hand: Sequence[AtHand] | None = None,
    ) -> None:
        """Adds a batch after its backward pass, without waiting for the device.

        ``share`` is the batch's part of the samples; ``loss_share`` is the factor on its loss. What
        is ``at_hand`` of all layers, whose only parameters are weights then, is not looked for.
        """
        seen = list(self._notes.values()), tuple(self._sizes.values())
        layers = list(self._parameters.values())
        self._sums.add(_Pass(loss, layers, *seen, loss_share, share, at_hand))

    def gradient_norm(self) -> torch.Tensor:
        """Global L2 norm of the last batch's gradients, on the device."""
        return self._sums.gradient_norm()

    def read(self) -> Reading:
        """Waits for the device, returns the figures since the last call and starts over."""
        counts = None if self.tally is None else self.tally.take()
        loss, *values = self._sums.take(counts)
        score = None
        if self.tally is not None and counts is not None:
            score = self.tally.score(values[-len(counts) :])
            del values[-len(counts) :]
        layers = len(self._parameters)
        gradients = dict(zip(self._parameters, values[:layers], strict=True))
        weights = dict(zip(self._parameters, values[layers : 2 * layers], strict=True))
        rates = dict(zip(self._notes, values[2 * layers :], strict=True))
        return Reading(loss, gradients, rates, score, _fault(loss, gradients, weights))


class _Pass(NamedTuple):
    """A batch after its backward pass."""

    loss: torch.Tensor
    layers: list[list[nn.Parameter]]
    notes: list[torch.Tensor]
    sizes: tuple[int, ...]
    """How many values the layers that made the notes have handed out."""
    loss_share: float
    share: float
    at_hand: Sequence[AtHand] | None


class _OnDevice:
    """Sums of loss, gradient norms, sums of weights and spike rates where torch computes."""

    def __init__(self) -> None:
        self._divisors: dict[tuple[int, ...], torch.Tensor] = {}
        self._gradients: list[torch.Tensor] = []
        self._sum: torch.Tensor | None = None

    def add(self, seen: _Pass) -> None:
        loss, sizes = seen.loss.detach(), seen.sizes
        self._gradients = [norm([_gradient(p) for p in layer]) for layer in seen.layers]
        weights = [_total([p.detach() for p in layer]) for layer in seen.layers]
        if sizes not in self._divisors:  # made once: a copy to the device waits for it
            self._divisors[sizes] = torch.tensor(sizes, device=loss.device)
        rates = torch.stack(seen.notes)[:, 3] / self._divisors[sizes]
        row = torch.cat([torch.stack([loss, *self._gradients, *weights]), rates])
        if seen.share != 1.0:
            row[1:] *= seen.share
        if seen.loss_share != 1.0:
            row[0] *= seen.loss_share
        if self._sum is None:
            self._sum = torch.zeros_like(row)
        self._sum += row  # in place, where a captured step finds it

    def gradient_norm(self) -> torch.Tensor:
        return norm(self._gradients)

    def take(self, counts: torch.Tensor | None) -> list[float]:
        """The sums, and what the tally has counted, in one wait for the device."""
        assert self._sum is not None, "no batch was added"
        found = (self._sum if counts is None else torch.cat([self._sum, counts])).tolist()
        self._sum.zero_()
        return found


class _OnHost:
    """The same where the CPU engine computes: in Python's 64 bits.

    What is handed out is rounded to 32. Losses that differ by their order of addition alone are
    equal so, and what 32 bits cannot hold is infinite as it is on a device.
    """

    def __init__(self) -> None:
        from netdesc.kernels.cpu.reductions import squares_and_total  # loads Numba

        self._squares_and_total = squares_and_total
        self._squares: list[float] = []
        self._sum: list[float] = []

    def add(self, seen: _Pass) -> None:
        if seen.at_hand is None:
            found = [self._of_layer(layer) for layer in seen.layers]
            spikes = [int(notes.numpy()[3]) for notes in seen.notes]
            self._squares, totals = [each[0] for each in found], [each[1] for each in found]
        else:
            self._squares, totals, spikes = map(list, zip(*seen.at_hand, strict=True))
        rates = map(operator.truediv, spikes, seen.sizes)
        row = [seen.loss.item() * seen.loss_share, *map(math.sqrt, self._squares), *totals, *rates]
        if seen.share != 1.0:
            row[1:] = [value * seen.share for value in row[1:]]
        self._sum = list(map(operator.add, self._sum, row)) if self._sum else row

    def _of_layer(self, layer: list[nn.Parameter]) -> tuple[float, float]:
        """The sum of all squares of the gradients of a layer, and that of its parameters."""
        squares = total = 0.0
        for parameter in layer:
            flat = parameter.detach().numpy().reshape(-1)
            grad = flat[:0] if parameter.grad is None else parameter.grad.numpy().reshape(-1)
            of_grad, of_parameter = self._squares_and_total(grad, flat)
            squares, total = squares + of_grad, total + of_parameter
        return squares, total

    def gradient_norm(self) -> torch.Tensor:
        return torch.tensor(math.sqrt(sum(self._squares)), dtype=torch.float32)

    def take(self, counts: torch.Tensor | None) -> list[float]:
        assert self._sum, "no batch was added"
        found = array("f", self._sum).tolist()
        self._sum = []
        return found if counts is None else found + counts.tolist()


def parameters_by_layer(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Layer name -> its parameters, layers in the order of the network."""
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        layers.setdefault(name.removeprefix("layers.").partition(".")[0], []).append(parameter)
    return layers


def norm(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """L2 norm of all the numbers in ``tensors``, as a scalar on their device."""
    norms = [torch.linalg.vector_norm(tensor) for tensor in tensors]
    return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))


def _total(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The sum of all numbers in ``tensors``, a scalar on their device: finite only if all are.

    It takes a third of the time that the largest of them takes. Weights whose sum is beyond 3e38,
    where the grid ends at 4, have diverged as surely.
    """
    totals = [tensor.sum() for tensor in tensors]
    return totals[0] if len(totals) == 1 else torch.stack(totals).sum()


def weight_fault(network: nn.Module) -> str | None:
    """The first layer with a weight that is NaN or infinite, in words, or None."""
    layers = parameters_by_layer(network)
    weights = torch.stack([_total([p.detach() for p in layer]) for layer in layers.values()])
    return _fault(0.0, {}, dict(zip(layers, weights.tolist(), strict=True)))


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    return parameter.new_zeros(()) if parameter.grad is None else parameter.grad


def _fault(loss: float, gradients: dict[str, float], weights: dict[str, float]) -> str | None:
    for layer in weights:
        if not math.isfinite(weights[layer]):
            return f'a weight of layer "{layer}" is NaN or infinite'
        if not math.isfinite(gradients.get(layer, 0.0)):
            return f'the gradient of layer "{layer}" is NaN or too large for 32-bit floats'
    return None if math.isfinite(loss) else f"the loss is {loss}"
