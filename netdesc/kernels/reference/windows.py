"""Losses and classes by how often neurons spiked in a window that moves with the steps.

Rates are spikes a step, over the last ``window`` steps; before the first step there are no spikes,
so rates begin low.
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


def window_rates(output_TBN: Tensor, window: int) -> Tensor:
    """[steps, batch, neurons]."""
    counts_TBN = output_TBN.cumsum(0)
    rates_TBN = counts_TBN.clone()
    rates_TBN[window:] -= counts_TBN[:-window]
    return rates_TBN.div_(window)


def most(amounts: Tensor) -> Tensor:
    """Along the last axis the first of the largest, int64; ``SILENT`` where none is above 0."""
    # ``max`` gives both, but wakes every thread for it, which can take milliseconds.
    return amounts.argmax(-1).masked_fill(amounts.amax(-1) <= 0, SILENT)


def window_classes(output_TBN: Tensor, window: int) -> Tensor:
    """The neurons that spiked most in each step's window, int64 [steps, batch]."""
    return most(window_rates(output_TBN, window))


def squared_costs(rate: Tensor, index: Tensor, true_rate: float, false_rate: float) -> Tensor:
    """Squared distances to what is wanted; ``index`` are labels with a last axis of 1."""
    return (rate - _wanted(rate, index, true_rate, false_rate)).square()


def _wanted(rate: Tensor, index: Tensor, true_rate: float, false_rate: float) -> Tensor:
    return torch.full_like(rate, false_rate).scatter_(-1, index, true_rate)


def softmax_costs(rate: Tensor, index: Tensor) -> Tensor:
    """``−log softmax(rate)`` at the labels."""
    # Not by ``log_softmax``, which wakes every thread for the few numbers of a batch.
    return rate.logsumexp(-1, keepdim=True) - rate.gather(-1, index)


def likelihood_costs(rate: Tensor, index: Tensor, steps: int) -> Tensor:
    """``−log(rate / Σ rate)`` at the labels, rates being of so many steps.

    A label's silent neuron counts as half a spike, and all neurons together as at least half a
    spike each then. The gradient is that of the logarithms at these values.
    """
    own, total = _own_and_total(rate, index, steps)
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


def _gradient_of_squares(
    rate: Tensor, index: Tensor, window: int, true_rate: float, false_rate: float
) -> Tensor:
    return (rate - _wanted(rate, index, true_rate, false_rate)).mul_(2)


def _gradient_of_softmax(rate: Tensor, index: Tensor, *_: float) -> Tensor:
    return rate.softmax(-1).sub_(_wanted(rate, index, 1.0, 0.0))


def _gradient_of_likelihood(rate: Tensor, index: Tensor, window: int, *_: float) -> Tensor:
    own, total = _own_and_total(rate, index, window)
    return _wanted(rate, index, -1.0, 0.0).div_(own).add_(1 / total)


class _Costs(NamedTuple):
    """Of rates, labels, window, true and false rate; and their gradient by the rates."""

    of: Callable[[Tensor, Tensor, int, float, float], Tensor]
    gradient: Callable[[Tensor, Tensor, int, float, float], Tensor]


COSTS: dict[str, _Costs] = {
    "squares": _Costs(
        lambda rate, index, _, *wanted: squared_costs(rate, index, *wanted), _gradient_of_squares
    ),
    "softmax": _Costs(lambda rate, index, *_: softmax_costs(rate, index), _gradient_of_softmax),
    "likelihood": _Costs(
        lambda rate, index, window, *_: likelihood_costs(rate, index, window),
        _gradient_of_likelihood,
    ),
}


def window_loss(
    output_TBN: Tensor,
    labels_TB: Tensor,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> tuple[Tensor, Tensor]:
    """The costs of all steps and samples, a float32 scalar, and nothing for the backward pass."""
    rate, index = window_rates(output_TBN, window), labels_TB.unsqueeze(-1)
    total = COSTS[costs].of(rate, index, window, true_rate, false_rate).sum()
    return total, output_TBN.new_empty(0)


def window_loss_backward(
    output_TBN: Tensor | None,
    labels_TB: Tensor,
    kept: Tensor,
    grad_loss: Tensor,
    neurons: int,
    window: int,
    costs: str,
    true_rate: float,
    false_rate: float,
) -> Tensor:
    """The gradient of the costs by the output, times ``grad_loss``."""
    assert output_TBN is not None, "this engine keeps nothing in its place"
    rate, index = window_rates(output_TBN, window), labels_TB.unsqueeze(-1)
    grad_TBN = COSTS[costs].gradient(rate, index, window, true_rate, false_rate)
    del rate
    # A spike is in the windows of its own step and of the next ones, ``window`` in all.
    sums_TBN = grad_TBN.flip(0).cumsum_(0)
    torch.sub(sums_TBN[window:], sums_TBN[:-window], out=grad_TBN[window:])
    grad_TBN[:window] = sums_TBN[:window]
    del sums_TBN
    return grad_TBN.flip(0).div_(window).mul_(grad_loss)
