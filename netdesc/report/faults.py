"""What keeps a network from learning at all, and the settings of its document that may help."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from netdesc.description.models import Dense as DenseSection
from netdesc.graph import Dense, TauGrad
from netdesc.report.rates import LayerRates
from netdesc.report.run import Run
from netdesc.report.samples import judged, part_sizes
from netdesc.report.words import counted, listed, percent

SILENT_SHARE = 0.1
"""Of the samples: from here on, silence is what to mend first."""
CHANCE_ROOM = 0.1
"""An accuracy that goes less than this share of the way from guessing to 1 is near guessing."""
WIDE = 0.3
"""A surrogate gradient from this width on is rather too wide than too narrow."""


@dataclass(frozen=True)
class Try:
    """A change of the document: what it does, and an argument for ``--set``."""

    purpose: str
    setting: str


@dataclass(frozen=True)
class Faults:
    """``notes`` are sentences, the gravest first; ``tries`` may mend it, the likeliest first."""

    notes: list[str] = field(default_factory=list)
    tries: list[Try] = field(default_factory=list)


def find_faults(run: Run, rates: Sequence[LayerRates], zeroed: Sequence[str]) -> Faults:
    """Silence and guessing in the best weights; ``zeroed`` layers have only zeros as weights."""
    if not len(run.metrics) or (run.activity is not None and not run.activity.epoch):
        return Faults()
    dead = [each.name for each in rates if each.silent == each.neurons]
    silence = [*_silent_samples(run), *_silent_layers(run, dead), *_zeroed(zeroed)]
    if silence:
        mute = next((layer for layer in run.dense if layer.name in {*dead, *zeroed}), run.dense[-1])
        louder = _louder(run, mute, mute.name in zeroed)
        return Faults(silence, _in_turn([*louder, *_steps(run, mute)]))
    guessing = list(_guessing(run))
    return Faults(guessing, _in_turn([*_steps(run, run.dense[-1])]) if guessing else [])


def _in_turn(tries: Sequence[Try]) -> list[Try]:
    """All after the first begin with "Or"."""
    purposes = [each.purpose for each in tries]
    or_else = [f"Or {text[0].lower()}{text[1:]}" for text in purposes[1:]]
    return [
        replace(each, purpose=text)
        for each, text in zip(tries, [*purposes[:1], *or_else], strict=True)
    ]


def _silent_samples(run: Run) -> Iterator[str]:
    confusion, activity = run.metrics.confusion, run.activity
    if confusion is not None:
        silent, of = confusion.undecided, confusion.total
        what = judged(run, "validation" if run.metrics.has("validation_accuracy") else "")
    elif activity is not None and run.graph.classes is None:
        wanted = [each for each in activity.shown if each.target and len(each.target.events)]
        silent, of = sum(not len(each.output.events) for each in wanted), len(wanted)
        what = "samples shown"
    else:
        return
    if silent and silent >= SILENT_SHARE * of:
        smaller = ", or make batch_size smaller" if _smaller_batch(run) else ""
        yield (
            f"{silent:,} of {of:,} {what} {'leaves' if silent == 1 else 'leave'} the output "
            f"silent: raise weight_scale, lower the threshold, widen or narrow tau_grad{smaller} "
            f"(see the next steps)."
        )


def _silent_layers(run: Run, dead: Sequence[str]) -> Iterator[str]:
    if len(dead) == 1:
        yield f"All neurons of layer “{dead[0]}” are silent, so nothing gets past it."
    elif dead:
        names = [f"“{name}”" for name in dead]
        yield (
            f"All neurons of the layers {listed(names)} are silent; the first of them is where the "
            f"spikes end."
        )


def _zeroed(zeroed: Sequence[str]) -> Iterator[str]:
    for name in zeroed:
        yield (
            f"All weights of layer “{name}” are 0 on the device's grid, whose steps are 1/32, so "
            f"the layer lets no spike through: a larger weight_scale reaches the grid."
        )


def _guessing(run: Run) -> Iterator[str]:
    metrics, classes = run.metrics, run.graph.classes
    name = "validation_accuracy" if metrics.has("validation_accuracy") else "accuracy"
    accuracy = metrics.at(name, metrics.best)
    if run.record.status != "done" or classes is None or accuracy is None or classes < 2:
        return
    confusion = metrics.confusion
    commonest = confusion.commonest if confusion is not None else 0.0
    chance = max(1 / classes, commonest)
    if accuracy < chance + CHANCE_ROOM * (1 - chance):
        yield (
            f"{percent(accuracy)} right is hardly better than guessing, for naming one class "
            f"always would be right in {percent(chance)}: another width tau_grad, more steps "
            f"with a smaller batch_size or another learning rate may help (see the next steps)."
        )


def _louder(run: Run, layer: Dense, is_zeroed: bool) -> Iterator[Try]:
    """More current for a layer's neurons, or less that they need."""
    scale = 2 * layer.section.weight_scale
    if is_zeroed:  # four steps of the grid for the largest weights
        scale = max(scale, math.sqrt(math.prod(layer.input_shape)) / 8)
    yield Try(
        f"Larger weights at the start for layer “{layer.name}”",
        f"layers.{layer.name}.weight_scale={scale:.3g}",
    )
    threshold = layer.neuron.threshold / 2
    yield Try("A lower threshold", f"{_neuron(run, layer)}.threshold={threshold:.3g}")


def _steps(run: Run, layer: Dense) -> Iterator[Try]:
    """Other gradients, and more steps along them."""
    width = TauGrad.of(layer.neuron.tau_grad)
    is_wide = width.start >= WIDE
    value, key = width.start * (0.1 if is_wide else 3), ".start"
    yield Try(
        f"A {'narrower' if is_wide else 'wider'} surrogate gradient",
        f"{_neuron(run, layer)}.tau_grad{'' if width.kind == 'constant' else key}={value:.3g}",
    )
    size = _smaller_batch(run)
    if size:
        yield Try(f"Smaller batches, of {counted(size, 'sample')}", f"training.batch_size={size}")


def _smaller_batch(run: Run) -> int | None:
    """Half a batch, and at most a common one; None where a batch is one sample, or unknown."""
    batch = run.document.training.batch_size or part_sizes(run).get("train", 1)
    return min(32, batch // 2) if batch > 1 else None


def _neuron(run: Run, layer: Dense) -> str:
    """Where the document has a layer's neuron."""
    section = next(each for each in run.document.layers if each.name == layer.name)
    is_named = isinstance(section, DenseSection) and isinstance(section.neuron, str)
    return f"neurons.{layer.neuron_name}" if is_named else f"layers.{layer.name}.neuron"
