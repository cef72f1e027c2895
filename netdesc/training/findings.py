"""What a user should know about a trained network: what did not learn, and what may help.

All problems of learning are decided here, at the end of training, and stored in ``run.json``.
Console and report show them. Codes are explained by ``netdesc explain``.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import Graph, SynapticNode
from netdesc.kernels.fixed_point import BIAS_BITS, DECAY_ONE, WEIGHT_UNIT
from netdesc.modules import Network
from netdesc.runs.activity_file import MIN_SATURATED_RATE, Activity
from netdesc.runs.metrics_file import Metrics
from netdesc.runs.run_record import Finding
from netdesc.training.setup import Setup

MIN_SILENT_SHARE = 0.1
"""Silence is reported if the output is silent for at least this share of the samples."""
MIN_SILENT_NEURONS = 0.5
"""Neurons that never spike are reported if they are at least this share of their layer."""
CHANCE_MARGIN = 0.1
"""An accuracy below ``chance + CHANCE_MARGIN * (1 - chance)`` counts as guessing. ``chance`` is the
accuracy of always predicting the same class."""
MIN_WIDE_TAU_GRAD = 0.3
"""If a surrogate gradient is at least this wide, a narrower one is suggested; else a wider one."""
MIN_DIVERGED = 1.5
"""A loss whose median over the last fifth of the epochs is above this factor times the first loss
counts as far above its start."""
MIN_GRADIENT = 1e-6
"""A gradient up to this share of that of the first epoch counts as none."""
MIN_LOSS = 0.01
"""A loss up to this share of that of the first epoch explains why gradients vanish."""
MIN_SHARE_AT_LIMIT = 0.001
"""Weights at a limit of the grid are reported if they are at least this share of their layer."""
RETRY_RATE_FACTOR = 0.3
"""The suggested learning rate is the run's learning rate times this factor, …"""
MAX_RETRY_RATE = 0.01
"""… but at most this."""

