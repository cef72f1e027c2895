"""Finds networks that do not learn (silent, or as bad as guessing), and suggests other settings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import SynapticNode
from netdesc.report.format import join_words, percent
from netdesc.report.rates import LayerRates
from netdesc.report.run import RunData

MIN_SILENT_SHARE = 0.1
"""Silence is reported if the output is silent for at least this share of the samples."""
CHANCE_MARGIN = 0.1
"""An accuracy below ``chance + CHANCE_MARGIN * (1 - chance)`` counts as guessing. ``chance`` is the
accuracy of always predicting the same class."""
MIN_WIDE_TAU_GRAD = 0.3
"""If a surrogate gradient is at least this wide, a narrower one is suggested; else a wider one."""


class Diagnosis(NamedTuple):
    """Problems of a run, the most serious first, and fixes that may help, the most promising first.

    A problem is a sentence. A fix is a pair: a description, and the argument for ``--set``.
    """

    problems: Sequence[str] = ()
    fixes: Sequence[tuple[str, str]] = ()


def diagnose(run: RunData, rates: Sequence[LayerRates], zeroed: Sequence[str]) -> Diagnosis:
    """Checks whether the network with the best weights is silent or guesses, and suggests fixes.

    ``zeroed`` are the names of the layers whose quantised weights are all 0.
    """
    if not len(run.metrics) or (run.activity is not None and not run.activity.epoch):
        return Diagnosis()
    dead = [each.name for each in rates if each.silent == each.neurons]
    dead = [name for name in dead if name not in run.graph.read_by_state]
    layers = run.graph.neuron_layers
    if silence := list(_silence(run, dead, zeroed)):
        silent = (each for each in layers if each.name in {*dead, *zeroed})
        return Diagnosis(silence, _fixes(run, next(silent, layers[-1]), is_silent=True))
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
        last = run.graph.layers[-1].name
        rest = "" if dead == [last] else ", so the layers after it get no input"
        yield f"No neuron spikes in {join_words(dead)}{rest}."
    for name in zeroed:
        yield (
            f"All weights of layer “{name}” are 0 on the device's grid, which has steps of 1/32. A "
            f"larger weight_scale helps."
        )


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


def _fixes(run: RunData, layer: SynapticNode, *, is_silent: bool) -> list[tuple[str, str]]:
    """Suggests another surrogate gradient, smaller batches and, if silent, more input current."""
    section = next(each for each in run.document.layers if each.name == layer.name)
    is_named = isinstance(getattr(section, "neuron", None), str)
    neuron = f"neurons.{layer.neuron_name}" if is_named else f"layers.{layer.name}.neuron"
    # With this scale, the largest initial weights are at least 4 of the device's units (1/32).
    scale = max(2 * layer.section.weight_scale, math.sqrt(math.prod(layer.weight_shape[1:])) / 8)
    schedule = layer.neuron.width_schedule
    is_constant = isinstance(schedule, (int, float))
    width = schedule if is_constant else schedule.start
    change, factor = ("narrower", 0.1) if width >= MIN_WIDE_TAU_GRAD else ("wider", 3)
    is_own = getattr(layer.neuron, "surrogate", None) is not None
    place = f"{neuron}.{'surrogate.width' if is_own else 'tau_grad'}"
    surrogate = (
        f"Try a {change} surrogate gradient",
        f"{place}{'' if is_constant else '.start'}={factor * width:.3g}",
    )
    threshold = layer.neuron.values().get("threshold")
    batch = run.document.training.batch_size or run.record.samples.get("train", 1)
    size = min(32, batch // 2)
    smaller = [(f"Try batches of {amount(size, 'sample')}", f"training.batch_size={size}")]
    more_input = [("Try larger initial weights", f"layers.{layer.name}.weight_scale={scale:.3g}")]
    if isinstance(threshold, float):
        place = ".".join((neuron, *layer.neuron.value_path("threshold")))
        more_input.append(("Try a lower threshold", f"{place}={threshold / 2:.3g}"))
    return [
        *(more_input if is_silent else ()),
        *([surrogate] if layer.neuron.equations().spike else ()),
        *(smaller if batch > 1 else ()),
    ]
