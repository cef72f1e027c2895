"""Lists what netdesc fills in: inferred values in sentences, and defaults as ``path = value``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from netdesc.description import Description, Document
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import leaves, lookup, pointer
from netdesc.graph import Classifier, Graph

_MAX_NAMES = 6
"""Largest number of names beside a default, which then says how many more there are."""


def describe_inferred(document: Document, graph: Graph, training_set: TrainingSet) -> Iterator[str]:
    """Yields a sentence for each fact that netdesc infers.

    ``training_set`` still has the samples that ``validation_split`` sets aside.
    """
    training = document.training
    samples = training.without_held_out(training_set.samples)
    if graph.classifier is not None:
        yield f"{graph.classes:,} classes, one per output neuron; {_describe(graph.classifier)}"
    if document.data is None:
        yield "no data: the network can be run and exported, but not trained"
        return
    if training.batch_size is None and samples != 1:
        count = "all" if samples is None else f"all {samples:,}"
        yield f"{count} training samples make one batch (training.batch_size)"
    if training_set.has_validation is False and not training.validation_split:
        yield "no validation: the best weights are those with the lowest training loss"


def _describe(classifier: Classifier) -> str:
    winner = f"the class with the largest {classifier.measure}"
    if classifier.window_steps is None:
        return f"the prediction is {winner}"
    return (
        f"the prediction of a step is {winner}; if a sample has one label, its "
        "prediction is the most frequent one of its steps"
    )


def list_defaults(description: Description, graph: Graph) -> Iterator[str]:
    """Yields a line for each section with defaults, such as "loss: reduction = sum, over = mean".

    Values that switch something off, and arrays named as their field, are left out. Names stand
    behind values that not all have.
    """
    data, origins = description.document.model_dump(mode="json"), description.origins
    for layer, node in zip(data["layers"], graph.layers, strict=True):
        if layer.get("axonal_delay_step", False) is None:
            layer["axonal_delay_step"] = node.delay > 0
    hidden = {*_hidden(description.document)}
    found: dict[str, dict[str, list[str]]] = {}  # section -> "path = value" -> names
    for place, value, _ in leaves(data, None):
        says_nothing = value == str(place[-1]) or (not value and place[-1] != "seed")
        if origins[pointer(place)] == "default" and not says_nothing and place not in hidden:
            section, name, text = _describe_value(place, data)
            names = found.setdefault(section, {}).setdefault(text, [])
            names += [name] if name not in names else []
    for section, names_by_text in found.items():
        total = len({*chain(*names_by_text.values())})
        texts = (
            text if len(names) == total else f"{text} ({_join(names)})"
            for text, names in names_by_text.items()
        )
        yield f"{section}: {', '.join(texts)}"


def _describe_value(place: Parts, data: Any) -> tuple[str, str, str]:
    """Returns the section of a value, the name of the entry in it (or ""), and the text."""
    place = place[:-1] if isinstance(place[-1], int) else place  # [0.9, 0.999] is one value
    section, *path = place
    name = ""
    if section == "neurons":
        name = str(path.pop(0))
    elif isinstance(path[0], int):  # a layer, or one of several losses
        entry = lookup(data, (section, path.pop(0)))
        name = entry.get("name", entry["type"])
    dotted = ".".join("*" if isinstance(part, int) else part for part in path)
    value = re.sub(r"\.0\b", "", json.dumps(lookup(data, place)).strip('"'))  # 1.0 as 1
    return str(section), name, f"{dotted} = {value}"


def _join(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names) if more < 2 else f"{', '.join(names[:_MAX_NAMES])} and {more:,} more"


def _hidden(document: Document) -> Iterator[Parts]:
    """Yields the paths of values without an effect, and of those that the table of neurons has."""
    neurons: dict[Parts, Any] = {("neurons", name): each for name, each in document.neurons.items()}
    for index, layer in enumerate(document.layers):
        neurons["layers", index, "neuron"] = layer.neuron
        yield ("layers", index, "trainable")
        if document.weights is not None:
            yield from (("layers", index, name) for name in ("weight_init", "weight_scale"))
    for place, neuron in neurons.items():
        if neuron is None or isinstance(neuron, str):
            continue
        yield from ((*place, *neuron.value_path(name)) for name in neuron.values())
        spikes = neuron.equations().spike is not None
        if not spikes or neuron.surrogate is not None:
            yield from ((*place, name) for name in ("tau_grad", "scale_grad"))
        if not spikes:
            yield (*place, "reset_gradient")
