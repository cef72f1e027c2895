"""A layer's parameters as the integers that the device holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import Dense
from netdesc.kernels.fixed_point import DECAY_ONE, WEIGHT_UNIT, threshold_mantissa, weight_limits

Integers = NDArray[np.int32]
Weights = Mapping[str, NDArray[np.float32]]
"""A network's parameters by the names of its state, with weight norms folded into the weights."""

BIAS_BITS = 8
"""A bias lies on the grid of weights of that width."""


class DeviceError(ValueError):
    """A network that the device cannot hold; names the layer."""

    exit_code = 1


@dataclass(frozen=True, eq=False)
class DenseIntegers:
    """Dense synapses into CUBA neurons.

    ``weight`` (outputs, inputs), ``bias`` (outputs,) and ``threshold`` have the unit 1/64. Decays
    are 0 to 4096, one for all neurons (shape ()) or one each (shape (outputs,)).
    """

    weight: Integers
    current_decay: Integers
    voltage_decay: Integers
    threshold: int
    bias: Integers | None = None


def dense_integers(layer: Dense, weights: Weights) -> DenseIntegers:
    """The integers of ``layer``. DeviceError where its weights are real numbers or one is NaN."""
    if layer.bits is None:
        raise DeviceError(
            f'layer "{layer.name}" has weights that are not quantised; the device has no others'
        )

    def read(name: str) -> NDArray[np.float32]:
        values = weights[f"layers.{layer.name}.{name}"]
        if np.isnan(values).any():
            raise DeviceError(f'layer "{layer.name}" has a {name} that is NaN')
        return values

    bias = None
    if layer.neuron.norm is not None:
        bias = -_on_weight_grid(read("neuron.norm.running_mean"), BIAS_BITS)
    return DenseIntegers(
        weight=_on_weight_grid(read("synapse.weight"), layer.bits),
        current_decay=_decay(read("neuron.current_decay")),
        voltage_decay=_decay(read("neuron.voltage_decay")),
        threshold=threshold_mantissa(layer.neuron.threshold),
        bias=bias,
    )


def _on_weight_grid(values: NDArray[np.float32], bits: int) -> Integers:
    low, high = weight_limits(bits)
    return np.clip(2 * np.rint(values * (WEIGHT_UNIT / 2)), low, high).astype(np.int32)


def _decay(share: NDArray[np.float32]) -> Integers:
    return np.rint(np.clip(share, 0, 1) * np.float32(DECAY_ONE)).astype(np.int32)
