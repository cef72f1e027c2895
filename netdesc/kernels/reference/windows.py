"""Losses and classes by how often neurons spiked in a window that moves with the steps.

Rates are spikes a step, over the last ``window`` steps; before the first step there are no spikes,
so rates begin low. All functions compute in the type of the output that they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

SILENT = -1
"""The class of an output without spikes."""

HALF_A_SPIKE = 0.5
"""What a silent neuron of a label counts as, see ``likelihood_costs``."""


class CostParameters(NamedTuple):
    """What costs of rates depend on."""

    steps: int
    """Steps that rates are counted over: of the window, or of whole samples."""
    true_rate: float
    """Target rate of the label's neuron, for ``squared_costs``; ``false_rate`` for the others."""
    false_rate: float


def window_rates(output_TBN: Tensor, window: int) -> Tensor:
    """[steps, batch, neurons]."""
    counts_TBN = output_TBN.cumsum(0)
    rates_TBN = counts_TBN.clone()
    rates_TBN[window:] -= counts_TBN[:-window]
    return rates_TBN.div_(window)


def most_active(amounts: Tensor) -> Tensor:
    """Along the last axis the first of the largest, int64; ``SILENT`` where none is above 0."""
    # ``max`` gives both, but wakes every thread for it, which can take milliseconds.
    return amounts.argmax(-1).masked_fill(amounts.amax(-1) <= 0, SILENT)


def window_classes(output_TBN: Tensor, window: int) -> Tensor:
    """The neurons that spiked most in each step's window, int64 [steps, batch]."""
    return most_active(window_rates(output_TBN, window))


def squared_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """Squared distances to the target rates; ``index`` are labels with a last axis of 1."""
    return (rate - _one_label(rate, index, parameters.true_rate, parameters.false_rate)).square()


def _one_label(rate: Tensor, index: Tensor, at_label: float, elsewhere: float) -> Tensor:
    return torch.full_like(rate, elsewhere).scatter_(-1, index, at_label)


def softmax_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """``−log softmax(rate)`` at the labels."""
    # Not by ``log_softmax``, which wakes every thread for the few numbers of a batch.
    return rate.logsumexp(-1, keepdim=True) - rate.gather(-1, index)


def likelihood_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """``−log(rate / Σ rate)`` at the labels.

    A label's silent neuron counts as half a spike, and all neurons together as at least half a
    spike each then. The gradient is that of the logarithms at these values.
    """
    own, total = _own_and_total(rate, index, parameters.steps)
    return total.log() - own.log()


def _own_and_total(rate: Tensor, index: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    own, total = rate.gather(-1, index), rate.sum(-1, keepdim=True)
    least = torch.full_like(own, HALF_A_SPIKE / steps)
    least_total = torch.where(own < least, least * rate.shape[-1], 0.0)
    return _at_least(own, least), _at_least(total, least_total)


def _at_least(value: Tensor, bound: Tensor) -> Tensor:
    """The larger of the two; unlike that of ``maximum``, the gradient goes to ``value`` always."""
    with torch.no_grad():
        lift = torch.maximum(value, bound) - value
    return value + lift


def _squared_gradient(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    return (rate - _one_label(rate, index, parameters.true_rate, parameters.false_rate)).mul_(2)


def _softmax_gradient(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    return rate.softmax(-1).sub_(_one_label(rate, index, 1.0, 0.0))


def _likelihood_gradient(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    own, total = _own_and_total(rate, index, parameters.steps)
    return _one_label(rate, index, -1.0, 0.0).div_(own).add_(1 / total)


class Costs(NamedTuple):
    """Costs of rates and labels, and their gradient by the rates."""

    value: Callable[[Tensor, Tensor, CostParameters], Tensor]
    gradient: Callable[[Tensor, Tensor, CostParameters], Tensor]
    are_by_neuron: bool
    """Whether each neuron has a cost; otherwise there is one for all neurons together."""


COSTS = {
    "squares": Costs(squared_costs, _squared_gradient, True),
    "softmax": Costs(softmax_costs, _softmax_gradient, False),
    "likelihood": Costs(likelihood_costs, _likelihood_gradient, False),
}


def window_loss(
    output_TBN: Tensor,
    labels_TB: Tensor,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> Tensor:
    """The costs of all steps and samples, a scalar."""
    rate, parameters = (
        window_rates(output_TBN, window),
        CostParameters(window, true_rate, false_rate),
    )
    return COSTS[costs].value(rate, labels_TB.unsqueeze(-1), parameters).sum()


def window_loss_backward(
    output_TBN: Tensor,
    labels_TB: Tensor,
    grad_loss: Tensor,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> Tensor:
    """The gradient of the costs by the output, times ``grad_loss``."""
    rate, parameters = (
        window_rates(output_TBN, window),
        CostParameters(window, true_rate, false_rate),
    )
    grad_TBN = COSTS[costs].gradient(rate, labels_TB.unsqueeze(-1), parameters)
    del rate
    # A spike is in the windows of its own step and of the next ones, ``window`` in all.
    sums_TBN = grad_TBN.flip(0).cumsum_(0)
    torch.sub(sums_TBN[window:], sums_TBN[:-window], out=grad_TBN[window:])
    grad_TBN[:window] = sums_TBN[:window]
    del sums_TBN
    return grad_TBN.flip(0).div_(window).mul_(grad_loss)
