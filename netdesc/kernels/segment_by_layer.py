"""Computes segments (see ``segments``) one layer at a time, with float spikes between layers.

The reference and the CUDA engine compute segments in this way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from netdesc.kernels.neurons import NeuronsGradients, NeuronsOutput
from netdesc.kernels.segments import SegmentGradients, SegmentLayer, SegmentOutput


class LayerFunctions(NamedTuple):
    """What an engine computes of one layer: its synapses, and its neurons (see ``neurons``)."""

    dense: Callable[[Tensor, Tensor], Tensor]
    """``dense(signal_TBI, weight_OI)`` returns the synaptic input [steps, batch, outputs]."""
    dense_backward: Callable[[Tensor, Tensor, Tensor, bool], tuple[Tensor, Tensor]]
    """``dense_backward(grad_z_TBO, signal_TBI, weight_OI, want_input)`` returns the gradients of
    the signal, which is empty unless ``want_input``, and of the real weights."""
    neurons: Callable[..., NeuronsOutput]
    neurons_backward: Callable[..., NeuronsGradients]


def segment_by_layer(
    engine: LayerFunctions, input_TBI: Tensor, layers: Sequence[SegmentLayer], keep: bool
) -> SegmentOutput:
    """Computes each layer with the output of the previous layer as its input."""
    signal_TBN, saved_tensors, notes = input_TBI, list[Tensor](), list[Tensor]()
    for number, layer in enumerate(layers):
        if number:
            saved_tensors.append(signal_TBN)
        z_TBN = engine.dense(signal_TBN, layer.weight_OI)
        run = engine.neurons([z_TBN], layer.neurons, [], keep)
        signal_TBN = run.out_TBN
        notes.append(run.notes)
        saved_tensors += run.saved
    return SegmentOutput(signal_TBN, notes, saved_tensors if keep else [])


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
