"""Simulates the hardware: runs networks in exact integers, as the device computes them."""

from netdesc.hardware.integers import (
    FoldedModel,
    HardwareError,
    LayerIntegers,
    Weights,
    layer_integers,
)
from netdesc.hardware.runner import IntegerRun, LayerCounts, simulate

__all__ = [
    "FoldedModel",
    "HardwareError",
    "IntegerRun",
    "LayerCounts",
    "LayerIntegers",
    "Weights",
    "layer_integers",
    "simulate",
]
