"""Synapses: weights, weight norm and quantisation."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from netdesc.graph import SynapticNode, layers
from netdesc.kernels import operators
from netdesc.kernels.fixed_point import BIAS_BITS, DEVICE_BITS, WEIGHT_UNIT
from netdesc.kernels.grid import quantize
from netdesc.modules.values import places

_MIN_NORM = 1e-12
"""Lower bound of the norms by which weights are divided, so that a row of zeros stays 0."""


def _norms(weight: Tensor) -> Tensor:
    axes = tuple(range(1, weight.dim()))
    norms = torch.linalg.vector_norm(weight, dim=axes, keepdim=True)
    return norms.clamp(min=_MIN_NORM)


def _draw(shape: tuple[int, ...], mask: layers.Mask) -> Tensor:
    """Returns 1 for the weights that exist, else 0. The document alone determines which."""
    count = math.prod(shape)
    places = torch.randperm(count, generator=torch.Generator().manual_seed(mask.seed))
    exists = torch.zeros(count)
    if mask.density is None:  # training reads the file
        return torch.ones(shape)
    exists[places[: max(1, round(mask.density * count))]] = 1
    return exists.view(shape)


class Synapse(nn.Module):
    """Weights in threshold units, initially drawn with the scale ``weight_scale`` / √inputs.

    The first axis of the weights is the output channel. With ``weight_norm``, each row is
    ``gain · weight / ‖weight‖`` (Salimans & Kingma, 2016). With ``bits``, the network computes with
    quantised weights, all of which 8 bits hold; the gradient passes straight through, but is 0 for
    clamped weights.
    """

    paths = ("synapse",)
    """Where ``parts`` stand in the state dict of a layer."""

    def __init__(self, layer: SynapticNode, generator: torch.Generator | None) -> None:
        super().__init__()
        shape, section = layer.weight_shape, layer.section
        weight = torch.empty(shape, dtype=torch.float32)
        if section.draws_weights:
            scale = section.drawn_scale / math.sqrt(math.prod(shape[1:]))
            if section.weight_init == "normal":
                weight.normal_(0, scale, generator=generator)
            else:
                weight.uniform_(-scale, scale, generator=generator)
        else:
            weight = torch.tensor(section.given_weights, dtype=torch.float32)
        self.bits, self._step = layer.bits, layer.weight_step
        self.mask: Tensor | None
        drawn = section.mask if section.draws_weights else None
        mask = None if drawn is None else _draw(shape, drawn)
        self.register_buffer("mask", mask, persistent=False)
        weight = weight if mask is None else weight * mask
        self.weight = nn.Parameter(weight, section.trainable)
        self.gain = nn.Parameter(_norms(weight), section.trainable) if section.weight_norm else None

    def folded(self) -> Tensor:
        """Returns the real weights, with the mask and the weight norm applied."""
        weight = self.weight if self.mask is None else self.weight * self.mask
        return weight if self.gain is None else weight * (self.gain / _norms(weight))

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        """Multiplies all weights."""
        self.weight *= factor
        if self.gain is not None:
            self.gain *= factor

    @torch.no_grad()
    def set_mask(self, mask: Tensor) -> None:
        """Replaces the mask of a layer that has one. Gains become the norms of what is left."""
        assert self.mask is not None
        self.mask.copy_(mask)
        self.weight *= self.mask
        if self.gain is not None:
            self.gain.copy_(_norms(self.weight))

    @torch.no_grad()
    def restore_mask(self) -> None:
        """Takes a mask whose file was not read from trained weights, which are 0 where it is."""
        if self.mask is not None and self.mask.all():
            self.mask.copy_(self.weight != 0)

    @torch.no_grad()
    def dither(self, generator: torch.Generator) -> None:
        """Moves trained weights, if all are on the grid, to random places that round to them."""
        weight, step = self.folded(), 2 * self._step / WEIGHT_UNIT
        is_on_grid = self.bits is not None and torch.allclose(self(), weight, atol=step * 1e-3)
        if not (is_on_grid and self.weight.requires_grad):
            return
        exists = 1 if self.mask is None else self.mask
        self.weight.copy_(weight + step * exists * places(weight, generator))
        if self.gain is not None:
            self.gain.copy_(_norms(self.weight))

    @property
    def parts(self) -> "list[Synapse]":
        return [self]

    def weights(self) -> list[Tensor]:
        """Returns what the network computes with for each input of the neurons."""
        return [self()]

    def forward(self) -> Tensor:
        """Returns the weights that the network computes with."""
        weight = self.folded()
        if self.bits is None:
            return weight
        if self._step == 1:
            return operators.quantize_weight(weight, self.bits)
        return operators.quantize_weight(weight / self._step, self.bits) * self._step

    def on_segment_grid(self) -> Tensor:
        """Returns weights that are those of the network once 8 bits quantise them."""
        return self.folded() if self.bits == DEVICE_BITS else self()

    def extra_repr(self) -> str:
        return f"{list(self.weight.shape)}, bits={self.bits}"


class ComplexSynapse(nn.Module):
    """Two sets of weights, for neurons with two inputs: a real and an imaginary part."""

    paths = ("synapse.real", "synapse.imag")
    """Where ``parts`` stand in the state dict of a layer."""

    def __init__(self, layer: SynapticNode, generator: torch.Generator | None) -> None:
        super().__init__()
        self.bits = layer.bits
        self.real = Synapse(layer, generator)
        self.imag = Synapse(layer, generator)

    @property
    def parts(self) -> list[Synapse]:
        return [self.real, self.imag]

    def weights(self) -> list[Tensor]:
        """Returns what the network computes with for each input of the neurons."""
        return [self.real(), self.imag()]


def make_synapse(
    layer: SynapticNode, generator: torch.Generator | None
) -> Synapse | ComplexSynapse:
    """Returns the synapses of a layer, by the number of inputs of its neurons."""
    is_complex = len(layer.neuron.definition().inputs) == 2
    return (ComplexSynapse if is_complex else Synapse)(layer, generator)


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


RECURRENT: dict[type[layers.LayerSection], Callable[..., Any]] = {
    layers.Recurrent: lambda layer, generator: make_synapse(layer.recurrent, generator),
    layers.WinnerTakeAll: lambda layer, _: LateralInhibition(layer, layer.section),
}
"""Class of a section -> what makes its recurrent synapses, from the layer and a generator."""


DRIVE: dict[type[layers.LayerSection], Callable[[Any, Tensor], Tensor]] = {
    layers.WinnerTakeAll: lambda section, threshold: operators.quantize_weight(
        threshold * section.drive_share, BIAS_BITS
    )
}
"""Class of a section -> what arrives at its neurons in every step, from their thresholds."""
