"""The metrics of an epoch, summed on the device and read once.

Reading a number from a GPU waits until it has computed everything before. So losses and norms are
summed on the device, and one copy fetches all sums.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netdesc.training.confusion_counter import ConfusionCounter, Score


@dataclass(frozen=True)
class EpochMetrics:
    """The loss of an epoch, and for each layer means over the batches.

    Gradient norms are L2 norms before clipping; spike rates are spikes a neuron a step.
    """

    loss: float
    gradient_norms: dict[str, float]
    spike_rates: dict[str, float]
    score: Score | None
    """The classifier's score on the samples; None without a classifier."""
    non_finite: str | None
    """Where the first NaN or infinity is, in words; layers in order, then the loss. Or None."""


class EpochMetricsSum:
    """Sums over batches: the loss and, for each layer, norms of gradients and weights, spike rate.

    ``counter`` counts predictions; the caller adds the output of each batch to it.
    """

    def __init__(self, network: nn.Module, counter: ConfusionCounter | None = None) -> None:
        self.counter = counter
        self._parameters = parameters_by_layer(network)
        self._notes: dict[str, Tensor] = {}
        self._sizes: dict[str, int] = {}
        self._divisors: dict[tuple[int, ...], Tensor] = {}
        self._norms = torch.zeros(())
        self._sum: Tensor | None = None

    def set_notes(self, name: str, notes: Tensor, size: int) -> None:
        """Sets the notes of layer ``name`` from a forward pass with ``size`` output values."""
        self._notes[name], self._sizes[name] = notes, size

    def add_batch(self, loss: Tensor, share: float, loss_weight: float) -> None:
        """Adds a batch after its backward pass, without waiting for the device.

        ``share`` is the batch's part of the samples; ``loss_weight`` is the factor on its loss.
        """
        weights = layer_norms(self._parameters)
        self._norms = layer_norms(self._parameters, of_gradients=True)
        sizes = tuple(self._sizes.values())
        if sizes not in self._divisors:  # cached: each copy to the device waits for it
            self._divisors[sizes] = torch.tensor(sizes, dtype=torch.float64, device=loss.device)
        rates = torch.stack(list(self._notes.values()))[:, 3] / self._divisors[sizes]
        row = torch.cat([loss.detach().double().reshape(1), self._norms, weights, rates])
        row[0] *= loss_weight
        row[1:] *= share
        if self._sum is None:
            self._sum = torch.zeros_like(row)
        self._sum += row  # in place: a captured step writes to a fixed address

    def gradient_norm(self) -> Tensor:
        """Global L2 norm of the last batch's gradients, a float32 scalar on the device."""
        return torch.linalg.vector_norm(self._norms).float()

    def read_and_reset(self) -> EpochMetrics:
        """Returns the metrics since the last call, and sets the sums to 0. Waits for the device.

        The 64-bit sums are rounded to 32 bits, so that losses that differ only by the order of
        addition are equal. Numbers beyond 32 bits become infinite.
        """
        assert self._sum is not None, "no batch was added"
        sums, counter = self._sum.float().double(), self.counter
        loss, *values = (
            sums if counter is None else torch.cat([sums, counter.pop_counts()])
        ).tolist()
        self._sum.zero_()

        def pop_values(layers: Collection[str]) -> dict[str, float]:
            popped = values[: len(layers)]
            del values[: len(layers)]
            return dict(zip(layers, popped, strict=True))

        gradients, weights = pop_values(self._parameters), pop_values(self._parameters)
        rates = pop_values(self._notes)
        score = None if counter is None else counter.score(values)
        return EpochMetrics(
            loss, gradients, rates, score, _find_non_finite(loss, gradients, weights)
        )


def layer_norms(layers: Mapping[str, Sequence[nn.Parameter]], of_gradients: bool = False) -> Tensor:
    """L2 norm of the parameters of each layer, or of their gradients; float64 on their device.

    A norm is finite only if all its numbers are. Numbers beyond 1e19, whose squares exceed 32 bits,
    make it infinite, too; they count as diverged. On a CPU torch adds up squares in an order that
    does not depend on the number of threads; its plain sums do not.
    """
    norms = []
    for parameters in layers.values():
        if of_gradients:
            tensors = [p.new_zeros(()) if p.grad is None else p.grad for p in parameters]
        else:
            tensors = [p.detach() for p in parameters]
        first, *others = [torch.linalg.vector_norm(tensor) for tensor in tensors]
        norms.append(torch.linalg.vector_norm(torch.stack([first, *others])) if others else first)
    return torch.stack(norms).double()


def parameters_by_layer(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Layer name -> its parameters; layers in the order of the network."""
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        layers.setdefault(name.removeprefix("layers.").partition(".")[0], []).append(parameter)
    return layers


def non_finite_weight(network: nn.Module) -> str | None:
    """In words, the first layer with a weight that is NaN or too large; or None."""
    layers = parameters_by_layer(network)
    return _find_non_finite(0.0, {}, dict(zip(layers, layer_norms(layers).tolist(), strict=True)))


def _find_non_finite(
    loss: float, gradients: dict[str, float], weights: dict[str, float]
) -> str | None:
    for layer in weights:
        if not math.isfinite(weights[layer]):
            return f'a weight of layer "{layer}" is NaN or too large'
        if not math.isfinite(gradients.get(layer, 0.0)):
            return f'the gradient of layer "{layer}" is NaN or too large for 32-bit floats'
    return None if math.isfinite(loss) else f"the loss is {loss}"
