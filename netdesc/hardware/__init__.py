"""Simulates the hardware: runs networks in exact integers, as the device computes them."""

from netdesc.hardware.clocks import Resets, Timing
from netdesc.hardware.integers import (
    FoldedModel,
    HardwareError,
    LayerIntegers,
    Weights,
    layer_integers,
)
from netdesc.hardware.network import IntegerNetwork, LayerCounts

__all__ = [
    "FoldedModel",
    "HardwareError",
    "IntegerNetwork",
    "LayerCounts",
    "LayerIntegers",
    "Resets",
    "Timing",
    "Weights",
    "layer_integers",
]
