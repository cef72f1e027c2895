"""Integers of what the neurons of recurrent layers read of their own outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np

from netdesc.graph import SynapticNode, layers
from netdesc.hardware.integers import Integers, Weights, quantize, quantize_weights, read_values
from netdesc.hardware.neurons import PAYLOAD_BITS, Feedback
from netdesc.kernels.fixed_point import BIAS_BITS


class RecurrentIntegers(NamedTuple):
    """What arrives at neurons besides the synaptic input of their layer, in units of 1/64."""

    weights: list[Integers]
    """From their own outputs of the step before, [neurons, neurons], one for each input."""
    drive: Integers
    """What arrives in every step, [] or [neurons]."""


def _trained(layer: SynapticNode, weights: Weights) -> RecurrentIntegers:
    assert layer.recurrent is not None
    values = [read_values(layer, weights, name) for name in layer.recurrent.weight_names]
    grid = [quantize_weights(layer, each) for each in values]
    return RecurrentIntegers(grid, np.array(0, np.int32))


def _inhibition(layer: SynapticNode, weights: Weights) -> RecurrentIntegers:
    section, count = cast("layers.WinnerTakeAll", layer.section), layer.neurons
    matrix = np.full((count, count), -section.inhibition, np.float32)
    np.fill_diagonal(matrix, section.self_excitation)
    name, threshold = "neuron.threshold", layer.neuron.values()["threshold"]
    if f"layers.{layer.name}.{name}" in weights:
        threshold = read_values(layer, weights, name)
    # The engines of training compute in float32.
    share = np.float32(section.drive_share)
    drive = quantize(np.asarray(np.float32(threshold) * share), BIAS_BITS)
    return RecurrentIntegers([quantize_weights(layer, matrix)], drive)


_INTEGERS: dict[type[layers.LayerSection], Callable[..., RecurrentIntegers]] = {
    layers.Recurrent: _trained,
    layers.WinnerTakeAll: _inhibition,
}
"""Class of a section -> its integers, from the layer and the state dict."""


def recurrent_integers(layer: SynapticNode, weights: Weights) -> RecurrentIntegers | None:
    """Returns the integers of a recurrent layer, which ``layer_integers`` accepts; else None.

    Raises HardwareError if a weight is NaN.
    """
    find = _INTEGERS.get(type(layer.section))
    return None if find is None else find(layer, weights)


def make_feedback(layer: SynapticNode, weights: Weights, *, is_graded: bool) -> Feedback | None:
    """Returns what a recurrent layer hands back to its neurons; None for other layers."""
    integers = recurrent_integers(layer, weights)
    if integers is None:
        return None
    scale = 1 << PAYLOAD_BITS
    recurrent_IMN = np.array([each.T for each in integers.weights], np.int64)
    drive_IN = np.full((len(recurrent_IMN), layer.neurons), integers.drive, np.int64)
    return Feedback(recurrent_IMN if is_graded else recurrent_IMN * scale, drive_IN * scale)
