"""Describes in sentences the values that netdesc fills in: inferred sizes and defaults."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from netdesc.description import Document
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.json_pointer import lookup
from netdesc.graph import Classifier, build_graph

_MAX_NAMES = 6
"""Largest number of names in a sentence, which then says how many more there are."""

_LAYER = {
    "quantization/bits": "weights on the device's grid of {value} bits (quantization)",
    "weight_scale": "initial weights of scale {value:g}/√inputs (weight_scale)",
    "sum_pool/weight_scale": "an initial weight of {value:g} (weight_scale)",
    "upsample/weight_scale": "an initial weight of {value:g} (weight_scale)",
    "axonal_delay_step": "spikes, not other values, arrive one step late (axonal_delay_step)",
    "neuron/tau_grad": "surrogate gradient of width {value:g} (tau_grad)",
}
"""The sentence for each default of layers, by the path of its field, or by type and path."""
_NEURON = {"tau_grad": "surrogate gradient of width {value:g} (tau_grad)"}
_DOCUMENT = {
    "time/step_ms": "a step lasts {value:g} ms (time.step_ms)",
    "data/encoding/type": "inputs are used as {value} without encoding (data.encoding)",
    "loss/filter_order": "the loss filters spikes with {value} exponential (loss.filter_order)",
    "loss/filter_steps": "the filter of the loss ends after {value} steps (loss.filter_steps)",
    "loss/reduction": "the loss is a {value} over {axes} (loss.reduction)",
    "loss/over": "the loss compares the output by {value} (loss.over)",
    "loss/window_steps": "the loss counts spikes of whole samples (loss.window_steps)",
    "training/schedule/type": "the learning rate stays {value} (training.schedule)",
    "training/seed": "random numbers start from seed {value} (training.seed)",
}
"""The sentence for each default that is shown, by the path of its field."""


def describe_defaults(
    document: Document, origins: Mapping[str, str], training_set: TrainingSet
) -> list[str]:
    """Returns one sentence for each inferred value and default.

    ``origins`` are ``Description.origins``: the origin of each value, by JSON pointer.
    ``training_set`` still has the samples that ``validation_split`` sets aside.
    """
    data = document.model_dump(mode="json")
    unused = {*_unused_widths(document)}
    origins = {path: origin for path, origin in origins.items() if path not in unused}
    is_drawn = document.weights is None
    layer = {path: _LAYER[path] for path in _LAYER if is_drawn or "weight_scale" not in path}
    return [
        *_describe_inferred(document),
        *_describe_shared("layers", enumerate(data["layers"]), layer, origins),
        *_describe_shared("neurons", data["neurons"].items(), _NEURON, origins),
        *(
            text.format(value=lookup(data, path.split("/")), axes=_loss_axes(document))
            for path, text in _DOCUMENT.items()
            if origins.get(f"/{path}") == "default"
        ),
        *_describe_training(document, training_set),
    ]


def _unused_widths(document: Document) -> Iterable[str]:
    """Yields the JSON pointers of tau_grad in neurons without spikes or with a ``surrogate``."""
    neurons: dict[str, Any] = {f"/neurons/{name}": each for name, each in document.neurons.items()}
    for index, layer in enumerate(document.layers):
        neurons[f"/layers/{index}/neuron"] = getattr(layer, "neuron", None)
    for place, neuron in neurons.items():
        if neuron is None or isinstance(neuron, str):
            continue
        if neuron.surrogate is not None or neuron.equations().spike is None:
            yield f"{place}/tau_grad"


def _describe_inferred(document: Document) -> Iterable[str]:
    graph = build_graph(document)
    sizes = [f"{layer.name} {math.prod(layer.input_shape):,}" for layer in graph.layers]
    yield f"input sizes, inferred: {_join_names(sizes)}"
    without_from = [layer.name for layer in document.layers if layer.from_ is None]
    if without_from:
        yield f'layers without "from", which read the previous layer: {_join_names(without_from)}'
    if graph.classifier is not None:
        yield f"{graph.classes:,} classes, one per output neuron; {_describe(graph.classifier)}"


def _describe(classifier: Classifier) -> str:
    winner = f"the class with the largest {classifier.measure}"
    if classifier.window_steps is None:
        return f"the prediction is {winner}"
    return (
        f"the prediction of a step is {winner}; if a sample has one label, its "
        "prediction is the most frequent one of its steps"
    )


def _loss_axes(document: Document) -> str:
    """Returns the names of the axes over which the loss is reduced, such as "steps and samples"."""
    loss = document.main_loss
    axes = ["samples"] if loss.type in ("spike_max", "cross_entropy") else ["samples", "neurons"]
    axes = ["steps", *axes] if loss.is_by_step else axes
    return " and ".join(filter(None, [", ".join(axes[:-1]), axes[-1]]))


def _describe_shared(
    section: str,
    entries: Iterable[tuple[int | str, Any]],
    texts: Mapping[str, str],
    origins: Mapping[str, str],
) -> Iterable[str]:
    """Yields a sentence for each default, with the names of the layers or neurons that have it."""
    names_by_sentence: dict[str, list[str]] = {}
    for key, entry in entries:
        for path, text in texts.items():
            if origins.get(f"/{section}/{key}/{path}") == "default":
                of_type = texts.get(f"{entry['type']}/{path}", text)
                sentence = of_type.format(value=lookup(entry, path.split("/")))
                names_by_sentence.setdefault(sentence, []).append(str(entry.get("name", key)))
    for sentence, names in names_by_sentence.items():
        yield f"{sentence}: {_join_names(names)}"


def _describe_training(document: Document, training_set: TrainingSet) -> Iterable[str]:
    training = document.training
    samples = training.without_held_out(training_set.samples)
    if document.data is None:
        yield "no data: the network can be run and exported, but not trained"
        return
    if training.batch_size is None and samples != 1:
        count = "all" if samples is None else f"all {samples:,}"
        yield f"{count} training samples make one batch (training.batch_size)"
    if training_set.has_validation is False and not training.validation_split:
        yield "no validation: the best weights are those with the lowest training loss"


def _join_names(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES
    if more <= 1:
        return ", ".join(names)
    return f"{', '.join(names[:_MAX_NAMES])} and {more:,} more"
