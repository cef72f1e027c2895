"""Segments of layers: arguments and results of their forward and backward pass, for all engines.

A segment is a sequence of dense layers of CUBA neurons. Each layer reads the spikes of the previous
layer. An operator receives a segment as a list of tensors and a list of numbers,
``TENSORS_PER_LAYER`` and ``NUMBERS_PER_LAYER`` for each layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from netdesc.kernels.checks import check_signal, check_weight
from netdesc.kernels.neuron_parameters import Dynamics, make_dynamics

TENSORS_PER_LAYER = 5
"""A layer has five tensors: weight [outputs, inputs], current decay, voltage decay, bias and tau.

``make_dynamics`` explains all of them but the weight.
"""

NUMBERS_PER_LAYER = 5
"""A layer has the numbers bits per weight, threshold, tau_grad, scale_grad and axonal delay.

The delay is 0 or 1 steps.
"""


class SegmentLayer(NamedTuple):
    """One dense layer of a segment: its weights and its neurons."""

    weight_OI: Tensor
    """Real weights; the layer quantises them to ``bits`` bits."""
    bits: int
    neurons: Dynamics
    learn: bool
    """Whether the gradients of the decays are needed."""


class SegmentOutput(NamedTuple):
    """The result of a segment's forward pass."""

    out_TBN: Tensor
    """Spikes of the last layer."""
    notes_L4: Tensor
    """Statistics of each layer, int64 [layers, 4] (see ``kernels.operators``).

    Largest current and largest voltage by magnitude, 1 if the layer was computed from events, and
    the number of its output spikes.
    """
    saved_tensors: list[Tensor]
    """Tensors that the engine's backward pass needs; empty if no backward pass follows."""


class SegmentGradients(NamedTuple):
    """The result of a segment's backward pass."""

    grad_input: Tensor
    """Gradient of the input [steps, batch, inputs]; empty unless it was requested."""
    grad_weights: list[Tensor]
    grad_decays: list[Tensor]
    """Gradients of each layer's decays (current and voltage), [2, neurons] each."""


def stack_notes(notes: Sequence[Tensor]) -> Tensor:
    """Stacks the statistics of layers, each [4] (see ``kernels.operators``), to [layers, 4]."""
    return torch.stack(list(notes)) if len(notes) > 1 else notes[0].unsqueeze(0)


def layer_sizes(tensors: Sequence[Tensor]) -> list[int]:
    """Returns the number of neurons of each layer, from an operator's ``tensors``."""
    return [weight_OI.shape[0] for weight_OI in tensors[::TENSORS_PER_LAYER]]


def segment_layers(
    tensors: Sequence[Tensor], numbers: Sequence[float], learn: Sequence[bool]
) -> list[SegmentLayer]:
    """Builds the layers from an operator's lists of tensors and numbers.

    ``learn`` says for each layer whether the gradients of its decays are needed. Raises ValueError
    if a layer's tensors or numbers do not fit (see ``make_dynamics``).
    """
    layers: list[SegmentLayer] = []
    for number, learns in enumerate(learn):
        at = TENSORS_PER_LAYER * number
        weight_OI, current_decay, voltage_decay, bias, tau = tensors[at : at + TENSORS_PER_LAYER]
        at = NUMBERS_PER_LAYER * number
        bits, *neuron_numbers = numbers[at : at + NUMBERS_PER_LAYER]
        neurons = make_dynamics(
            weight_OI.shape[0], current_decay, voltage_decay, bias, tau, neuron_numbers
        )
        layers.append(SegmentLayer(weight_OI, int(bits), neurons, learns))
    return layers


def check_segment(input_TBI: Tensor, tensors: Sequence[Tensor]) -> None:
    """Raises ValueError if the input and the weights do not fit together."""
    check_signal("an input", input_TBI)
    steps, batch, inputs = input_TBI.shape
    for weight_OI in tensors[::TENSORS_PER_LAYER]:
        check_weight(weight_OI, (steps, batch, inputs), input_TBI.device)
        inputs = weight_OI.shape[0]


# The CPU engine saves binary spikes for the backward pass, one bit each.

NEURONS_PER_BITMASK = 32

HEADER_NUMBERS = 16
"""Number of int32 numbers in the header of packed spikes: 64 bytes, so that bitmasks are aligned.

The first number is 1 if the layer reads these spikes as events, 0 if it computes a matrix product.
With events, the third and fourth number together are the number of spikes, an int64.
"""


def packed_size(shape: tuple[int, int, int]) -> int:
    """Returns the length of the int32 tensor for packed spikes [steps, batch, neurons].

    A header precedes the bitmasks [batch, vectors of 32 neurons, steps]. A bitmask holds the spikes
    of 32 neighbouring neurons in one step of a sample, the first neuron in the lowest bit. The
    length depends on the shape alone, so that torch's compiler knows it before there are data.
    """
    steps, batch, neurons = shape
    return HEADER_NUMBERS + batch * -(-neurons // NEURONS_PER_BITMASK) * steps


def voltages_size(shape: tuple[int, int, int]) -> int:
    """Returns the length of the int32 tensor for voltages [steps, batch, neurons].

    The voltages are laid out as [batch, vectors, steps, 32 neurons of a vector], so that a thread
    reads and writes contiguous memory.
    """
    steps, batch, neurons = shape
    return steps * batch * -(-neurons // NEURONS_PER_BITMASK) * NEURONS_PER_BITMASK


def holds_spikes(packed: Tensor) -> bool:
    """Whether the backward pass can read the input's spikes from ``packed`` alone.

    ``packed`` was saved by a forward pass. It suffices if its header marks the spikes as events.
    Returns False if the engine does not pack spikes. Also returns False while torch compiles,
    because its compiler uses tensors without data.
    """
    if type(packed) is not Tensor or packed.dim() != 1 or not packed.numel():
        return False
    return bool(packed.numpy()[0])  # numpy reads one number in a tenth of torch's time
