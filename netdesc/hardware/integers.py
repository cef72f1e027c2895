"""Converts a layer's parameters to the integers that the device stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import DenseNode, Graph
from netdesc.kernels.fixed_point import (
    DECAY_ONE,
    STATES_PER_WEIGHT,
    WEIGHT_UNIT,
    threshold_mantissa,
    weight_limits,
)

Integers = NDArray[np.int32]
Weights = Mapping[str, NDArray[np.float32]]
"""Maps a name in the state dict to the parameter. Weight norms are folded into the weights."""

BIAS_BITS = 8
"""Biases are quantised like weights of this number of bits."""


class FoldedModel(Protocol):
    """A model with its graph and its weights, such as the ``model`` that ``netdesc.compile`` makes.

    ``folded_state()`` returns the weights, with weight norms folded into them.
    """

    @property
    def graph(self) -> Graph: ...

    def folded_state(self) -> Weights: ...


class HardwareError(ValueError):
    """The device cannot store a layer; the message names the layer."""

    exit_code = 1


@dataclass(frozen=True, eq=False)
class DenseIntegers:
    """Parameters of a dense layer of CUBA neurons, in the device's integers.

    ``weight`` [outputs, inputs], ``bias`` [outputs] and ``threshold`` are in units of 1/64. Decays
    are in units of 1/4096; their shape is [outputs], or [] if all neurons share one decay.
    """

    weight: Integers
    current_decay: Integers
    voltage_decay: Integers
    threshold: int
    bias: Integers | None = None

    def neuron_parameters(self) -> dict[str, Any]:
        """Returns the parameters of the neurons' equations, on the grid of their states."""
        return {
            "threshold": STATES_PER_WEIGHT * self.threshold,
            "current_decay": DECAY_ONE - self.current_decay.astype(np.int64),
            "voltage_decay": DECAY_ONE - self.voltage_decay.astype(np.int64),
            "bias": 0 if self.bias is None else STATES_PER_WEIGHT * self.bias.astype(np.int64),
        }


def dense_integers(layer: DenseNode, weights: Weights) -> DenseIntegers:
    """Converts the parameters of ``layer`` to integers.

    Raises HardwareError if the layer's weights are not quantised, or a parameter is NaN.
    """
    if layer.bits is None:
        raise HardwareError(
            f'layer "{layer.name}" has weights that are not quantised, which the device needs'
        )

    def read(name: str) -> NDArray[np.float32]:
        values = weights[f"layers.{layer.name}.{name}"]
        if np.isnan(values).any():
            raise HardwareError(f'layer "{layer.name}" has a {name} that is NaN')
        return values

    bias = None
    if layer.neuron.norm is not None:
        bias = -_quantize(read("neuron.norm.running_mean"), BIAS_BITS)
    return DenseIntegers(
        weight=_quantize(read("synapse.weight"), layer.bits),
        current_decay=_quantize_decay(read("neuron.current_decay")),
        voltage_decay=_quantize_decay(read("neuron.voltage_decay")),
        threshold=threshold_mantissa(layer.neuron.threshold),
        bias=bias,
    )


def _quantize(values: NDArray[np.float32], bits: int) -> Integers:
    low, high = weight_limits(bits)
    bounded = np.clip(values, low / WEIGHT_UNIT, high / WEIGHT_UNIT)  # so that no product overflows
    return np.clip(2 * np.rint(bounded * (WEIGHT_UNIT / 2)), low, high).astype(np.int32)


def _quantize_decay(decay: NDArray[np.float32]) -> Integers:
    return np.rint(np.clip(decay, 0, 1) * np.float32(DECAY_ONE)).astype(np.int32)
