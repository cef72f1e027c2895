"""Segments of layers: arguments and results of their forward and backward pass, for all engines.

A segment is a sequence of dense layers with quantised weights, whose neurons have one input. Each
layer reads the spikes of the previous layer, so only the last layer may hand on a graded output.

An operator receives a segment as a weight [outputs, inputs] for each layer, the real parameters of
all layers in the order of their programs, a line with the text of a definition for each layer, and
``NUMBERS_PER_LAYER`` for each layer. ``layer_neurons`` explains definitions, parameters, counts and
gradients of parameters.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from netdesc.kernels import layer_neurons
from netdesc.kernels.checks import check_signal, check_weight
from netdesc.kernels.packing import packed_size
from netdesc.neurons.definition import ParameterKind

NUMBERS_PER_LAYER = 2
"""A layer has the delay of the output in steps, 0 or 1, and 1 if the gradients of the neurons'
learnable parameters are needed, else 0."""


class SegmentLayer(NamedTuple):
    """One dense layer of a segment: its weights and its neurons."""

    weight_OI: Tensor
    """Real weights; the layer quantises them to 8 bits."""
    neurons: layer_neurons.KernelNeurons
    passed: list[Any] | None = None
    """What an engine's forward pass leaves to its backward pass, which can do without."""


class SegmentOutput(NamedTuple):
    """The result of a segment's forward pass."""

    out_TBN: Tensor
    """Output of the last layer."""
    counts: list[Tensor]
    """Notes of each layer."""
    saved_tensors: list[Tensor]
    """What the backward pass needs (see ``segment_saved``); empty if none follows."""


class SegmentGradients(NamedTuple):
    """The result of a segment's backward pass."""

    grad_input: Tensor
    """Gradient of the input [steps, batch, inputs]; empty unless it was requested."""
    grad_weights: list[Tensor]
    grad_parameters: list[Tensor]
    """Float32 [neurons], in the order of ``learnable_places``."""


class _Text(NamedTuple):
    definition: str
    delay: int
    learn: bool
    places: slice
    """Places of the layer's parameters among the parameters of all layers."""
    kinds: tuple[ParameterKind, ...]


@functools.lru_cache(maxsize=64)
def _read_layers(definitions: str, numbers: tuple[int, ...]) -> list[_Text]:
    """Reads an operator's lists. Raises ValueError if a layer does not fit."""
    layers: list[_Text] = []
    texts, first = definitions.splitlines(), 0
    for number, text in enumerate(texts):
        at = NUMBERS_PER_LAYER * number
        delay, learn = numbers[at : at + NUMBERS_PER_LAYER]
        definition, program = layer_neurons.compile_text(text, bool(learn))
        if len(definition.inputs) != 1:
            names = ", ".join(definition.inputs)
            raise ValueError(f"neurons with the inputs {names} do not fit; one input is needed")
        if definition.output is not None and number < len(texts) - 1:
            raise ValueError("only the last layer of a segment may hand on a graded output")
        places = slice(first, first + len(program.parameters))
        kinds = tuple(program.parameters.values())
        layers.append(_Text(text, delay, bool(learn), places, kinds))
        first = places.stop
    return layers


def segment_layers(
    weights: Sequence[Tensor],
    parameters: Sequence[Tensor],
    definitions: str,
    numbers: Sequence[int],
) -> list[SegmentLayer]:
    """Builds the layers from an operator's lists. Raises ValueError if a layer does not fit."""
    texts = _read_layers(definitions, tuple(numbers))
    layers: list[SegmentLayer] = []
    for weight_OI, text in zip(weights, texts, strict=True):
        values, count = parameters[text.places], weight_OI.shape[0]
        neurons = layer_neurons.make_neurons(text.definition, text.learn, values, count, text.delay)
        layers.append(SegmentLayer(weight_OI, neurons))
    needed = texts[-1].places.stop
    if len(parameters) != needed:
        raise ValueError(f"{len(parameters)} parameters do not fit; the neurons have {needed}")
    return layers


def check_segment(input_TBI: Tensor, layers: Sequence[SegmentLayer]) -> None:
    """Raises ValueError if input, weights and parameters do not fit together."""
    check_signal("an input", input_TBI)
    steps, batch, inputs = input_TBI.shape
    for layer in layers:
        check_weight(layer.weight_OI, (steps, batch, inputs), input_TBI.device)
        layer_neurons.check_parameters(layer.neurons, input_TBI.device)
        inputs = layer.neurons.count


