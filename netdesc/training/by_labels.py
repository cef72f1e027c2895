"""Losses and scores by labels, from what a chain on the CPU engine leaves of its last layer.

Imports Numba.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from netdesc.kernels.cpu import windows
from netdesc.kernels.cpu.arrays import scalar
from netdesc.kernels.cpu.by_samples import BySamples, samples_at_once
from netdesc.kernels.cpu.end_of_sum import OfSums
from netdesc.kernels.cpu.ending import OfRates, OfTrains
from netdesc.kernels.cpu.threads import threads
from netdesc.kernels.cpu.trains import Spikes, SpikeSum
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


def of_sum(loss: _Loss, labels: Tensor, tally: Tally | None) -> OfSums:
    """The same of an output that is a sum."""
    return OfSums(partial(_by_sum, loss, labels, tally), partial(_by_floats, loss, labels, tally))


@dataclass(frozen=True, eq=False)
class LabelJudge:
    """The loss alone, in the same way."""

    loss: _Loss
    labels: Tensor
    tally: Tally | None

    def of_spikes(self, spikes: Spikes, rate_BN: Tensor) -> Tensor:
        """See ``one_way.Judge``."""
        loss, labels = self.loss, self.labels
        if not windows.is_small(spikes):
            return self.of_floats(floats_of(spikes))
        if loss.window:
            value = _of_window(loss, loss.window, labels, spikes)
        else:
            value = _of_rates(loss, rate_BN, labels, spikes.shape[0])
        _add(self.tally, labels, spikes, rate_BN)
        return value

    def of_floats(self, output_TBN: Tensor) -> Tensor:
        """See ``one_way.Judge``."""
        value = self.loss(output_TBN, self.labels)
        if self.tally is not None:
            self.tally.add(output_TBN, self.labels)
        return value


def _by_sum(
    loss: _Loss, labels: Tensor, tally: Tally | None, spikes: SpikeSum, rate_BN: Tensor
) -> BySamples:
    """Rates of large numbers depend on how they are added up, and torch adds up floats."""
    if not windows.is_small(spikes):
        return _by_floats(loss, labels, tally, floats_of(spikes))
    return _by_trains(loss, labels, tally, spikes, rate_BN)


def floats_of(spikes: Spikes) -> Tensor:
    """The same output."""
    return torch.from_numpy(SpikeSum.of([spikes]).floats().reshape(spikes.shape))


def _by_floats(loss: _Loss, labels: Tensor, tally: Tally | None, output_TBN: Tensor) -> BySamples:
    output_TBN.requires_grad_()
    with torch.enable_grad():
        value = LabelJudge(loss, labels, tally).of_floats(output_TBN)
    (grad_TBN,) = torch.autograd.grad(value, output_TBN)
    return BySamples(lambda *_: grad_TBN, value.detach, output_TBN.shape[1])


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
    trains: Spikes | None,
) -> tuple[Tensor, Tensor]:
    """The loss over whole samples, and its gradient by the rates."""
    rate_BN.requires_grad_()
    with torch.enable_grad():
        value = _of_rates(loss, rate_BN, labels, steps)
    _add(tally, labels, trains, rate_BN)
    (grad_BN,) = torch.autograd.grad(value, rate_BN)
    return value.detach(), grad_BN


def _by_trains(
    loss: _Loss, labels: Tensor, tally: Tally | None, trains: Spikes, rate_BN: Tensor
) -> BySamples:
    steps, batch, _ = trains.shape
    if not loss.window:
        value, grad_BN = _by_rates(loss, rate_BN, labels, steps, tally, trains)
        by_rates = grad_BN / steps
        return BySamples(lambda *_: by_rates.expand(trains.shape), lambda: value, batch)
    labels_TB = _labels_of_steps(labels, trains)
    _add(tally, labels, trains, rate_BN)
    grad_total = float(scalar(1) / loss.looks(trains.shape)) if loss.mean else 1.0
    costs, sums = _costs_of(loss.window), np.empty(batch)

    def gradient(first: int, last: int) -> Tensor:
        of_labels = labels_TB[:, first:last], costs, grad_total, sums[first:last]
        return windows.gradient_of(trains.samples(first, last), *of_labels)

    def value_of_all() -> Tensor:
        return _mean(loss, windows.sum_of_costs(sums), trains)

    return BySamples(gradient, value_of_all, samples_at_once(trains.shape))


def _of_window(loss: _Loss, window: Window, labels: Tensor, trains: Spikes) -> Tensor:
    total, _ = windows.loss_of(trains, _labels_of_steps(labels, trains), _costs_of(window), None)
    return _mean(loss, total, trains)


def _mean(loss: _Loss, total: Tensor, trains: Spikes) -> Tensor:
    return total / loss.looks(trains.shape) if loss.mean else total


def _labels_of_steps(labels: Tensor, trains: Spikes) -> Tensor:
    steps, batch, neurons = trains.shape
    labels_like(labels, (steps, batch), neurons)  # looks at them; its copy would be in the way
    return labels.to(torch.int64).expand(steps, batch)


def _costs_of(window: Window) -> windows.Costs:
    return windows.Costs(window.steps, window.costs, window.true_rate, window.false_rate)


def _add(tally: Tally | None, labels: Tensor, trains: Spikes | None, rate_BN: Tensor) -> None:
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


def classes_of(classifier: nn.Module, trains: Spikes, rate_BN: Tensor) -> Tensor:
    """What the classifier finds: classes [batch], or [steps, batch] by a window."""
    if isinstance(classifier, RateClassifier):
        return classifier.of_rates(rate_BN)
    assert isinstance(classifier, MovingWindowClassifier), "there are no other classifiers"
    return windows.classes_of(trains, classifier.window_steps)
