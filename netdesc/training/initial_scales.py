"""Fills in the scales of initial weights that a document leaves to netdesc."""

from collections.abc import Callable, Iterator, Mapping

import torch

from netdesc.data.batches import Batches
from netdesc.data.samples import Samples
from netdesc.description import Description, DescriptionError
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.graph import Graph, build_graph
from netdesc.modules import build
from netdesc.modules.initial_scale import (
    FoundScale,
    assumed_input,
    find_scales,
    sample_count,
    searched_fields,
)
from netdesc.training.weights import load_masks

MAX_ZEROS, MAX_CLAMPED = 0.5, 0.1
"""Shares of the weights that may be 0 on the grid, or at its ends, before a warning."""

FirstSamples = Callable[[int], torch.Tensor]
"""Returns so many samples that a training begins with, float32 [steps, samples, *input shape]."""


def first_samples(samples: Samples, seed: int) -> FirstSamples:
    """Returns what takes the first samples of epoch 0, without augmentation."""

    def take(count: int) -> torch.Tensor:
        batches = Batches(samples, count, torch.device("cpu"), seed)
        return next(batches.shuffled(0)).input_TBN

    return take


def fill_scales(
    description: Description, first_samples: FirstSamples | None, warn: Callable[[str], None]
) -> Description:
    """Returns the description with numbers in the place of each "auto" of a scale of weights.

    Without samples, random spikes are assumed. A document that names weights stays as it is.
    DescriptionError if all samples are silent.
    """
    document = description.document
    graph = build_graph(document)
    searched = [layer for layer in graph.neuron_layers if searched_fields(layer)]
    if document.weights is not None or not searched:
        return description
    seed = document.training.seed
    if first_samples is None:
        input_TBN = assumed_input(graph, seed)
    else:
        input_TBN = first_samples(sample_count(graph)).cpu()
        if not input_TBN.any():
            raise DescriptionError([_silent(description, searched[0].name)])
    network = build(graph, seed)
    load_masks(description, network)
    found = find_scales(network, input_TBN)
    for text in _problems(graph, found):
        warn(f"{text} (netdesc explain ND404)")
    indices = {layer.name: index for index, layer in enumerate(document.layers)}
    return description.with_layers({indices[name]: each.scales for name, each in found.items()})


def found_text(description: Description) -> str:
    """Returns a sentence about the scales that were found; empty if there are none."""
    texts: list[str] = []
    for index, layer in enumerate(description.document.layers):
        numbers: list[str] = []
        for name, label in {"weight_scale": "", "recurrent_weight_scale": "recurrent "}.items():
            if description.origins.get(f"/layers/{index}/{name}") == "found":
                numbers.append(f"{label}{getattr(layer, name):g}")
        texts += [f"{layer.name} {', '.join(numbers)}"] if numbers else []
    return f"scales of initial weights: {'; '.join(texts)}" if texts else ""


def _silent(description: Description, layer: str) -> Diagnostic:
    index = [each.name for each in description.document.layers].index(layer)
    assert description.source_map is not None, "load sets it"
    return description.source_map.diagnostic(
        "ND403",
        ("layers", index, "weight_scale"),
        f'no scale can be found for the weights of layer "{layer}": the first samples to train '
        "with hold no spike and no value but 0",
        hint='mend the data, or state a number, such as "weight_scale": 1',
    )


def _problems(graph: Graph, found: Mapping[str, FoundScale]) -> Iterator[str]:
    for layer in graph.neuron_layers:
        scale = found.get(layer.name)
        if scale is None:
            continue
        finer = "raise the threshold of its neurons, of which the weights are multiples"
        if not scale.activity:
            yield f'layer "{layer.name}" stays silent with any scale of its weights'
        elif scale.zeros > MAX_ZEROS:
            yield (
                f'{scale.zeros:.0%} of the initial weights of layer "{layer.name}" are 0 on the '
                f"grid of its quantization: {finer}"
            )
        elif scale.clamped > MAX_CLAMPED:
            yield (
                f'{scale.clamped:.0%} of the initial weights of layer "{layer.name}" are beyond '
                f"the grid of its quantization: {finer.replace('raise', 'lower')}"
            )
