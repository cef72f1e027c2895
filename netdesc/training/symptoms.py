"""What goes wrong while a network learns, as the metrics of its epochs and its weights show it.

Each rule is a function that yields what it finds. Codes are explained by ``netdesc explain``.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import Graph, SynapticNode
from netdesc.modules import Network
from netdesc.runs.activity_file import MIN_SATURATED_RATE
from netdesc.runs.metrics_file import Column, Metrics
from netdesc.runs.run_record import Finding
from netdesc.training import fixes
from netdesc.training.setup import Setup

UNSTABLE = "ND413"
MIN_DIVERGED = 1.5
"""A loss whose median over the last fifth of the epochs is above this factor times the first loss
counts as far above its start."""
MIN_GRADIENT = 1e-6
"""A gradient up to this share of that of the first epoch counts as none."""
MIN_LOSS = 0.01
"""A loss up to this share of that of the first epoch explains why gradients vanish."""
MIN_RESTLESS_RATE = 0.5
"""With so many spikes per neuron and step, a hidden layer is reported to spike all the time. Output
layers may be asked to."""
MIN_RATIO, MAX_RATIO = 1e-4, 1e3
"""A layer's gradient vanishes or explodes if its norm, over that of the last layer, is beyond these
limits. In networks that learn well it is from 0.003 to 4."""
MAX_GROWTH = 1e4
"""A gradient explodes over the epochs if its norm in the last half exceeds this factor times that
before."""
MIN_FALL, LEVEL_EPOCHS = 0.005, 8
"""A loss does not fall if it fell by less than this share over at least so many epochs."""
MIN_CHANGE = 0.01
"""If no weights changed by this share of their norm, the steps are too small."""
GOOD_ACCURACY = 0.9
"""With this accuracy a loss need not fall."""
MIN_SCORE_FALL = 0.05
"""An accuracy falls while the loss falls if both medians over a quarter of the epochs are lower by
this than those over a quarter before."""
CHANCE_MARGIN = 0.1
"""An accuracy below ``chance + CHANCE_MARGIN * (1 - chance)`` counts as guessing. ``chance`` is the
accuracy of always predicting the same class."""
MAX_CHANGE, MIN_PROGRESS = 10, 0.1
"""Steps are too large if weights changed by more than this factor times their norm, while classes
are guessed or the loss fell by less than this share."""
MIN_SHARE_AT_LIMIT = 0.05
"""Weights at a limit of the grid are reported if they are at least this share of their layer."""


@dataclass(frozen=True, eq=False)
class WatchedNetwork:
    """A network after some epochs of training. Losses are per sample.

    ``network`` has the weights to look at, ``initial`` are tensors of its state before training
    (none if they are lost), and ``silent_loss`` is the loss of an output without spikes, None if
    unknown.
    """

    setup: Setup
    metrics: Metrics
    network: Network
    initial: Mapping[str, Tensor]
    silent_loss: float | None

    @property
    def graph(self) -> Graph:
        return self.setup.graph

    @property
    def loss_name(self) -> str:
        """What the watched loss is called: ``validation loss per sample``."""
        return f"{self.metrics.watched_metric.replace('_', ' ')}{self.setup.scale.unit}"

    def spiking_layers(self) -> Iterator[SynapticNode]:
        """Yields each layer whose neurons spike and need to."""
        for layer in self.graph.neuron_layers:
            spikes = layer.neuron.equations().spike is not None
            if spikes and layer.name not in self.graph.read_by_state:
                yield layer

    def by_layer(self, metric: str) -> dict[str, Column]:
        """Returns the column of each layer, such as its ``gradient_norms``, [epochs]."""
        by_layer = self.metrics.by_layer.items()
        return {layer: column for (name, layer), column in by_layer if name == metric}

    def layer(self, name: str) -> SynapticNode:
        return next(layer for layer in self.graph.neuron_layers if layer.name == name)


Rule = Callable[[WatchedNetwork], Iterator[Finding]]


def find_symptoms(run: WatchedNetwork) -> Iterator[Finding]:
    """Yields what goes wrong, the most serious first."""
    groups = ([finding for rule in rules for finding in rule(run)] for rules in RULES)
    findings = next(filter(None, groups), [])
    yield from findings
    if UNSTABLE not in {finding.code for finding in findings}:  # it moves weights to the limits
        for layer in run.graph.neuron_layers:
            yield from _find_weights_at_limit(run, layer)


def _quote(layers: Collection[str]) -> str:
    names = ", ".join(f'"{layer}"' for layer in layers)
    return f"layer {names}" if len(layers) == 1 else f"the layers {names}"


def _lately(column: Column) -> Column:
    """Returns the last half of the epochs: what is so in all of them is no accident."""
    return column[-(len(column) // 2 or 1) :]


def _epochs(column: Column) -> str:
    count = len(_lately(column))
    return "last epoch" if count == 1 else f"last {amount(count, 'epoch')}"


def _find_risen_loss(run: WatchedNetwork) -> Iterator[Finding]:
    losses, count = run.metrics.watched_losses, len(run.metrics)
    if count < min(4, run.setup.training.epochs):
        return
    end = np.median(losses[-max(count // 5, min(count - 1, 3), 1) :])
    # A loss below that of a silent output is not far above: fine-tuning may begin near 0.
    has_risen = end > MIN_DIVERGED * losses[0] and end >= (run.silent_loss or 0)
    if has_risen and not run.metrics.overfits:
        yield _unstable(run, "the loss is far above its start")


def _find_large_steps(run: WatchedNetwork) -> Iterator[Finding]:
    losses, changes = run.metrics.watched_losses, _changes(run)
    name = max(changes, key=lambda name: changes[name], default="")
    fails = _lately(losses).min() > (1 - MIN_PROGRESS) * losses[0] or guessing_chance(run)
    if fails and changes.get(name, 0) > MAX_CHANGE:
        what = f'the steps are too large: the weights "{name}" changed by'
        yield _unstable(run, f"{what} {changes[name]:.3g} times their norm")


def guessing_chance(run: WatchedNetwork) -> float | None:
    """Returns the accuracy of always predicting the same class; None if the best is higher."""
    metrics, classes = run.metrics, run.graph.classes
    accuracy, confusion = metrics.at_best("accuracy"), metrics.confusion
    if classes is None or accuracy is None or classes < 2:
        return None
    most_frequent = 0.0 if confusion is None else confusion.samples.max() / max(1, confusion.total)
    chance = max(1 / classes, most_frequent)
    return chance if accuracy < chance + CHANCE_MARGIN * (1 - chance) else None


@torch.no_grad()
def _changes(run: WatchedNetwork) -> dict[str, float]:
    """Returns how much each tensor has changed, over its norm before; empty if that is lost."""
    return {
        name.removeprefix("layers."): float((tensor.cpu() - before).norm() / before.norm())
        for name, tensor in run.network.named_parameters()
        if (before := run.initial.get(name)) is not None and before.any()
    }


def _unstable(run: WatchedNetwork, result: str) -> Finding:
    losses, ways = run.metrics.watched_losses, fixes.lower_rate(run.setup)
    best = int(np.nanargmin(losses))
    message = (
        f"{result}: the {run.loss_name} was {losses[0]:,.6g} in the first epoch, "
        f"{losses[best]:,.6g} in epoch {best + 1:,}, the lowest, and {losses[-1]:,.6g} in epoch "
        f"{len(losses):,}"
    )
    help = "the weights of the best epoch are kept; a lower learning rate usually helps"
    return Finding(code=UNSTABLE, message=message, help=help, fixes=ways)


def _find_zeroed_weights(run: WatchedNetwork) -> Iterator[Finding]:
    blocks = dict(run.network.blocks())
    for layer in run.graph.neuron_layers:
        weights = blocks[layer.name].synapse.weights()
        if layer.bits is not None and not any(weight.any() for weight in weights):
            grid = "are 0 on the device's grid, which has steps of 1/32"
            message = f'all weights of layer "{layer.name}" {grid}'
            ways = fixes.other_weights(run.setup, layer, larger=True)
            yield Finding(code="ND415", layer=layer.name, message=message, fixes=ways)


def _find_silent_layers(run: WatchedNetwork) -> Iterator[Finding]:
    columns = run.by_layer("spike_rates")
    rates = [(layer, columns[layer.name]) for layer in run.spiking_layers()]
    silent = [(layer, rate) for layer, rate in rates if not _lately(rate).any()]
    if silent:
        names, (first, column) = [layer.name for layer, _ in silent], silent[0]
        message = f"no neuron of {_quote(names)} spiked in the {_epochs(column)}"
        has_spiked = any(rate.any() for _, rate in silent)
        ways = fixes.lower_rate(run.setup) if has_spiked else []
        ways += fixes.more_spikes(run.setup, first)
        yield Finding(code="ND410", layer=first.name, message=message, fixes=ways)


def _find_saturated_layers(run: WatchedNetwork) -> Iterator[Finding]:
    read = {name for name, _ in run.graph.signals}
    for layer in run.spiking_layers():
        rates, name = run.by_layer("spike_rates")[layer.name], layer.name
        if _lately(rates).min() >= (MIN_SATURATED_RATE if name in read else MIN_RESTLESS_RATE):
            rate = f"{rates[-1]:.3g} spikes per neuron and step in epoch {len(rates):,}"
            message = f'the neurons of layer "{name}" spike all the time: {rate}'
            ways = fixes.other_weights(run.setup, layer, larger=False)
            ways += fixes.other_threshold(layer, 10)
            yield Finding(code="ND418", layer=name, message=message, fixes=ways)


def _find_vanished_gradients(run: WatchedNetwork) -> Iterator[Finding]:
    norms, losses = run.by_layer("gradient_norms").values(), run.metrics.columns["loss"]
    have_vanished = all(norm[-1] <= MIN_GRADIENT * norm[0] for norm in norms)
    is_solved = losses[-1] <= MIN_LOSS * losses[0]
    if have_vanished and any(norm[0] for norm in norms) and not is_solved:
        yield _unstable(run, "no layer gets a gradient any more")


def _find_missing_gradients(run: WatchedNetwork) -> Iterator[Finding]:
    """At a loss of 0 all gradients are 0, so nothing is said about them."""
    norms = run.by_layer("gradient_norms")
    unreached = [layer for layer, norm in norms.items() if not _lately(norm).any()]
    if unreached and run.metrics.columns["loss"][-1] > 0:
        epochs = _epochs(norms[unreached[0]])
        message = f"no gradient reached {_quote(unreached)} in the {epochs}"
        help = "so nothing was learned there"
        ways = fixes.other_surrogate(run.setup, run.layer(unreached[-1]), wider=True)
        yield Finding(code="ND411", layer=unreached[0], message=message, help=help, fixes=ways)


def _find_gradients_between_layers(run: WatchedNetwork) -> Iterator[Finding]:
    """Compares each layer's gradients with those of the last layer, and yields the worst ratio."""
    norms = run.by_layer("gradient_norms")
    *_, (last, reference) = norms.items()
    ratios = {name: _lately(norm / reference) for name, norm in norms.items() if reference.all()}
    for code, what, is_beyond, worst in (
        ("ND420", "explodes", lambda ratio: ratio.min() > MAX_RATIO, max),
        ("ND421", "vanishes", lambda ratio: ratio.max() < MIN_RATIO, min),
    ):
        beyond = {name: ratio[-1] for name, ratio in ratios.items() if is_beyond(ratio)}
        if beyond:
            name = worst(beyond, key=lambda name: beyond[name])
            message = (
                f'the gradient {what} on its way back to layer "{name}": its norm in epoch '
                f"{len(reference):,} is {norms[name][-1]:.2g}, {beyond[name]:.2g} times that of "
                f'layer "{last}"'
            )
            ways = fixes.other_surrogate(run.setup, run.layer(name), wider=code == "ND421")
            yield Finding(code=code, layer=name, message=message, fixes=ways)


