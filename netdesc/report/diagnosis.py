"""Finds runs that did not learn: diverged, silent or guessing networks. Suggests other settings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import SynapticNode
from netdesc.report.format import join_words, number, percent
from netdesc.report.loss_trend import got_worse
from netdesc.report.rates import LayerRates
from netdesc.report.run import RunData

MIN_SILENT_SHARE = 0.1
"""Silence is reported if the output is silent for at least this share of the samples."""
CHANCE_MARGIN = 0.1
"""An accuracy below ``chance + CHANCE_MARGIN * (1 - chance)`` counts as guessing. ``chance`` is the
accuracy of always predicting the same class."""
MIN_WIDE_TAU_GRAD = 0.3
"""If a surrogate gradient is at least this wide, a narrower one is suggested; else a wider one."""
MIN_GRADIENT = 1e-6
"""A gradient up to this share of that of the first epoch counts as none."""
MIN_LOSS = 0.01
"""A loss up to this share of that of the first epoch explains why gradients vanish."""
RETRY_RATE_FACTOR = 0.3
"""The suggested learning rate is the run's learning rate times this factor, …"""
MAX_RETRY_RATE = 0.01
"""… but at most this."""

Fix = tuple[str, Sequence[str]]
"""A description, and the arguments for ``--set``, all in one command."""


class Diagnosis(NamedTuple):
    """Problems of a run, the most serious first, and fixes that may help, the most promising first.

    A problem is a sentence. If ``diverged``, a lower learning rate is the only advice, because
    advice on neurons would be wrong.
    """

    problems: Sequence[str] = ()
    fixes: Sequence[Fix] = ()
    diverged: bool = False


def diagnose(run: RunData, rates: Sequence[LayerRates], zeroed: Sequence[str]) -> Diagnosis:
    """Checks whether the run diverged, or the network with the best weights is silent or guesses.

    ``zeroed`` are the names of the layers whose quantised weights are all 0.
    """
    if run.record.status == "diverged":  # the status says so
        return Diagnosis((), _lower_rate(run), diverged=True)
    if not len(run.metrics) or (run.activity is not None and not run.activity.epoch):
        return Diagnosis()
    dead = [each.name for each in rates if each.silent == each.neurons]
    dead = [name for name in dead if name not in run.graph.read_by_state]
    layers, silence = run.graph.neuron_layers, list(_silence(run, dead, zeroed))
    result = "The loss ended far above its start" if got_worse(run) else ""
    if not result and not silence and _is_stuck(run):
        result = "No layer gets a gradient any more"
    if result:
        return Diagnosis([_instability(run, result)], _lower_rate(run), diverged=True)
    if zeroed:
        scales = [_weight_scale(each) for each in layers if each.name in zeroed]
        return Diagnosis(silence, [("Try larger initial weights", scales)])
    if silence:
        silent = (each for each in layers if each.name in dead)
        slower = _lower_rate(run) if _fell_silent(run, dead) else []
        fixes = _fixes(run, next(silent, layers[-1]), is_silent=True)
        return Diagnosis(silence, [*slower, *fixes])
    guessing = list(_guessing(run))
    return Diagnosis(guessing, _fixes(run, layers[-1], is_silent=False) if guessing else ())


def _silence(run: RunData, dead: Sequence[str], zeroed: Sequence[str]) -> Iterator[str]:
    confusion, activity = run.metrics.confusion, run.activity
    silent, count, what = 0, 0, "samples shown below"
    if confusion is not None:
        silent, count, what = int(confusion.undecided.sum()), confusion.total, run.classified_items
    elif activity is not None and run.graph.classes is None and not run.graph.read_by_state:
        outputs = [
            each.output
            for each in activity.samples
            if each.output
            and (each.values is not None or (each.target and len(each.target.events)))
        ]
        silent, count = sum(not len(output.events) for output in outputs), len(outputs)
    if silent and silent >= MIN_SILENT_SHARE * count:
        yield f"The output is silent for {silent:,} of {count:,} {what} (see the next steps)."
    if dead:
        yield f"No neuron spikes in {join_words(dead)}."
    if zeroed:
        layers = join_words([f"layer “{name}”" for name in zeroed])
        yield (
            f"All weights of {layers} are 0 on the device's grid, which has steps of 1/32. A "
            f"larger weight_scale helps (see the next steps)."
        )


