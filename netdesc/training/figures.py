"""The figures of an epoch, gathered on the device and read once.

Reading a number from a device waits for it. So losses and norms are added up where they are, and
``read`` fetches all of them together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from netdesc.training.score import Score, Tally


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

    ``tally`` counts predictions; whoever adds batches hands it their outputs. What is on the CPU
    may be added up by numpy (``on_host``), which takes a fraction of the time for so few numbers;
    they come out the same.
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
        self._divisors: dict[tuple[int, ...], torch.Tensor] = {}
        for name, block in blocks:
            block.register_forward_hook(self._hook(name))
        self._sum: torch.Tensor | None = None
        self._sum_on_host: NDArray[np.float32] | None = None
        self._gradients: list[torch.Tensor] = []

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

    def _rates(self) -> torch.Tensor:
        """Spikes a neuron a step of the last pass, by layer, on the device."""
        notes = torch.stack(list(self._notes.values()))
        sizes = tuple(self._sizes.values())
        if sizes not in self._divisors:  # made once: a copy to the device waits for it
            self._divisors[sizes] = torch.tensor(sizes, device=notes.device)
        return notes[:, 3] / self._divisors[sizes]

    def _rates_on_host(self) -> NDArray[np.float32]:
        spikes = [int(notes[3]) for notes in map(torch.Tensor.numpy, self._notes.values())]
        return np.array(spikes, np.float32) / np.array(list(self._sizes.values()), np.float32)

    def add(
        self, loss: torch.Tensor, share: float, loss_share: float, on_host: bool = False
    ) -> None:
        """Adds a batch after its backward pass, without waiting for the device.

        ``share`` is the batch's part of the samples; ``loss_share`` is the factor on its loss.
        """
        layers = self._parameters.values()
        self._gradients = [norm([_gradient(p) for p in layer]) for layer in layers]
        weights = [_total([p.detach() for p in layer]) for layer in layers]
        values = torch.stack([loss.detach(), *self._gradients, *weights])
        if on_host:
            self._add_on_host(values.numpy(), share, loss_share)
            return
        row = torch.cat([values, self._rates()])
        if share != 1.0:
            row[1:] *= share
        if loss_share != 1.0:
            row[0] *= loss_share
        if self._sum is None:
            self._sum = torch.zeros_like(row)
        self._sum += row  # in place, where a captured step finds it

    def _add_on_host(self, values: NDArray[np.float32], share: float, loss_share: float) -> None:
        row = np.concatenate([values, self._rates_on_host()])
        before = np.float32(0) if self._sum_on_host is None else self._sum_on_host
        with np.errstate(over="ignore", invalid="ignore"):  # training says it in its own words
            row[0] *= np.float32(loss_share)
            row[1:] *= np.float32(share)
            self._sum_on_host = before + row

    def gradient_norm(self) -> torch.Tensor:
        """Global L2 norm of the last batch's gradients, on the device."""
        return norm(self._gradients)

    def read(self) -> Reading:
        """Waits for the device, returns the figures since the last call and starts over."""
        counts = None if self.tally is None else self.tally.take()
        loss, *values = self._take(counts)
        score = None
        if self.tally is not None and counts is not None:
            score = self.tally.score(values[-len(counts) :])
            del values[-len(counts) :]
        layers = len(self._parameters)
        gradients = dict(zip(self._parameters, values[:layers], strict=True))
        weights = dict(zip(self._parameters, values[layers : 2 * layers], strict=True))
        rates = dict(zip(self._notes, values[2 * layers :], strict=True))
        return Reading(loss, gradients, rates, score, _fault(loss, gradients, weights))

    def _take(self, counts: torch.Tensor | None) -> list[float]:
        """The sums, and what the tally has counted, in one wait for the device."""
        if self._sum_on_host is not None:
            found = self._sum_on_host.tolist()
            self._sum_on_host = None
            return found if counts is None else found + counts.tolist()
        assert self._sum is not None, "no batch was added"
        found = (self._sum if counts is None else torch.cat([self._sum, counts])).tolist()
        self._sum.zero_()
        return found


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