def _find_growing_gradients(run: WatchedNetwork) -> Iterator[Finding]:
    half = len(run.metrics) // 2
    for name, norms in run.by_layer("gradient_norms").items() if half > 1 else ():
        before, after = np.median(norms[:half]), np.median(norms[half:])
        if after > MAX_GROWTH * before > 0:
            medians = f"{before:.2g} and {after:.2g} in the halves of {len(norms):,} epochs"
            message = f'the gradient of layer "{name}" explodes: medians of its norm are {medians}'
            clip = ("Try to limit the gradient", ["training.gradient_clip=1"])
            ways = [*fixes.lower_rate(run.setup), clip]
            yield Finding(code="ND422", layer=name, message=message, fixes=ways)


def _find_level_loss(run: WatchedNetwork) -> Iterator[Finding]:
    metrics, losses = run.metrics, run.metrics.watched_losses
    part = "validation_" if metrics.part == "validation" else ""
    is_good = bool((metrics.columns[f"{part}accuracy"] >= GOOD_ACCURACY).any())
    if is_good or not 1 < len(losses) >= min(LEVEL_EPOCHS, run.setup.training.epochs):
        return
    # If the loss of the training samples alone falls, the network overfits.
    curves = losses, metrics.columns["loss"]
    if all(curve.min() >= (1 - MIN_FALL) * curve[0] > 0 for curve in curves):
        change = max(_changes(run).values(), default=1.0)
        message = (
            f"the {run.loss_name} does not fall: it was {losses[0]:,.6g} in the first epoch, and "
            f"{losses.min():,.6g} at best in {amount(len(losses), 'epoch')}"
        )
        ways = fixes.lower_rate(run.setup)
        if change < MIN_CHANGE:
            message += f", in which the weights changed by {change:.2g} of their norm"
            ways = fixes.higher_rate(run.setup)
        yield Finding(code="ND412", message=message, fixes=ways)


