"""Sums the metrics of an epoch on the device, and reads them once.

Reading a number from a GPU waits until all earlier work is done. Therefore losses and norms are
summed on the device, and all sums are read together at the end of an epoch.
"""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from netdesc.kernels.layer_neurons import LayerCounts
from netdesc.training.evaluate import Counter, Score


@dataclass(frozen=True)
class MeasuredEpoch:
    """The loss of an epoch with its terms, and the gradient norm and spike rate of each layer.

    Gradient norms are L2 norms before clipping. Spike rates are spikes per neuron and step. Both
    are means over the batches, weighted by the number of samples.
    """

    loss: float
    terms: list[float]
    """The losses and regularizers that add up to the loss, in the order of the document."""
    gradient_norms: dict[str, float]
    spike_rates: dict[str, float]
    score: Score | None
    """The classifier's score on the training samples; None without a classifier."""
    non_finite: str | None
    """Names what is NaN or infinite: a layer's weights or gradients, or the loss; else None."""


class Divergence(Exception):
    """A loss, gradient or weight is NaN or infinite; the message names the epoch and the cause.

    The argument ``epoch`` counts from 0, −1 for the initial weights; the message counts from 1.
    """

    def __init__(self, epoch: int, cause: str) -> None:
        when = "training cannot begin" if epoch < 0 else f"training diverged in epoch {epoch + 1}"
        way_out = "" if epoch < 0 else "; a lower learning rate or gradient_clip usually helps"
        super().__init__(f"{when}: {cause}{way_out}")


