"""Losses and classes from spike counts in a moving window.

A rate is the number of spikes per step over the last ``window`` steps; there are no spikes before
the first step. All functions compute in the type of the output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

SILENT = -1
"""Class of an output without spikes."""

HALF_A_SPIKE = 0.5
"""Count of a silent neuron of a label, see ``likelihood_costs``."""


class CostParameters(NamedTuple):
    """Parameters of costs of rates."""

    steps: int
    """Steps over which spikes are counted: those of the window or of a sample."""
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
    """Index of the first largest number on the last axis, int64; ``SILENT`` if none is above 0."""
    # ``max`` returns both, but wakes all threads, which can take milliseconds.
    return amounts.argmax(-1).masked_fill(amounts.amax(-1) <= 0, SILENT)


def window_classes(output_TBN: Tensor, window: int) -> Tensor:
    """The neurons that spiked most in each step's window, int64 [steps, batch]."""
    return most_active(window_rates(output_TBN, window))


def squared_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """Squared distances from the target rates; ``index`` are labels with a last axis of 1."""
    return (rate - _one_hot(rate, index, parameters.true_rate, parameters.false_rate)).square()


def _one_hot(rate: Tensor, index: Tensor, label_value: float, other_value: float) -> Tensor:
    return torch.full_like(rate, other_value).scatter_(-1, index, label_value)


def softmax_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """``−log softmax(rate)`` at the labels."""
    # Not by ``log_softmax``, which wakes all threads for the few numbers of a batch.
    return rate.logsumexp(-1, keepdim=True) - rate.gather(-1, index)


def likelihood_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """``−log(rate / Σ rate)`` at the labels.

    A silent neuron of a label counts as half a spike, and the sum then as at least half a spike per
    neuron. The gradient is the gradient of the logarithms at these values.
    """
    label_rate, total = _label_and_total(rate, index, parameters.steps)
    return total.log() - label_rate.log()


def _label_and_total(rate: Tensor, index: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    label_rate, total = rate.gather(-1, index), rate.sum(-1, keepdim=True)
    min_rate = torch.full_like(label_rate, HALF_A_SPIKE / steps)
    min_total = torch.where(label_rate < min_rate, min_rate * rate.shape[-1], 0.0)
    return _clamp_min(label_rate, min_rate), _clamp_min(total, min_total)


def _clamp_min(value: Tensor, bound: Tensor) -> Tensor:
    """The larger of the two; unlike with ``maximum``, the gradient always goes to ``value``."""
    with torch.no_grad():
        difference = torch.maximum(value, bound) - value
    return value + difference


def _squared_gradient(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    return (rate - _one_hot(rate, index, parameters.true_rate, parameters.false_rate)).mul_(2)


def _softmax_gradient(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    return rate.softmax(-1).sub_(_one_hot(rate, index, 1.0, 0.0))


def _likelihood_gradient(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    label_rate, total = _label_and_total(rate, index, parameters.steps)
    return _one_hot(rate, index, -1.0, 0.0).div_(label_rate).add_(1 / total)


class Costs(NamedTuple):
    """Costs of rates and labels, and the gradient of the rates."""

    value: Callable[[Tensor, Tensor, CostParameters], Tensor]
    gradient: Callable[[Tensor, Tensor, CostParameters], Tensor]
    are_by_neuron: bool
    """Whether each neuron has a cost; otherwise there is one for all neurons."""


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
    """The sum of the costs of all steps and samples, a scalar."""
    rate = window_rates(output_TBN, window)
    parameters = CostParameters(window, true_rate, false_rate)
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
    """``grad_loss`` times the gradient of the costs."""
    rate = window_rates(output_TBN, window)
    parameters = CostParameters(window, true_rate, false_rate)
    grad_TBN = COSTS[costs].gradient(rate, labels_TB.unsqueeze(-1), parameters)
    del rate
    # A spike is in the windows of its own and the following steps, ``window`` in all.
    sums_TBN = grad_TBN.flip(0).cumsum_(0)
    torch.sub(sums_TBN[window:], sums_TBN[:-window], out=grad_TBN[window:])
    grad_TBN[:window] = sums_TBN[:window]
    del sums_TBN
    return grad_TBN.flip(0).div_(window).mul_(grad_loss)