def _find_falling_score(run: WatchedNetwork) -> Iterator[Finding]:
    metrics, part = run.metrics, "validation_" if run.metrics.part == "validation" else ""
    quarter = len(metrics) // 4
    if quarter < 2 or not metrics.has(f"{part}accuracy"):
        return
    scores, losses = (
        [float(np.median(values)) for values in np.split(column[-4 * quarter :], 4)]
        for column in (metrics.columns[f"{part}accuracy"], metrics.columns[f"{part}loss"])
    )
    best = int(np.argmax(scores))
    samples = ((run.setup.validation if part else None) or run.setup.train).samples
    noise = 2 * math.sqrt(0.5 / len(samples))  # of the difference of two accuracies near 1/2
    has_fallen = scores[best] - scores[-1] > max(MIN_SCORE_FALL, noise)
    if has_fallen and losses[-1] < (1 - MIN_SCORE_FALL) * losses[best]:
        message = (
            f"the {part.replace('_', ' ')}accuracy fell from {scores[best]:.1%} to "
            f"{scores[-1]:.1%}, while the loss fell from {losses[best]:,.4g} to {losses[-1]:,.4g} "
            f"(medians over {quarter} epochs)"
        )
        help, ways = "the loss rewards something else", fixes.other_loss(run.setup)
        yield Finding(code="ND423", message=message, help=help, fixes=ways)