class EpochMetricsSum:
    """Sums metrics over batches: the loss, and each layer's norm of gradients and spike rate.

    The caller adds each batch's output to ``counter``, which counts predictions.
    """

    def __init__(self, network: nn.Module, counter: Counter | None = None) -> None:
        self.counter = counter
        self._parameters = parameters_by_layer(network)
        self._norms = LayerNorms(self._parameters)
        self._counts: dict[str, LayerCounts] = {}
        self._sizes: dict[str, int] = {}
        self._factors: dict[tuple[float, ...], Tensor] = {}
        self._row: Tensor | None = None
        self._terms = 1
        self._sum: Tensor | None = None

    def set_counts(self, name: str, counts: LayerCounts, size: int) -> None:
        """Sets what a layer's last forward pass counted.

        ``size`` is the number of its output values, steps · batch · neurons.
        """
        self._counts[name], self._sizes[name] = counts, size

    def add_batch(self, terms: Sequence[Tensor], share: float, loss_weight: float) -> None:
        """Adds the metrics of a batch after its backward pass, without waiting for the device.

        The ``terms`` of the loss count with ``loss_weight``, all else with the batch's ``share`` of
        all samples.
        """
        self._terms, device = len(terms), terms[0].device
        factors = loss_weight, share, *self._sizes.values()
        if factors not in self._factors:  # kept, because a copy to the device waits for the device
            numbers = [loss_weight] * len(terms) + [share] * len(self._parameters)
            numbers += [share / size for size in factors[2:]]
            self._factors[factors] = torch.tensor(numbers, dtype=torch.float64, device=device)
        spikes = [counts.spikes for counts in self._counts.values()]
        first, *others = [each.detach() for each in terms]
        numbers = torch.stack([first.double(), *others, *spikes])  # float64 as its first
        parts = numbers[: len(terms)], self._norms.of_gradients(), numbers[len(terms) :]
        self._row = torch.cat(parts)
        if self._sum is None:
            self._sum = torch.zeros_like(self._row)
        self._sum.addcmul_(self._row, self._factors[factors])  # captured with a fixed address

    def gradient_norm(self) -> Tensor:
        """Returns the global L2 norm of the last batch's gradients, float32 on the device."""
        assert self._row is not None, "no batch was added"
        return torch.linalg.vector_norm(self._row[self._terms :][: len(self._parameters)]).float()

    def state(self) -> dict[str, Tensor]:
        """Returns copies of the sums and of the counts of the batches since the last reset."""
        state = {} if self._sum is None else {"sums": self._sum.clone()}
        if self.counter is not None:
            state["counts"] = self.counter.counts.clone()
        return state

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what ``state`` returned. Call it before the first batch of a process."""
        if "sums" in state:
            self._sum = state["sums"].to(self._norms.device, copy=True)
        if self.counter is not None:
            self.counter.counts.copy_(state["counts"])

    def read_and_reset(self) -> MeasuredEpoch:
        """Returns the metrics since the last call, and sets the sums to 0. Waits for the device.

        The float64 sums are rounded to float32, so that the order of additions does not change a
        loss. Numbers beyond the range of float32 become infinite. A NaN weight stays NaN, so
        that the norms of the weights are computed here alone.
        """
        assert self._sum is not None, "no batch was added"
        counter, counts = self.counter, [] if self.counter is None else [self.counter.pop_counts()]
        sums = torch.cat([self._sum, self._norms.of_parameters()]).float().double()
        values = torch.cat([sums, *counts]).tolist()
        terms, values = values[: self._terms], values[self._terms :]
        loss = terms[0] if len(terms) == 1 else float(np.float32(sum(terms)))
        self._sum.zero_()

        def pop_values(layers: Collection[str]) -> dict[str, float]:
            popped = values[: len(layers)]
            del values[: len(layers)]
            return dict(zip(layers, popped, strict=True))

        gradients, rates = pop_values(self._parameters), pop_values(self._counts)
        weights = pop_values(self._parameters)
        score = None if counter is None else counter.score(values)
        non_finite = _find_non_finite(loss, gradients, weights)
        return MeasuredEpoch(loss, terms, gradients, rates, score, non_finite)


class LayerNorms:
    """Computes the L2 norm of each layer's parameters, or of their gradients.

    A norm is infinite or NaN if a number is infinite or NaN. It is also infinite if a number
    exceeds about 1e19, because the square exceeds the range of float32; this counts as divergence.
    On a CPU, torch's norm of a tensor, unlike ``sum``, does not depend on the number of threads.
    """

    def __init__(self, layers: Mapping[str, Sequence[nn.Parameter]]) -> None:
        self._parameters = [parameter for parameters in layers.values() for parameter in parameters]
        self._zero = self._parameters[0].new_zeros(())
        self.device = self._zero.device
        # Row of a layer: the indices of its parameters, and then the index of the zero.
        counts = [len(parameters) for parameters in layers.values()]
        rows = torch.full((len(counts), max(counts)), len(self._parameters))
        for row, count, end in zip(rows, counts, itertools.accumulate(counts), strict=True):
            row[:count] = torch.arange(end - count, end)
        self._rows = rows.to(self.device)

    def of_parameters(self) -> Tensor:
        """Returns norms [layers] of the parameters, float64 on the device."""
        return self._join([parameter.detach() for parameter in self._parameters])

    def of_gradients(self) -> Tensor:
        """Returns norms [layers] of the gradients; a missing gradient counts as 0."""
        grads = [p.new_zeros(()) if p.grad is None else p.grad for p in self._parameters]
        return self._join(grads)

    def _join(self, tensors: list[Tensor]) -> Tensor:
        tensor_norms = torch._foreach_norm(tensors)  # pyright: ignore[reportPrivateImportUsage]
        norms = torch.stack([*tensor_norms, self._zero]).double()
        return torch.linalg.vector_norm(norms[self._rows], dim=1)


def parameters_by_layer(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Maps each layer's name to the layer's parameters, in the order of the network."""
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        layers.setdefault(name.removeprefix("layers.").partition(".")[0], []).append(parameter)
    return layers


def non_finite_weight(network: nn.Module) -> str | None:
    """Returns a message that names the first layer with a NaN or too large weight, if any."""
    layers = parameters_by_layer(network)
    norms = LayerNorms(layers).of_parameters().float().tolist()
    return _find_non_finite(0.0, {}, dict(zip(layers, norms, strict=True)))


def _find_non_finite(
    loss: float, gradients: dict[str, float], weights: dict[str, float]
) -> str | None:
    for layer in weights:
        if not math.isfinite(weights[layer]):
            return f'a weight of layer "{layer}" is NaN or too large'
        if not math.isfinite(gradients.get(layer, 0.0)):
            return f'the gradient of layer "{layer}" is NaN or too large for 32-bit floats'
    return None if math.isfinite(loss) else f"the loss is {loss}"