Fix = tuple[str, list[str]]
"""A purpose, and the arguments for ``--set``, all in one command."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """What is known of a network at the end of training. Losses are per sample.

    ``best`` has the best weights, ``initial`` are tensors of its state before training (none if
    they are lost), and ``silent_loss`` is the loss of an output without spikes, None if unknown.
    """

    setup: Setup
    metrics: Metrics
    activity: Activity
    best: Network
    initial: Mapping[str, Tensor]
    silent_loss: float | None

    @property
    def graph(self) -> Graph:
        return self.setup.graph

    def neuron_rates(self) -> Iterator[tuple[SynapticNode, np.ndarray]]:
        """Yields each layer whose neurons spike and need to, and their rates, [neurons]."""
        for layer in self.graph.neuron_layers:
            spikes = layer.neuron.equations().spike is not None
            if spikes and layer.name not in self.graph.read_by_state:
                yield layer, self.activity.rates[layer.name]


def find_problems(run: TrainedNetwork) -> Iterator[Finding]:
    """Yields what did not go well, the most serious first.

    After unstable training, other advice would be wrong. The limits of the device are told always.
    """
    unstable = list(_find_instability(run))
    yield from unstable
    if not unstable:
        silent = [*_find_zeroed_weights(run), *_find_silence(run)]
        yield from silent or _find_guessing(run)
        yield from _find_missing_gradients(run)
        yield from _find_first_best(run)
        yield from _find_neurons_that_do_not_take_part(run)
    for layer in run.graph.neuron_layers:
        yield from _find_weights_at_limit(run, layer)
        yield from _find_decays_at_limit(run, layer)
        yield from _find_cut_values(run, layer)


def lower_rate(setup: Setup) -> list[Fix]:
    """Returns the advice to train again with a lower learning rate."""
    rate = min(RETRY_RATE_FACTOR * setup.training.optimizer.learning_rate, MAX_RETRY_RATE)
    setting = f"training.optimizer.learning_rate={rate:.3g}"
    return [("Try again with a lower learning rate", [setting])]


def _find_instability(run: TrainedNetwork) -> Iterator[Finding]:
    metrics, losses = run.metrics, run.metrics.selection_losses
    if metrics.best is None:
        return
    end, result = np.median(losses[-(len(metrics) // 5 or 1) :]), ""
    # A loss below that of a silent output is not far above: fine-tuning may begin near 0.
    has_risen = end > MIN_DIVERGED * losses[0] and end >= (run.silent_loss or 0)
    if has_risen and not metrics.overfits:
        result = "the loss ended far above its start"
    elif _gradients_vanished(metrics) and not any(_find_silence(run)):
        result = "no layer gets a gradient any more"
    if result:
        what = f"{metrics.selection_metric.replace('_', ' ')}{run.setup.scale.unit}"
        yield Finding(
            code="ND413",
            message=f"{result}: the {what} was {losses[0]:,.6g} in the first epoch, "
            f"{losses[metrics.best]:,.6g} in epoch {metrics.best + 1:,}, the best, and "
            f"{losses[-1]:,.6g} in the last",
            help="the weights of the best epoch are kept; a lower learning rate usually helps",
            fixes=lower_rate(run.setup),
        )


def _gradients_vanished(metrics: Metrics) -> bool:
    """Whether all gradients vanished during training, although the loss is not near 0."""
    norms = [norms for (kind, _), norms in metrics.by_layer.items() if kind == "gradient_norms"]
    losses = metrics.columns["loss"]
    have_vanished = all(norm[-1] <= MIN_GRADIENT * norm[0] for norm in norms)
    is_solved = losses[-1] <= MIN_LOSS * losses[0]
    return have_vanished and any(norm[0] for norm in norms) and not is_solved


def _find_zeroed_weights(run: TrainedNetwork) -> Iterator[Finding]:
    blocks = dict(run.best.blocks())
    for layer in run.graph.neuron_layers:
        weights = blocks[layer.name].synapse.weights()
        if layer.bits is not None and not any(weight.any() for weight in weights):
            yield Finding(
                code="ND415",
                layer=layer.name,
                message=f'all weights of layer "{layer.name}" are 0 on the device\'s grid, which '
                "has steps of 1/32",
                help="a larger weight_scale helps",
                fixes=[("Try larger initial weights", [_weight_scale(layer)])],
            )


def _find_silence(run: TrainedNetwork) -> Iterator[Finding]:
    """Yields a finding if the output is silent, and one for the layers that never spike."""
    dead = [layer for layer, rates in run.neuron_rates() if not rates.any()]
    layers = run.graph.neuron_layers
    fixes = _fixes(run, dead[0] if dead else layers[-1], is_silent=True)
    first_rates = [run.metrics.by_layer["spike_rates", layer.name][0] for layer in dead]
    if any(rate > 0 for rate in first_rates):  # they fell silent
        fixes = lower_rate(run.setup) + fixes
    silent, count, what = _count_silent_outputs(run)
    if silent and silent >= MIN_SILENT_SHARE * count:
        message = f"the output is silent for {silent:,} of {count:,} {what}"
        yield Finding(code="ND414", message=message, fixes=fixes)
    if dead:
        yield Finding(
            code="ND410",
            layer=dead[0].name,
            message=f"no neuron of {_quote([layer.name for layer in dead])} spikes",
            help="a lower threshold, a larger weight_scale or a lower learning rate may help",
            fixes=fixes,
        )


def _count_silent_outputs(run: TrainedNetwork) -> tuple[int, int, str]:
    """Returns how many outputs are silent, of how many, and what these are."""
    graph, confusion = run.graph, run.metrics.confusion
    if confusion is not None:
        labels = run.setup.train.samples.labels
        items = "steps" if labels is not None and labels.ndim == 2 else "samples"
        return int(confusion.undecided.sum()), confusion.total, f"{run.metrics.part} {items}"
    if graph.classes is not None or graph.read_by_state:
        return 0, 0, ""
    outputs = [
        sample.output
        for sample in run.activity.samples
        if sample.output
        and (sample.values is not None or (sample.target and len(sample.target.events)))
    ]
    silent = sum(not len(output.events) for output in outputs)
    return silent, len(outputs), f"{run.activity.part} samples"


def _find_guessing(run: TrainedNetwork) -> Iterator[Finding]:
    metrics, classes = run.metrics, run.graph.classes
    accuracy, confusion = metrics.at_best("accuracy"), metrics.confusion
    if classes is None or accuracy is None or classes < 2:
        return
    most_frequent = 0.0 if confusion is None else confusion.samples.max() / max(1, confusion.total)
    chance = max(1 / classes, most_frequent)
    if accuracy < chance + CHANCE_MARGIN * (1 - chance):
        yield Finding(
            code="ND416",
            message=f"the accuracy of {accuracy:.1%} is hardly better than guessing: predicting "
            f"the same class every time would reach {chance:.1%}",
            fixes=_fixes(run, run.graph.neuron_layers[-1], is_silent=False),
        )


def _find_missing_gradients(run: TrainedNetwork) -> Iterator[Finding]:
    """At a loss of 0 all gradients are 0, so nothing is said about them."""
    unreached = [
        layer
        for (kind, layer), norms in run.metrics.by_layer.items()
        if kind == "gradient_norms" and norms[-1] == 0
    ]
    if unreached and run.metrics.columns["loss"][-1] > 0:
        message = f"no gradient reached {_quote(unreached)} in the last epoch"
        help = "so nothing was learned there"
        yield Finding(code="ND411", layer=unreached[0], message=message, help=help)


def _find_first_best(run: TrainedNetwork) -> Iterator[Finding]:
    metrics, losses = run.metrics, run.metrics.selection_losses
    if metrics.best != 0 or len(metrics) < 2:
        return
    what = f"{metrics.selection_metric.replace('_', ' ')}{run.setup.scale.unit}"
    # A validation loss rises also by overfitting.
    has_risen = metrics.selection_metric == "loss" and losses[-1] > losses[0]
    yield Finding(
        code="ND412",
        message=f"the {what} never fell below the {losses[0]:,.6g} of the first epoch",
        help="a lower learning rate may help" if has_risen else "",
        fixes=lower_rate(run.setup) if has_risen else [],
    )


def _find_neurons_that_do_not_take_part(run: TrainedNetwork) -> Iterator[Finding]:
    for layer, rates in run.neuron_rates():
        silent = int(np.count_nonzero(rates == 0))
        saturated = int(np.count_nonzero(rates >= MIN_SATURATED_RATE))
        neurons = f'of the {amount(len(rates), "neuron")} of layer "{layer.name}"'
        if MIN_SILENT_NEURONS * len(rates) <= silent < len(rates):
            message, help = f"{silent:,} {neurons} never spike", "a lower threshold may help"
            yield Finding(code="ND410", layer=layer.name, message=message, help=help)
        if saturated:
            message = f"{saturated:,} {neurons} spike at nearly every step: they are saturated"
            yield Finding(code="ND418", layer=layer.name, message=message)


@torch.no_grad()
def _find_weights_at_limit(run: TrainedNetwork, layer: SynapticNode) -> Iterator[Finding]:
    if layer.bits is None:
        return
    for synapse in dict(run.best.blocks())[layer.name].synapses.values():
        step, half = layer.weight_step / 32, 1 << (layer.bits - 1)
        low, high = -half * step, (half - 1) * step
        weights = synapse()
        count = int(((weights == low) | (weights == high)).sum())
        if count and count >= MIN_SHARE_AT_LIMIT * weights.numel():
            yield Finding(
                code="ND417",
                layer=layer.name,
                message=f"{count:,} of the {amount(weights.numel(), 'weight')} of layer "
                f'"{layer.name}" are at a limit of the device\'s grid, {low:g} or {high:.4g}, and '
                "cannot grow further",
                help="a lower threshold increases the effect of all weights",
            )


def _find_decays_at_limit(run: TrainedNetwork, layer: SynapticNode) -> Iterator[Finding]:
    """Yields decays that training changed to 0 or 1 in the device's integers."""
    best, kinds = run.best.state_dict(), layer.neuron.value_kinds()
    for path in layer.learnt_shapes:
        name, kind = f"layers.{layer.name}.{path}", path.rpartition(".")[2]
        if kinds.get(kind) != "decay" or name not in run.initial:
            continue
        before, after = (
            torch.round(DECAY_ONE * tensors[name]).cpu() for tensors in (run.initial, best)
        )
        for limit, meaning in ((0, "have no leak"), (DECAY_ONE, "lose their state in one step")):
            if count := int(((after == limit) & (before != limit)).sum()):
                values = amount(after.numel(), kind.replace("_", " "))
                yield Finding(
                    code="ND417",
                    layer=layer.name,
                    message=f'{count:,} of {values} of layer "{layer.name}" became '
                    f"{limit // DECAY_ONE} in the device's integers: such neurons {meaning}",
                )


