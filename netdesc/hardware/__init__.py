"""The device's arithmetic: networks run in exact integers, as the hardware computes them."""

from netdesc.hardware.integers import DenseIntegers, DeviceError, Weights, dense_integers
from netdesc.hardware.runner import IntegerRun, LayerCounts, simulate

__all__ = [
    "DenseIntegers",
    "DeviceError",
    "IntegerRun",
    "LayerCounts",
    "Weights",
    "dense_integers",
    "simulate",
]
