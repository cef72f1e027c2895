"""Simulates the hardware: runs networks in exact integers, as the device computes them."""

from netdesc.hardware.integers import (
    DenseIntegers,
    FoldedModel,
    HardwareError,
    Weights,
    dense_integers,
)
from netdesc.hardware.runner import IntegerRun, LayerCounts, simulate

__all__ = [
    "DenseIntegers",
    "FoldedModel",
    "HardwareError",
    "IntegerRun",
    "LayerCounts",
    "Weights",
    "dense_integers",
    "simulate",
]