@torch.no_grad()
def _find_weights_at_limit(run: WatchedNetwork, layer: SynapticNode) -> Iterator[Finding]:
    if layer.bits is None:
        return
    for synapse in dict(run.network.blocks())[layer.name].synapses.values():
        step, half = layer.weight_step / 32, 1 << (layer.bits - 1)
        low, high = -half * step, (half - 1) * step
        weights = synapse()
        count = int(((weights == low) | (weights == high)).sum())
        if count and count >= MIN_SHARE_AT_LIMIT * weights.numel():
            message = (
                f'{count:,} of the {amount(weights.numel(), "weight")} of layer "{layer.name}" are '
                f"at a limit of the device's grid, {low:g} or {high:.4g}, and cannot grow further"
            )
            ways = fixes.room_for_weights(layer)
            yield Finding(code="ND417", layer=layer.name, message=message, fixes=ways)


RULES: tuple[tuple[Rule, ...], ...] = (
    (_find_risen_loss,),
    (_find_large_steps,),
    (_find_zeroed_weights, _find_silent_layers, _find_saturated_layers),
    (_find_vanished_gradients,),
    (_find_missing_gradients,),
    (_find_gradients_between_layers,),
    (_find_growing_gradients,),
    (_find_level_loss, _find_falling_score),
)
"""The most serious first. What a rule finds may be the reason for what later groups would find, so
that those are left out then."""
