"""The device's arithmetic: networks run in exact integers, as the hardware computes them."""

from netdesc.hardware.runner import IntegerRun, LayerCounts, run_integer, simulate

__all__ = ["IntegerRun", "LayerCounts", "run_integer", "simulate"]
