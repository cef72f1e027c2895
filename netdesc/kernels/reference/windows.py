"""Losses and classes from spike counts in a moving window.

A rate is the number of spikes per step over the last ``window`` steps. Before the first step there
are no spikes. All functions compute in the type of the output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

SILENT = -1
"""Class of an output without spikes."""

HALF_A_SPIKE = 0.5
"""Number of spikes that a silent neuron of the label counts as, see ``likelihood_costs``."""


class CostParameters(NamedTuple):
    """Parameters of the functions that compute costs from rates."""

    steps: int
    """Number of steps over which spikes are counted: the window or the whole sample."""
    true_rate: float
    """Target rate of the label's neuron in ``squared_costs``; other neurons have ``false_rate``."""
    false_rate: float


def window_rates(output_TBN: Tensor, window: int) -> Tensor:
    """Returns the rate of each neuron in each step's window, [steps, batch, neurons]."""
    counts_TBN = output_TBN.cumsum(0)
    rates_TBN = counts_TBN.clone()
    rates_TBN[window:] -= counts_TBN[:-window]
    return rates_TBN.div_(window)


def most_active(amounts: Tensor) -> Tensor:
    """Returns the index of the largest number on the last axis, int64.

    In a tie, it is the first such index. It is ``SILENT`` if all numbers are 0.
    """
    # ``max`` would return both results, but wakes all threads, which can take milliseconds.
    return amounts.argmax(-1).masked_fill(~amounts.any(-1), SILENT)


def window_classes(output_TBN: Tensor, window: int) -> Tensor:
    """Returns the neuron that spiked most in each step's window, int64 [steps, batch].

    Returns ``SILENT`` if no neuron spiked in the window.
    """
    return most_active(window_rates(output_TBN, window))


def squared_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """Returns the squared distances of rates from their target rates.

    In this and the other cost functions, ``index`` holds the labels, with a last axis of length 1.
    """
    return (rate - _one_hot(rate, index, parameters.true_rate, parameters.false_rate)).square()


def _one_hot(rate: Tensor, index: Tensor, label_value: float, other_value: float) -> Tensor:
    return torch.full_like(rate, other_value).scatter_(-1, index, label_value)


def softmax_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """Returns ``−log softmax(rate)`` at the labels."""
    # ``log_softmax`` would wake all threads for the few numbers of a batch.
    return rate.logsumexp(-1, keepdim=True) - rate.gather(-1, index)


def likelihood_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """Returns ``−log(rate / Σ rate)`` at the labels.

    If the label's neuron is silent, its rate is replaced by the rate of half a spike. The sum of
    the rates is then replaced, if it is lower, by the rate of half a spike in every neuron. The
    gradient is the derivative of the logarithms at these values.
    """
    label_rate, total = _label_and_total(rate, index, parameters.steps)
    return total.log() - label_rate.log()


def _label_and_total(rate: Tensor, index: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    label_rate, total = rate.gather(-1, index), rate.sum(-1, keepdim=True)
    min_rate = torch.full_like(label_rate, HALF_A_SPIKE / steps)
    min_total = torch.where(label_rate < min_rate, min_rate * rate.shape[-1], 0.0)
    return _clamp_min(label_rate, min_rate), _clamp_min(total, min_total)


def _clamp_min(value: Tensor, bound: Tensor) -> Tensor:
    """Returns the larger argument. Unlike in ``maximum``, the gradient always goes to ``value``."""
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
    """Two functions of rates and labels. ``value`` returns the costs.

    ``gradient`` returns the derivative of the costs with respect to the rates.
    """

    value: Callable[[Tensor, Tensor, CostParameters], Tensor]
    gradient: Callable[[Tensor, Tensor, CostParameters], Tensor]
    are_by_neuron: bool
    """Whether each neuron has its own cost; otherwise there is one cost for all neurons."""


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
    """Returns the sum of the costs of all steps and samples, a scalar."""
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
    """Returns the gradient of the output: ``grad_loss`` times the gradient of the costs."""
    rate = window_rates(output_TBN, window)
    parameters = CostParameters(window, true_rate, false_rate)
    grad_TBN = COSTS[costs].gradient(rate, labels_TB.unsqueeze(-1), parameters)
    del rate
    # A spike counts in ``window`` windows: the windows of its own and of the following steps.
    sums_TBN = grad_TBN.flip(0).cumsum_(0)
    torch.sub(sums_TBN[window:], sums_TBN[:-window], out=grad_TBN[window:])
    grad_TBN[:window] = sums_TBN[:window]
    del sums_TBN
    return grad_TBN.flip(0).div_(window).mul_(grad_loss)
