"""Spike rates in a moving window, and the costs of rates that have a label.

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


def squared_costs(rate: Tensor, index: Tensor, parameters: CostParameters) -> Tensor:
    """Returns the squared distances of rates from their target rates.

    In this and the other cost functions, ``index`` holds the labels, with a last axis of length 1.
    """
    target = torch.full_like(rate, parameters.false_rate)
    return (rate - target.scatter_(-1, index, parameters.true_rate)).square()


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


COSTS: dict[str, Callable[[Tensor, Tensor, CostParameters], Tensor]] = {
    "squares": squared_costs,
    "softmax": softmax_costs,
    "likelihood": likelihood_costs,
}
"""Name -> the function that returns the costs of rates, one for each neuron or for all of them."""
