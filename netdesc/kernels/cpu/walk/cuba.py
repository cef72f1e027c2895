"""CUBA neurons as a definition, and their parameters as its program takes them."""

from __future__ import annotations

import functools
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.spikes.packed_spikes import Shape
from netdesc.kernels.cpu.walk.generated import Direction, kernels_of
from netdesc.kernels.cpu.walk.layer_forward import ForwardResult, LayerNeurons
from netdesc.kernels.fixed_point import STATE_UNIT
from netdesc.kernels.neuron_parameters import CUBA, Dynamics
from netdesc.kernels.neurons import compile_text
from netdesc.neurons.program import Program

_UNIT_BITS = 12


def cuba_neurons(dynamics: Dynamics, learn: bool) -> LayerNeurons:
    """Returns a layer's neurons. ``learn`` says whether gradients of decays are needed."""
    threshold, peak, width = _shared_parameters(
        dynamics.neurons, dynamics.threshold, dynamics.height, dynamics.width / STATE_UNIT
    )
    by_name = {
        "threshold": threshold,
        "current_decay": dynamics.keep_u.numpy(),
        "voltage_decay": dynamics.keep_v.numpy(),
        "bias": dynamics.bias.numpy(),
        "peak": peak,
        "width": width,
    }
    program, names = cuba_program(learn)
    return LayerNeurons(program, _UNIT_BITS, tuple(by_name[n] for n in names), dynamics.delay)


@functools.cache
def cuba_program(learn: bool) -> tuple[Program, tuple[str, ...]]:
    """Returns the program, and the names of its parameters."""
    _, program = compile_text(CUBA, learn)
    return program, tuple(program.parameters)


def cuba_kernels(learn: bool, direction: Direction) -> ModuleType:
    """Returns the module with the kernels (see ``generated``)."""
    return kernels_of(cuba_program(learn)[0], _UNIT_BITS, direction)


@functools.lru_cache(maxsize=64)
def _shared_parameters(
    neurons: int, threshold: int, peak: float, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns vectors of what all neurons share. They are cached, and must not be written to."""
    return (
        np.full(neurons, threshold, np.int32),
        np.full(neurons, peak, np.float32),
        np.full(neurons, width, np.float32),
    )


def decay_gradients_of(neurons: LayerNeurons, parameters_PN: np.ndarray) -> np.ndarray:
    """Returns the gradients of both decays [2, neurons]; they are 0 if they are not learnt."""
    learnt = list(neurons.program.backward.parameters)
    if not learnt:
        return np.zeros((2, len(neurons.parameters[0])), np.float32)
    return parameters_PN[[learnt.index("current_decay"), learnt.index("voltage_decay")]]


def layer_notes(result: ForwardResult, path: int) -> Tensor:
    """Returns ``notes`` [4] of a layer (see ``kernels.operators``)."""
    return torch.from_numpy(np.array([*result.extents, path, result.nonzero]))


def voltages_of(stored: np.ndarray, shape: Shape) -> np.ndarray:
    """Converts what a forward pass has stored, the voltages, to [steps, batch, neurons]."""
    steps, batch, neurons = shape
    by_vector = stored.reshape(batch, -1, steps, LANES).transpose(2, 0, 1, 3)
    return np.ascontiguousarray(by_vector.reshape(steps, batch, -1)[:, :, :neurons])


def stored_of(voltage_TBN: np.ndarray) -> np.ndarray:
    """Converts voltages back to what the forward pass has stored."""
    steps, batch, neurons = voltage_TBN.shape
    vectors = -(-neurons // LANES)
    padded = np.zeros((steps, batch, vectors * LANES), np.int32)
    padded[:, :, :neurons] = voltage_TBN
    by_step = padded.reshape(steps, batch, vectors, LANES)
    return np.ascontiguousarray(by_step.transpose(1, 2, 0, 3)).reshape(-1)
