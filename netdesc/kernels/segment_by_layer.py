"""Computes segments (see ``segments``) one layer at a time, with float spikes between layers.

The reference and the CUDA engine compute segments in this way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from netdesc.kernels.segments import SegmentGradients, SegmentLayer, SegmentOutput, stack_notes

DenseForward = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""``dense_cuba`` of an engine: returns spikes, voltages and notes (see ``kernels.operators``)."""

DenseBackward = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""``dense_cuba_backward`` of an engine: returns the gradients of input, weight and decays."""


def segment_by_layer(
    dense_cuba: DenseForward, input_TBI: Tensor, layers: Sequence[SegmentLayer], keep: bool
) -> SegmentOutput:
    """Calls ``dense_cuba`` for each layer, with the spikes of the previous layer as input.

    With ``keep``, the saved tensors are the voltages of the first layer, its spikes, the voltages
    of the second layer and so on, without the spikes of the last layer. Without ``keep``, no
    tensors are saved.
    """
    signal_TBN, saved_tensors, notes = input_TBI, list[Tensor](), list[Tensor]()
    for number, layer in enumerate(layers):
        if number:
            saved_tensors.append(signal_TBN)
        signal_TBN, voltage_TBN, layer_notes = dense_cuba(
            signal_TBN, layer.weight_OI, layer.bits, layer.neurons
        )
        saved_tensors.append(voltage_TBN)
        notes.append(layer_notes)
    return SegmentOutput(signal_TBN, stack_notes(notes), saved_tensors if keep else [])


def segment_backward_by_layer(
    dense_cuba_backward: DenseBackward,
    grad_out_TBN: Tensor,
    input_TBI: Tensor | None,
    layers: Sequence[SegmentLayer],
    saved_tensors: Sequence[Tensor],
    want_input: bool,
) -> SegmentGradients:
    """Calls ``dense_cuba_backward`` for each layer, from the last to the first.

    ``saved_tensors`` come from ``segment_by_layer``. The input's gradient is empty unless
    ``want_input``.
    """
    assert input_TBI is not None, "only the CPU engine packs the input's spikes"
    signals, voltages = [input_TBI, *saved_tensors[1::2]], saved_tensors[::2]
    grad_weights, grad_decays = list[Tensor](), list[Tensor]()
    for number in range(len(layers) - 1, -1, -1):
        layer = layers[number]
        grad_out_TBN, grad_weight, layer_grad_decays = dense_cuba_backward(
            grad_out_TBN,
            signals[number],
            layer.weight_OI,
            layer.bits,
            voltages[number],
            layer.neurons,
            layer.learn,
            number > 0 or want_input,
        )
        grad_weights.insert(0, grad_weight)
        grad_decays.insert(0, layer_grad_decays)
    return SegmentGradients(grad_out_TBN, grad_weights, grad_decays)
