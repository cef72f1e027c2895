"""What a user should know about a trained network: what did not learn, and what may help.

``symptoms`` is looked up during training, too; the rest is decided here, at the end. All is stored
in ``run.json``. Console and report show it. Codes are explained by ``netdesc explain``.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netdesc.description.diagnostics.wording import amount
from netdesc.graph import SynapticNode
from netdesc.kernels.fixed_point import BIAS_BITS, DECAY_ONE, WEIGHT_UNIT
from netdesc.runs.activity_file import MIN_SATURATED_RATE, Activity
from netdesc.runs.run_record import Finding
from netdesc.training import symptoms
from netdesc.training.fixes import gradients_through_resets, more_spikes, other_surrogate

MIN_SILENT_SHARE = 0.1
"""Silence is reported if the output is silent for at least this share of the samples."""
MIN_SILENT_NEURONS = 0.5
"""Neurons that never spike are reported if they are at least this share of their layer."""

IMPORTANCE = [f"ND4{code}" for code in (13, 15, 10, 23, 14, 18, 11, 20, 21, 22, 12, 16, 24, 17, 19)]
"""Codes of findings about learning: causes before what they cause."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork(symptoms.WatchedNetwork):
    """A network at the end of training, with its best weights."""

    activity: Activity


def find_problems(run: TrainedNetwork, known: Sequence[Finding] = ()) -> list[Finding]:
    """Returns what did not go well, with what is ``known`` before the end.

    What has a way out comes first, by importance; the first way out of the first is best.
    What was told during training stays as it was, and is marked as over unless it is still so.
    """
    current = [*symptoms.find_symptoms(run)]
    current_keys = {finding.key for finding in current}
    told_keys = {finding.key for finding in known if finding.is_told}
    findings = [
        finding.model_copy(update={"is_over": finding.is_told and finding.key not in current_keys})
        for finding in known
    ]
    findings += [finding for finding in current if finding.key not in told_keys]
    findings += _find_at_end(run, {finding.code for finding in current})
    ranks = {code: rank for rank, code in enumerate(IMPORTANCE)}
    return sorted(findings, key=lambda f: (f.is_over, not f.fixes, ranks.get(f.code, -1)))


def _find_at_end(run: TrainedNetwork, codes: Collection[str]) -> Iterator[Finding]:
    """Yields what the codes of symptoms do not say yet. After unstable training, other advice would
    be wrong. The limits of the device are told always."""
    if symptoms.UNSTABLE not in codes:
        silent = [*_find_silence(run)]
        yield from silent
        if not silent and "ND410" not in codes:
            guesses = [*_find_guessing(run)]
            yield from guesses or _find_low_accuracy(run)
        yield from _find_neurons_that_do_not_take_part(run, "ND410" in codes)
    for layer in run.graph.neuron_layers:
        yield from _find_decays_at_limit(run, layer)
        yield from _find_cut_values(run, layer)


def _find_silence(run: TrainedNetwork) -> Iterator[Finding]:
    silent, count, what = _count_silent_outputs(run)
    if silent and silent >= MIN_SILENT_SHARE * count:
        message = f"the output is silent for {silent:,} of {count:,} {what}"
        ways = more_spikes(run.setup, run.graph.neuron_layers[-1])
        yield Finding(code="ND414", message=message, fixes=ways)


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
    chance, accuracy = symptoms.guessing_chance(run), run.metrics.at_best("accuracy")
    if chance is not None:
        yield Finding(
            code="ND416",
            message=f"the accuracy of {accuracy:.1%} is hardly better than guessing: predicting "
            f"the same class every time would reach {chance:.1%}",
            fixes=other_surrogate(run.setup, run.graph.neuron_layers[-1]),
        )


def _find_low_accuracy(run: TrainedNetwork) -> Iterator[Finding]:
    """Finds a network that does not even learn the samples that it trains with."""
    metrics, layers = run.metrics, [*run.spiking_layers()]
    if len(metrics) < symptoms.LEVEL_EPOCHS or not metrics.has("accuracy") or not layers:
        return
    best = float(np.nanmax(metrics.columns["accuracy"]))
    if best < symptoms.GOOD_ACCURACY:
        ways = gradients_through_resets(layers) + other_surrogate(run.setup, layers[0])
        message = f"at most {best:.1%} of the training samples were classified correctly"
        yield Finding(code="ND424", message=message, fixes=ways)


def _find_neurons_that_do_not_take_part(
    run: TrainedNetwork, silence_is_known: bool
) -> Iterator[Finding]:
    for layer in run.spiking_layers():
        rates = run.activity.rates[layer.name]
        silent = int(np.count_nonzero(rates == 0))
        saturated = int(np.count_nonzero(rates >= MIN_SATURATED_RATE))
        neurons = f'of the {amount(len(rates), "neuron")} of layer "{layer.name}"'
        if MIN_SILENT_NEURONS * len(rates) <= silent < len(rates) + (not silence_is_known):
            message, help = f"{silent:,} {neurons} never spike", "a lower threshold may help"
            yield Finding(code="ND410", layer=layer.name, message=message, help=help)
        if saturated:
            message = f"{saturated:,} {neurons} spike at nearly every step: they are saturated"
            yield Finding(code="ND418", layer=layer.name, message=message)


def _find_decays_at_limit(run: TrainedNetwork, layer: SynapticNode) -> Iterator[Finding]:
    """Yields decays that training changed to 0 or 1 in the device's integers."""
    best, kinds = run.network.state_dict(), layer.neuron.value_kinds()
    for path in layer.learnt_shapes:
        name, kind = f"layers.{layer.name}.{path}", path.rpartition(".")[2]
        if kinds.get(kind) != "decay" or name not in run.initial:
            continue
        before, after = (torch.round(DECAY_ONE * each[name]).cpu() for each in (run.initial, best))
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
    neuron = dict(run.network.blocks())[layer.name].neuron
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