def learnable_places(definitions: str, numbers: Sequence[int]) -> list[int]:
    """Returns places of the parameters with gradients among the parameters of all layers."""
    return [
        place
        for text in _read_layers(definitions, tuple(numbers))
        for place, kind in enumerate(text.kinds, text.places.start)
        if text.learn and kind != "real"
    ]


def segment_saved(
    layers: Sequence[SegmentLayer], shape: Sequence[int], engine: str
) -> list[tuple[tuple[int, ...], torch.dtype]]:
    """Returns shapes and types of the tensors that a forward pass saves for the backward pass.

    ``shape`` is [steps, batch, inputs]. The tensors are, in turn, what a layer reads, and what its
    neurons save. The CPU engine packs spikes; the other engines do not save the segment's input.
    """
    steps, batch, inputs = shape
    saved: list[tuple[tuple[int, ...], torch.dtype]] = []
    for layer in layers:
        count = layer.neurons.count
        if engine == "cpu":
            saved.append(((packed_size((steps, batch, inputs)),), torch.int32))
        elif saved:
            saved.append(((steps, batch, inputs), torch.float32))
        shapes = layer_neurons.saved_shapes(layer.neurons, (steps, batch, count), engine)
        saved += [(each, torch.int32) for each in shapes]
        inputs = count
    return saved


class LayerFunctions(NamedTuple):
    """What an engine computes of one layer: its synapses, and its neurons (see ``neurons``)."""

    dense: Callable[[Tensor, Tensor], Tensor]
    """``dense(signal_TBI, weight_OI)`` returns the synaptic input [steps, batch, outputs]."""
    dense_backward: Callable[[Tensor, Tensor, Tensor, bool], tuple[Tensor, Tensor]]
    """``dense_backward(grad_z_TBO, signal_TBI, weight_OI, want_input)`` returns the gradients of
    the signal, which is empty unless ``want_input``, and of the real weights."""
    neurons: Callable[..., layer_neurons.NeuronsOutput]
    neurons_backward: Callable[..., layer_neurons.NeuronsGradients]


def segment_by_layer(
    engine: LayerFunctions, input_TBI: Tensor, layers: Sequence[SegmentLayer], keep: bool
) -> SegmentOutput:
    """Computes each layer with the output of the previous layer as its input."""
    signal_TBN, saved_tensors, counts = input_TBI, list[Tensor](), list[Tensor]()
    for number, layer in enumerate(layers):
        if number:
            saved_tensors.append(signal_TBN)
        z_TBN = engine.dense(signal_TBN, layer.weight_OI)
        run = engine.neurons([z_TBN], layer.neurons, [], keep)
        signal_TBN = run.out_TBN
        counts.append(run.counts)
        saved_tensors += run.saved
    return SegmentOutput(signal_TBN, counts, saved_tensors if keep else [])


def segment_backward_by_layer(
    engine: LayerFunctions,
    grad_out_TBN: Tensor,
    input_TBI: Tensor | None,
    layers: Sequence[SegmentLayer],
    saved_tensors: Sequence[Tensor],
    want_input: bool,
) -> SegmentGradients:
    """Computes the gradients of each layer, from the last to the first.

    ``saved_tensors`` come from ``segment_by_layer``. The input's gradient is empty unless
    ``want_input``.
    """
    assert input_TBI is not None, "only the CPU engine packs the input's spikes"
    signals, kept = [input_TBI, *saved_tensors[1::2]], saved_tensors[::2]
    grad_weights, grad_parameters = list[Tensor](), list[Tensor]()
    for number in range(len(layers) - 1, -1, -1):
        layer = layers[number]
        gradients = engine.neurons_backward(grad_out_TBN, layer.neurons, [kept[number]])
        grad_out_TBN, grad_weight = engine.dense_backward(
            gradients.inputs_TBN[0], signals[number], layer.weight_OI, number > 0 or want_input
        )
        grad_weights.insert(0, grad_weight)
        grad_parameters[:0] = gradients.parameters
    return SegmentGradients(grad_out_TBN, grad_weights, grad_parameters)
