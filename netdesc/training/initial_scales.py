"""Fills in the scales of initial weights that a document leaves to netdesc."""

import hashlib
from collections.abc import Callable, Mapping

import torch

from netdesc.data.batches import Batches
from netdesc.data.samples import Samples
from netdesc.description import Description, DescriptionError
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.tree import Parts
from netdesc.graph import SynapticNode, build_graph
from netdesc.modules import build, initial_scale
from netdesc.training.ranks import ALONE, Ranks
from netdesc.training.weights import load_masks

MAX_ZEROS, MAX_CLAMPED = 0.75, 0.1
"""Shares of the weights that may be 0 on the grid, or beyond its ends, before a warning."""

_found_scales: dict[str, Mapping[str, initial_scale.FoundScale]] = {}
"""What this process has found by a digest of network, seed and samples, at most ``_MAX_FOUND``."""
_MAX_FOUND = 64

TakeSamples = Callable[[int], torch.Tensor | None]
"""Returns the first so many samples of a training, float32 [steps, samples, *input shape]; None if
there are no data."""


def first_samples(samples: Samples, seed: int) -> TakeSamples:
    """Returns what takes the first samples of epoch 0, without augmentation."""
    cpu = torch.device("cpu")
    return lambda count: Batches(samples, count, cpu, seed).example().input_TBN


def fill_scales(
    description: Description,
    take: TakeSamples,
    warn: Callable[[str], None],
    ranks: Ranks = ALONE,
    fast_engine: str = "reference",
) -> Description:
    """Returns the description with numbers in the place of each "auto" of a scale of weights.

    Without samples, random spikes are assumed. A document that names weights stays as it is.
    ``fast_engine`` is that of ``find_scales``.
    DescriptionError if all samples are silent.
    """
    document = description.document
    graph, seed = build_graph(document), document.training.seed
    searched = [layer for layer in graph.neuron_layers if initial_scale.searched_fields(layer)]
    if document.weights is not None or not searched:
        return description
    input_TBN = take(initial_scale.sample_count(graph))
    if input_TBN is None:
        input_TBN = initial_scale.assumed_input(graph, seed)
    elif not input_TBN.any():
        raise DescriptionError([_silent(description, searched[0])])
    fields = document.model_dump_json(exclude={"name", "description", "data", "training"})
    digest = hashlib.sha256(f"{seed} {fields}".encode())
    digest.update(input_TBN.contiguous().view(-1).numpy().data)
    key = digest.hexdigest()
    scales = _found_scales.pop(key, None)  # added again below, as the newest
    has_masks = any(layer.section.mask is not None for layer in graph.neuron_layers)
    if scales is None or has_masks:  # files of masks may have changed
        network = build(graph, seed)
        load_masks(description, network)
        scales = initial_scale.find_scales(network, input_TBN, fast_engine)
    _found_scales[key] = scales
    if len(_found_scales) > _MAX_FOUND:
        del _found_scales[next(iter(_found_scales))]
    for layer in searched:
        if problem := _problem(layer, scales[layer.name]):
            warn(f"{problem} (netdesc explain ND404)")
    indices = {layer.name: index for index, layer in enumerate(document.layers)}
    values: dict[Parts, float] = {
        ("layers", indices[name], field): scale
        for name, result in scales.items()
        for field, scale in result.scales.items()
    }
    # Processes find the same values if their processors add up in the same order.
    values = ranks.broadcast(values)
    return description.with_values(values, "found")


def found_text(description: Description) -> str:
    """Returns a sentence about scales of weights and learning rate; empty if none was found.

    If some scale was found, the scales that the document states are in the sentence, too.
    """
    scales, has_found = list[str](), False
    for index, layer in enumerate(description.document.layers):
        numbers: list[str] = []
        for name, label in {"weight_scale": "", "recurrent_weight_scale": "recurrent "}.items():
            origin = description.origins.get(f"/layers/{index}/{name}", "default")
            has_found |= origin == "found"
            if origin != "default":
                stated = "" if origin == "found" else " (stated)"
                numbers.append(f"{label}{getattr(layer, name):g}{stated}")
        scales += [f"{layer.name} {', '.join(numbers)}"] if numbers else []
    texts = [f"scales of initial weights: {'; '.join(scales)}"] if has_found else []
    if description.origins.get("/training/optimizer/learning_rate") == "found":
        texts.append(f"learning rate: {description.document.training.optimizer.learning_rate:g}")
    return "; ".join(texts)


def _silent(description: Description, layer: SynapticNode) -> Diagnostic:
    names = [section.name for section in description.document.layers]
    return description.source_map.diagnostic(
        "ND403",
        ("layers", names.index(layer.name), "weight_scale"),
        f'no scale can be found for the weights of layer "{layer.name}": the first samples to '
        "train with hold no spike and no value but 0",
        hint="mend the data, or state numbers for every weight_scale and recurrent_weight_scale",
    )


def neuron_path(layer: SynapticNode) -> str:
    """Returns the path of the layer's neurons in the document."""
    is_named = isinstance(layer.section.neuron, str)
    return f"neurons.{layer.neuron_name}" if is_named else f"layers.{layer.name}.neuron"


def threshold_path(layer: SynapticNode) -> str:
    """Returns the path of the threshold of the layer's neurons in the document."""
    return ".".join((neuron_path(layer), *layer.neuron.value_path("threshold")))


def _problem(layer: SynapticNode, found: initial_scale.FoundScale) -> str:
    if not found.activity:
        return f'layer "{layer.name}" stays silent with any scale of its weights'
    if found.zeros > MAX_ZEROS:
        what, factor = f"{found.zeros:.0%} of the weights are 0 on the grid", 8.0
    elif found.clamped > MAX_CLAMPED:
        what, factor = f"{found.clamped:.0%} of the weights are beyond the grid", 0.25
    else:
        return ""
    threshold = layer.neuron.values().get("threshold")
    way = 'set its "quantization" to null'
    if isinstance(threshold, float):
        path = threshold_path(layer)
        way = f"weights are in proportion to the threshold: --set {path}={threshold * factor:.3g}"
    return f'layer "{layer.name}": {what} of its quantization with the scale found; {way}'
