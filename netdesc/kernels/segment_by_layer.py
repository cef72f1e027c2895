"""Segments on engines that compute layer by layer, with float spikes in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from netdesc.kernels.segments import SegmentGradients, SegmentLayer, SegmentOutput, stack_notes

DenseForward = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""``dense_cuba`` of an engine: spikes, voltages and notes."""

DenseBackward = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""``dense_cuba_backward``: gradients of input, weight and decays."""


def segment_by_layer(
    dense_cuba: DenseForward, input_TBI: Tensor, layers: Sequence[SegmentLayer], keep: bool
) -> SegmentOutput:
    """Runs ``dense_cuba`` on each layer.

    The saved tensors are the voltages of each layer, followed by its spikes except for the last.
    """
    signal_TBN, saved_tensors, notes = input_TBI, list[Tensor](), list[Tensor]()
    for number, layer in enumerate(layers):
        if number:
            saved_tensors.append(signal_TBN)
        signal_TBN, voltage_TBN, of_layer = dense_cuba(
            signal_TBN, layer.weight_OI, layer.bits, layer.neurons
        )
        saved_tensors.append(voltage_TBN)
        notes.append(of_layer)
    return SegmentOutput(signal_TBN, stack_notes(notes), saved_tensors if keep else [])


def segment_backward_by_layer(
    dense_cuba_backward: DenseBackward,
    grad_out_TBN: Tensor,
    input_TBI: Tensor,
    layers: Sequence[SegmentLayer],
    saved_tensors: Sequence[Tensor],
    want_input: bool,
) -> SegmentGradients:
    """Runs ``dense_cuba_backward`` on each layer, the last one first."""
    signals, voltages = [input_TBI, *saved_tensors[1::2]], saved_tensors[::2]
    grad_weights, grad_decays = list[Tensor](), list[Tensor]()
    for number in range(len(layers) - 1, -1, -1):
        layer = layers[number]
        grad_out_TBN, grad_weight, of_decays = dense_cuba_backward(
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
        grad_decays.insert(0, of_decays)
    return SegmentGradients(grad_out_TBN, grad_weights, grad_decays)
