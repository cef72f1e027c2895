"""Losses and scores by labels, from what a chain on the CPU engine leaves of its last layer.

Imports Numba.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from netdesc.kernels.cpu import windows
from netdesc.kernels.cpu.arrays import scalar
from netdesc.kernels.cpu.ending import OfRates, OfTrains
from netdesc.kernels.cpu.one_way import Judge
from netdesc.kernels.cpu.threads import threads
from netdesc.kernels.cpu.trains import SpikeTrains
from netdesc.losses import MovingWindowClassifier, RateClassifier, SpikeMax, SpikeRate
from netdesc.losses.rates import Window, labels_like
from netdesc.training.score import Tally

_Loss = SpikeRate | SpikeMax

_STEPS = 1 << 14
"""Steps whose classes are looked at together: 128 kB in each of the tally's tensors."""


def of_output(loss: _Loss, labels: Tensor, steps: int, tally: Tally | None) -> OfRates | OfTrains:
    """What the last layer's spikes are worth; labels and what is found are added to ``tally``.

    Once the loss has looked at the labels, that is.
    """
    moves = tally is not None and isinstance(tally.classifier, MovingWindowClassifier)
    if not loss.window and not moves:
        return OfRates(lambda rate_BN: _by_rates(loss, rate_BN, labels, steps, tally, None))
    return OfTrains(partial(_by_trains, loss, labels, tally))


def judged(loss: _Loss, labels: Tensor, tally: Tally | None) -> Judge:
    """The loss alone, in the same way."""

    def judge(trains: SpikeTrains, rate_BN: Tensor) -> Tensor:
        if loss.window:
            return _by_window(loss, loss.window, labels, tally, trains, rate_BN, learn=False)[0]
        value = _of_rates(loss, rate_BN, labels, trains.shape[0])
        _add(tally, labels, trains, rate_BN)
        return value

    return judge


def _of_rates(loss: _Loss, rate_BN: Tensor, labels: Tensor, steps: int) -> Tensor:
    if isinstance(loss, SpikeMax):
        return loss.of_rates(rate_BN, labels, steps)
    return loss.of_rates(rate_BN, labels)


def _by_rates(
    loss: _Loss,
    rate_BN: Tensor,
    labels: Tensor,
    steps: int,
    tally: Tally | None,
    trains: SpikeTrains | None,
) -> tuple[Tensor, Tensor]:
    """The loss over whole samples, and its gradient by the rates."""
    rate_BN.requires_grad_()
    with torch.enable_grad():
        value = _of_rates(loss, rate_BN, labels, steps)
    _add(tally, labels, trains, rate_BN)
    (grad_BN,) = torch.autograd.grad(value, rate_BN)
    return value.detach(), grad_BN


def _by_trains(
    loss: _Loss, labels: Tensor, tally: Tally | None, trains: SpikeTrains, rate_BN: Tensor
) -> tuple[Tensor, Tensor]:
    if loss.window:
        return _by_window(loss, loss.window, labels, tally, trains, rate_BN, learn=True)
    steps, _, _ = trains.shape
    value, grad_BN = _by_rates(loss, rate_BN, labels, steps, tally, trains)
    return value, (grad_BN / steps).expand(trains.shape)


def _by_window(
    loss: _Loss,
    window: Window,
    labels: Tensor,
    tally: Tally | None,
    trains: SpikeTrains,
    rate_BN: Tensor,
    learn: bool,
) -> tuple[Tensor, Tensor]:
    """The loss, and its gradient by the spikes, which is empty unless it is to ``learn``."""
    steps, batch, neurons = trains.shape
    labels_like(labels, (steps, batch), neurons)  # looks at them; its copy would be in the way
    labels_TB = labels.to(torch.int64).expand(steps, batch)
    _add(tally, labels, trains, rate_BN)
    looks = loss.looks(trains.shape) if loss.mean else 1
    of_costs = window.costs, window.true_rate, window.false_rate
    grad_total = float(scalar(1) / looks) if learn else None
    total, grad_TBN = windows.loss_of(trains, labels_TB, window.steps, *of_costs, grad_total)
    return total / looks if loss.mean else total, grad_TBN


def _add(tally: Tally | None, labels: Tensor, trains: SpikeTrains | None, rate_BN: Tensor) -> None:
    if tally is None:
        return
    classifier = tally.classifier
    if isinstance(classifier, RateClassifier):
        tally.add_found(classifier.of_rates(rate_BN.detach()), labels)
        return
    assert trains is not None, "no steps are left to look at"
    steps, batch, _ = trains.shape
    samples = max(threads(), _STEPS // steps)
    for first in range(0, batch, samples):
        last = min(batch, first + samples)
        found = classes_of(classifier, trains.samples(first, last), rate_BN[first:last])
        tally.add_found(found, labels[..., first:last])


def classes_of(classifier: nn.Module, trains: SpikeTrains, rate_BN: Tensor) -> Tensor:
    """What the classifier finds: classes [batch], or [steps, batch] by a window."""
    if isinstance(classifier, RateClassifier):
        return classifier.of_rates(rate_BN)
    assert isinstance(classifier, MovingWindowClassifier), "there are no other classifiers"
    return windows.classes_of(trains, classifier.window_steps)