def _instability(run: RunData, result: str) -> str:
    metrics, losses = run.metrics, run.metrics.selection_losses
    assert metrics.best is not None
    what = f"{metrics.selection_metric.replace('_', ' ')}{run.loss_unit}"
    return (
        f"{result}: the {what} was {number(losses[0])} in the first epoch, "
        f"{number(losses[metrics.best])} in epoch {metrics.best + 1:,}, the best, and "
        f"{number(losses[-1])} in the last. This report shows the weights of the best epoch. A "
        f"lower learning rate usually helps (see the next steps)."
    )


def _is_stuck(run: RunData) -> bool:
    """Whether all gradients vanished during training, although the loss is not near 0."""
    norms = [each for (kind, _), each in run.metrics.by_layer.items() if kind == "gradient_norms"]
    losses = run.metrics.columns["loss"]
    have_vanished = all(each[-1] <= MIN_GRADIENT * each[0] for each in norms)
    is_solved = losses[-1] <= MIN_LOSS * losses[0]
    return have_vanished and any(each[0] for each in norms) and not is_solved


def _fell_silent(run: RunData, dead: Sequence[str]) -> bool:
    """Whether layers that never spike with the best weights did so in the first epoch."""
    rates = (run.metrics.by_layer.get(("spike_rates", name)) for name in dead)
    return any(each is not None and each[0] > 0 for each in rates)


def _lower_rate(run: RunData) -> list[Fix]:
    rate = min(RETRY_RATE_FACTOR * run.document.training.optimizer.learning_rate, MAX_RETRY_RATE)
    setting = f"training.optimizer.learning_rate={rate:.3g}"
    return [("Try again with a lower learning rate", [setting])]


def _weight_scale(layer: SynapticNode) -> str:
    # With this scale, the largest initial weights are at least 4 of the device's units (1/32).
    scale = max(2 * layer.section.weight_scale, math.sqrt(math.prod(layer.weight_shape[1:])) / 8)
    return f"layers.{layer.name}.weight_scale={scale:.3g}"


def _guessing(run: RunData) -> Iterator[str]:
    metrics, classes = run.metrics, run.graph.classes
    accuracy, confusion = metrics.at_best("accuracy"), metrics.confusion
    if run.record.status != "done" or classes is None or accuracy is None or classes < 2:
        return
    most_frequent = 0.0 if confusion is None else confusion.samples.max() / max(1, confusion.total)
    chance = max(1 / classes, most_frequent)
    if accuracy < chance + CHANCE_MARGIN * (1 - chance):
        yield (
            f"The accuracy of {percent(accuracy)} is hardly better than guessing: predicting the "
            f"same class every time would reach {percent(chance)} (see the next steps)."
        )


def _fixes(run: RunData, layer: SynapticNode, *, is_silent: bool) -> list[Fix]:
    """Suggests another surrogate gradient, smaller batches and, if silent, more input current."""
    section = next(each for each in run.document.layers if each.name == layer.name)
    is_named = isinstance(section.neuron, str)
    neuron = f"neurons.{layer.neuron_name}" if is_named else f"layers.{layer.name}.neuron"
    schedule = layer.neuron.width_schedule
    is_constant = isinstance(schedule, (int, float))
    width = schedule if is_constant else schedule.start
    change, factor = ("narrower", 0.1) if width >= MIN_WIDE_TAU_GRAD else ("wider", 3)
    is_own = getattr(layer.neuron, "surrogate", None) is not None
    place = f"{neuron}.{'surrogate.width' if is_own else 'tau_grad'}"
    surrogate = (
        f"Try a {change} surrogate gradient",
        [f"{place}{'' if is_constant else '.start'}={factor * width:.3g}"],
    )
    threshold = layer.neuron.values().get("threshold")
    batch = run.document.training.batch_size or run.record.samples.get("train", 1)
    size = min(32, batch // 2)
    smaller = [(f"Try batches of {amount(size, 'sample')}", [f"training.batch_size={size}"])]
    more_input = [("Try larger initial weights", [_weight_scale(layer)])]
    if isinstance(threshold, float):
        place = ".".join((neuron, *layer.neuron.value_path("threshold")))
        more_input.append(("Try a lower threshold", [f"{place}={threshold / 2:.3g}"]))
    return [
        *(more_input if is_silent else ()),
        *([surrogate] if layer.neuron.equations().spike else ()),
        *(smaller if batch > 1 else ()),
    ]
