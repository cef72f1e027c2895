"""What neurons of recurrent layers read of their own outputs in the step before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from netdesc.graph import SynapticNode, layers
from netdesc.kernels.fixed_point import BIAS_BITS
from netdesc.kernels.operators import quantize_weight
from netdesc.kernels.quantization import quantize
from netdesc.modules.synapse import ComplexSynapse, Synapse, make_synapse


class LateralInhibition(nn.Module):
    """Fixed weights [neurons, neurons]: positive from a neuron to itself, negative to others."""

    parts: tuple[Synapse, ...] = ()
    paths: tuple[str, ...] = ()

    def __init__(self, layer: SynapticNode, section: layers.WinnerTakeAll) -> None:
        super().__init__()
        count, bits = layer.neurons, layer.bits
        matrix_NN = torch.full((count, count), -section.inhibition, dtype=torch.float32)
        matrix_NN.fill_diagonal_(section.self_excitation)
        if bits is not None:
            matrix_NN = quantize(matrix_NN / layer.weight_step, bits) * layer.weight_step
        self.register_buffer("matrix", matrix_NN, persistent=False)

    def weights(self) -> list[Tensor]:
        return [self.get_buffer("matrix")]


def _trained(layer: SynapticNode, generator: torch.Generator | None) -> Synapse | ComplexSynapse:
    assert layer.recurrent is not None
    return make_synapse(layer.recurrent, generator)


RECURRENT: dict[type[layers.LayerSection], Callable[..., Any]] = {
    layers.Recurrent: _trained,
    layers.WinnerTakeAll: lambda layer, _: LateralInhibition(layer, layer.section),
}
"""Class of a section -> what makes its recurrent synapses, from the layer and a generator."""


def _drive(section: layers.WinnerTakeAll, threshold: Tensor) -> Tensor:
    """Raises or lowers all neurons alike, so that about ``winners`` of them fire."""
    return quantize_weight(threshold * section.drive_share, BIAS_BITS)


DRIVE: dict[type[layers.LayerSection], Callable[[Any, Tensor], Tensor]] = {
    layers.WinnerTakeAll: _drive
}
"""Class of a section -> what arrives at its neurons in every step, from their thresholds."""