@torch.no_grad()
def _find_cut_values(run: TrainedNetwork, layer: SynapticNode) -> Iterator[Finding]:
    """Yields means of a norm, and drives of winners, that the grid of biases cuts off."""
    neuron = dict(run.best.blocks())[layer.name].neuron
    values: dict[str, Tensor] = {}
    if neuron.norm is not None:
        values["mean of the norm"] = neuron.norm.running_mean
    if layer.section.drive_share is not None:
        values["drive of the winners"] = neuron.value("threshold") * layer.section.drive_share
    half = 1 << (BIAS_BITS - 1)
    low, high = -half / (WEIGHT_UNIT / 2), (half - 1) / (WEIGHT_UNIT / 2)
    for name, tensor in values.items():
        beyond = ((tensor < low) | (tensor > high)).sum().item()
        if beyond:
            yield Finding(
                code="ND419",
                layer=layer.name,
                message=f"the {name} is beyond {low:g} to {high:.2f} for {beyond:,} of "
                f'{tensor.numel():,} of layer "{layer.name}", and is cut off there',
                help="smaller weights, or a lower threshold, keep it in this range",
            )


def _quote(layers: Collection[str]) -> str:
    names = ", ".join(f'"{layer}"' for layer in layers)
    return f"layer {names}" if len(layers) == 1 else f"the layers {names}"


