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
from netdesc.kernels.cpu.by_samples import BySamples
from netdesc.kernels.cpu.end_of_sum import OfSums
from netdesc.kernels.cpu.ending import OfRates, OfTrains
from netdesc.kernels.cpu.threads import threads
from netdesc.kernels.cpu.trains import EXACT, Spikes, SpikeSum
from netdesc.losses import MovingWindowClassifier, RateClassifier, SpikeMax, SpikeRate
from netdesc.losses.rates import Window, labels_like, rates
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
        if loss.window:
            value = _of_window(loss, loss.window, labels, spikes)
        elif are_exact(spikes):
            value = _of_rates(loss, rate_BN, labels, spikes.shape[0])
        else:
            return self.of_floats(floats_of(spikes))
        _add(self.tally, labels, spikes, rate_BN)
        return value

    def of_floats(self, output_TBN: Tensor) -> Tensor:
        """See ``one_way.Judge``."""
        value = self.loss(output_TBN, self.labels)
        if self.tally is not None:
            self.tally.add(output_TBN, self.labels)
        return value


def are_exact(spikes: Spikes) -> bool:
    """Whether rates are the same however spikes are added up: torch adds up floats."""
    return not isinstance(spikes, SpikeSum) or bool((spikes.counts_BN < EXACT).all())


def _by_sum(
    loss: _Loss, labels: Tensor, tally: Tally | None, spikes: SpikeSum, rate_BN: Tensor
) -> BySamples:
    if not loss.window and not are_exact(spikes):
        return _by_floats(loss, labels, tally, floats_of(spikes))
    return _by_trains(loss, labels, tally, spikes, rate_BN)


def floats_of(spikes: Spikes) -> Tensor:
    """The same output."""
    return torch.from_numpy(SpikeSum.of([spikes]).floats().reshape(spikes.shape))


def _by_floats(loss: _Loss, labels: Tensor, tally: Tally | None, output_TBN: Tensor) -> BySamples:
    if loss.window:
        return _by_window(loss, loss.window, labels, tally, output_TBN.numpy(), None)
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
    if loss.window:
        return _by_window(loss, loss.window, labels, tally, trains, rate_BN)
    steps, batch, _ = trains.shape
    value, grad_BN = _by_rates(loss, rate_BN, labels, steps, tally, trains)
    by_rates = grad_BN / steps
    return BySamples(lambda *_: by_rates.expand(trains.shape), lambda: value, batch)


def _by_window(
    loss: _Loss,
    window: Window,
    labels: Tensor,
    tally: Tally | None,
    output: Spikes | np.ndarray,
    rate_BN: Tensor | None,
) -> BySamples:
    shape, looks = output.shape, windows.Looks.at(output)
    labels_TB = _labels_of_steps(labels, shape)
    _add(tally, labels, output, rate_BN)
    grad_total = float(scalar(1) / loss.looks(shape)) if loss.mean else 1.0
    costs, sums = _costs_of(window), np.empty(shape[1])

    def gradient(first: int, last: int) -> Tensor:
        of_labels = labels_TB[:, first:last], costs, grad_total, sums[first:last]
        return windows.gradient_of(looks.of_samples(first, last), *of_labels)

    def value_of_all() -> Tensor:
        return _mean(loss, windows.sum_of_costs(sums), shape)

    return BySamples(gradient, value_of_all, looks.at_once)


def _of_window(loss: _Loss, window: Window, labels: Tensor, trains: Spikes) -> Tensor:
    shape, looks = trains.shape, windows.Looks.at(trains)
    labels_TB, sums = _labels_of_steps(labels, shape), np.empty(shape[1])
    for first in range(0, shape[1], looks.at_once):
        last = min(shape[1], first + looks.at_once)
        of_labels = labels_TB[:, first:last], _costs_of(window), None, sums[first:last]
        windows.gradient_of(looks.of_samples(first, last), *of_labels)
    return _mean(loss, windows.sum_of_costs(sums), shape)


def _mean(loss: _Loss, total: Tensor, shape: tuple[int, ...]) -> Tensor:
    return total / loss.looks(shape) if loss.mean else total


def _labels_of_steps(labels: Tensor, shape: tuple[int, ...]) -> Tensor:
    steps, batch, neurons = shape
    labels_like(labels, (steps, batch), neurons)  # looks at them; its copy would be in the way
    return labels.to(torch.int64).expand(steps, batch)


def _costs_of(window: Window) -> windows.Costs:
    return windows.Costs(window.steps, window.costs, window.true_rate, window.false_rate)


def _add(
    tally: Tally | None,
    labels: Tensor,
    output: Spikes | np.ndarray | None,
    rate_BN: Tensor | None,
) -> None:
    """Adds what the classifier finds; of spikes ``rate_BN`` are known."""
    if tally is None:
        return
    classifier = tally.classifier
    if isinstance(classifier, RateClassifier):
        tally.add_found(classifier.of_rates(_as_added_up(output, rate_BN)), labels)
        return
    assert output is not None, "no steps are left to look at"
    steps, batch, _ = output.shape
    looks = windows.Looks.at(output)
    samples = min(looks.at_once, max(threads(), _STEPS // steps))
    for first in range(0, batch, samples):
        last = min(batch, first + samples)
        found = _by_steps(classifier, looks.of_samples(first, last))
        tally.add_found(found, labels[..., first:last])


def _as_added_up(output: Spikes | np.ndarray | None, rate_BN: Tensor | None) -> Tensor:
    """The rates as torch adds them up."""
    if isinstance(output, np.ndarray):
        return rates(torch.from_numpy(output))
    if output is not None and not are_exact(output):
        return rates(floats_of(output))
    assert rate_BN is not None, "they are known of spikes"
    return rate_BN.detach()


def classes_of(classifier: nn.Module, trains: Spikes, rate_BN: Tensor) -> Tensor:
    """What the classifier finds: classes [batch], or [steps, batch] by a window."""
    if isinstance(classifier, RateClassifier):
        return classifier.of_rates(rate_BN)
    return _by_steps(classifier, windows.Looks.at(trains).of_samples(0, trains.shape[1]))


def _by_steps(classifier: nn.Module, output: windows.Output) -> Tensor:
    assert isinstance(classifier, MovingWindowClassifier), "there are no other classifiers"
    return windows.classes_of(output, classifier.window_steps)
