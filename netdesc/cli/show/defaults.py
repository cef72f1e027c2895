"""In words, what a document leaves out and netdesc fills in: inferred sizes, and defaults."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from netdesc.description import Document
from netdesc.description.json_pointer import lookup
from netdesc.description.models import SpikeFiles, SpikeMax, SpikeTime
from netdesc.graph import Graph, build_graph

_MAX_NAMES = 6
"""Names in a sentence; of more the number is told."""

_LAYER = {
    "quantization/bits": "weights on the device's grid of {value} bits (quantization)",
    "weight_scale": "initial weights within ±{value:g}/√inputs (weight_scale)",
    "axonal_delay_step": "spikes arrive one step later (axonal_delay_step)",
    "neuron/tau_grad": "surrogate gradient of width {value:g} (tau_grad)",
}
_NEURON = {"tau_grad": "surrogate gradient of width {value:g} (tau_grad)"}
_DOCUMENT = {
    "time/step_ms": "a step lasts {value:g} ms (time.step_ms)",
    "data/encoding/type": "inputs are {value} already (data.encoding)",
    "loss/filter_order": "the loss filters spikes with {value} exponential (loss.filter_order)",
    "loss/filter_steps": "the loss's filter ends after {value} steps (loss.filter_steps)",
    "loss/reduction": "the loss is a {value} over {axes} (loss.reduction)",
    "loss/window_steps": "the loss looks at whole samples (loss.window_steps)",
    "training/schedule/type": "the learning rate stays {value} (training.schedule)",
    "training/seed": "random numbers start from seed {value} (training.seed)",
}
"""Place of a default that matters: what to say of it."""


def describe_defaults(
    document: Document, origins: Mapping[str, str], samples: int | None
) -> list[str]:
    """One sentence each; ``origins`` is the description's, ``samples`` are those to train on."""
    data = document.model_dump(mode="json")
    return [
        *_inferred(document),
        *_common("layers", enumerate(data["layers"]), _LAYER, origins),
        *_common("neurons", data["neurons"].items(), _NEURON, origins),
        *(
            text.format(value=lookup(data, place.split("/")), axes=_axes(document))
            for place, text in _DOCUMENT.items()
            if origins.get(f"/{place}") == "default"
        ),
        *_training(document, samples),
    ]


def _inferred(document: Document) -> Iterable[str]:
    graph = build_graph(document)
    sizes = [f"{layer.name} {math.prod(layer.input_shape):,}" for layer in graph.layers]
    yield f"input sizes, inferred: {_join_names(sizes)}"
    unsaid = [layer.name for layer in document.layers if layer.from_ is None]
    if unsaid:
        yield f'reading what stands before, as no "from" is given: {_join_names(unsaid)}'
    if graph.classes is not None:
        yield f"{graph.classes:,} classes, one an output neuron; {_winner(graph)}"


def _winner(graph: Graph) -> str:
    window = graph.classifier and graph.classifier.window_steps
    if not window:
        return "the one that spikes most in the sample wins"
    return (
        f"in every step the one wins that spiked most in the last {window:,}, "
        "and where a sample has one label, the one that wins in most steps"
    )


def _axes(document: Document) -> str:
    """What the loss adds up."""
    loss = document.loss
    if isinstance(loss, SpikeTime):
        return "steps, samples and neurons"
    neurons = [] if isinstance(loss, SpikeMax) else ["neurons"]
    axes = [*(["steps"] if loss.window_steps else []), "samples", *neurons]
    return " and ".join(filter(None, [", ".join(axes[:-1]), axes[-1]]))


def _common(
    section: str,
    entries: Iterable[tuple[int | str, Any]],
    texts: Mapping[str, str],
    origins: Mapping[str, str],
) -> Iterable[str]:
    """Defaults of several layers or neurons, one sentence for all that have the same."""
    holders: dict[str, list[str]] = {}
    for key, entry in entries:
        for place, text in texts.items():
            if origins.get(f"/{section}/{key}/{place}") == "default":
                sentence = text.format(value=lookup(entry, place.split("/")))
                holders.setdefault(sentence, []).append(str(entry.get("name", key)))
    for sentence, names in holders.items():
        yield f"{sentence}: {_join_names(names)}"


def _training(document: Document, samples: int | None) -> Iterable[str]:
    training, data = document.training, document.data
    if data is None:
        yield "no data: the network can be run and exported, not trained"
        return
    if training.batch_size is None and samples != 1:
        count = "all" if samples is None else f"all {samples:,}"
        yield f"{count} training samples make one batch (training.batch_size)"
    files = data.validation if isinstance(data, SpikeFiles) else data.split
    if not files and not training.validation_split:
        yield "no validation: the best weights are those of the lowest training loss"


def _join_names(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES
    if more <= 1:
        return ", ".join(names)
    return f"{', '.join(names[:_MAX_NAMES])} and {more:,} more"