def _weight_scale(layer: SynapticNode) -> str:
    # With this scale, the largest initial weights are at least 4 of the device's units (1/32).
    scale = max(2 * layer.section.drawn_scale, math.sqrt(math.prod(layer.weight_shape[1:])) / 8)
    return f"layers.{layer.name}.weight_scale={scale:.3g}"


def _fixes(run: TrainedNetwork, layer: SynapticNode, *, is_silent: bool) -> list[Fix]:
    """Suggests another surrogate gradient, smaller batches and, if silent, more input current."""
    is_named = isinstance(layer.section.neuron, str)
    neuron = f"neurons.{layer.neuron_name}" if is_named else f"layers.{layer.name}.neuron"
    schedule = layer.neuron.width_schedule
    is_constant = isinstance(schedule, (int, float))
    width = schedule if is_constant else schedule.start
    change, factor = ("narrower", 0.1) if width >= MIN_WIDE_TAU_GRAD else ("wider", 3)
    place = f"{neuron}.{'tau_grad' if layer.neuron.surrogate is None else 'surrogate.width'}"
    fixes: list[Fix] = []
    if is_silent:
        fixes.append(("Try larger initial weights", [_weight_scale(layer)]))
        threshold = layer.neuron.values().get("threshold")
        if isinstance(threshold, float):
            path = ".".join((neuron, *layer.neuron.value_path("threshold")))
            fixes.append(("Try a lower threshold", [f"{path}={threshold / 2:.3g}"]))
    if layer.neuron.equations().spike:
        setting = f"{place}{'' if is_constant else '.start'}={factor * width:.3g}"
        fixes.append((f"Try a {change} surrogate gradient", [setting]))
    batch = run.setup.training.batch_size or len(run.setup.train.samples)
    if batch > 1:
        size = min(32, batch // 2)
        fixes.append((f"Try batches of {amount(size, 'sample')}", [f"training.batch_size={size}"]))
    return fixes
