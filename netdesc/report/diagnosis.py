"""Why a network does not learn at all, and the settings of its document that may help."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netdesc.graph import Dense, TauGrad
from netdesc.report.format import join_words, percent, plural
from netdesc.report.rates import LayerRates
from netdesc.report.run import Run

SILENT_SHARE = 0.1
"""Share of silent samples from which on silence is what to fix first."""
CHANCE_MARGIN = 0.1
"""An accuracy that goes less than this share of the way from guessing to 1 is near guessing."""
WIDE = 0.3
"""A surrogate gradient from this width on is rather too wide than too narrow."""


class Diagnosis(NamedTuple):
    """``problems`` are sentences, the gravest first; ``fixes`` may help, the likeliest first.

    A fix is a change of the document: what it does, and an argument for ``--set``.
    """

    problems: Sequence[str] = ()
    fixes: Sequence[tuple[str, str]] = ()


def diagnose(run: Run, rates: Sequence[LayerRates], zeroed: Sequence[str]) -> Diagnosis:
    """Silence and guessing in the best weights; ``zeroed`` layers have only zeros as weights."""
    if not len(run.metrics) or (run.activity is not None and not run.activity.epoch):
        return Diagnosis()
    dead = [each.name for each in rates if each.silent == each.neurons]
    if silence := list(_silence(run, dead, zeroed)):
        mute = next((each for each in run.dense if each.name in {*dead, *zeroed}), run.dense[-1])
        return Diagnosis(silence, _fixes(run, mute, is_silent=True))
    guessing = list(_guessing(run))
    return Diagnosis(guessing, _fixes(run, run.dense[-1], is_silent=False) if guessing else ())


def _silence(run: Run, dead: Sequence[str], zeroed: Sequence[str]) -> Iterator[str]:
    confusion, activity = run.metrics.confusion, run.activity
    silent, count, what = 0, 0, "samples shown"
    if confusion is not None:
        silent, count, what = int(confusion.undecided.sum()), confusion.total, run.judged
    elif activity is not None and run.graph.classes is None:
        targeted = [each for each in activity.shown if each.target and len(each.target.events)]
        silent, count = sum(not len(each.output.events) for each in targeted), len(targeted)
    if silent and silent >= SILENT_SHARE * count:
        yield f"The output is silent for {silent:,} of {count:,} {what} (see the next steps)."
    if dead:
        yield f"All neurons are silent in {join_words(dead)}: no spike gets beyond."
    for name in zeroed:
        yield (
            f"All weights of layer “{name}” are 0 on the device's grid, whose steps are 1/32: a "
            f"larger weight_scale reaches the grid."
        )


def _guessing(run: Run) -> Iterator[str]:
    metrics, classes = run.metrics, run.graph.classes
    accuracy, confusion = metrics.best_accuracy, metrics.confusion
    if run.record.status != "done" or classes is None or accuracy is None or classes < 2:
        return
    commonest = 0.0 if confusion is None else confusion.samples.max() / max(1, confusion.total)
    chance = max(1 / classes, commonest)
    if accuracy < chance + CHANCE_MARGIN * (1 - chance):
        yield (
            f"{percent(accuracy)} right is hardly better than guessing: naming one class always "
            f"would be right in {percent(chance)} (see the next steps)."
        )


def _fixes(run: Run, layer: Dense, *, is_silent: bool) -> list[tuple[str, str]]:
    """More current for a silent layer, other gradients, and more steps along them."""
    section = next(each for each in run.document.layers if each.name == layer.name)
    is_named = isinstance(getattr(section, "neuron", None), str)
    neuron = f"neurons.{layer.neuron_name}" if is_named else f"layers.{layer.name}.neuron"
    # At least four steps of the device's grid for the largest weights.
    scale = max(2 * layer.section.weight_scale, math.sqrt(math.prod(layer.input_shape)) / 8)
    width = TauGrad.of(layer.neuron.tau_grad)
    change, factor = ("narrower", 0.1) if width.start >= WIDE else ("wider", 3)
    tau_grad = f"{neuron}.tau_grad{'' if width.kind == 'constant' else '.start'}"
    batch = run.document.training.batch_size or run.record.samples.get("train", 1)
    size = min(32, batch // 2)
    smaller = [(f"Try batches of {plural(size, 'sample')}", f"training.batch_size={size}")]
    louder = [
        ("Try larger weights at the start", f"layers.{layer.name}.weight_scale={scale:.3g}"),
        ("Try a lower threshold", f"{neuron}.threshold={layer.neuron.threshold / 2:.3g}"),
    ]
    return [
        *(louder if is_silent else ()),
        (f"Try a {change} surrogate gradient", f"{tau_grad}={factor * width.start:.3g}"),
        *(smaller if batch > 1 else ()),
    ]
