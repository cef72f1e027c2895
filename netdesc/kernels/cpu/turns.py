"""Work that threads take piece by piece, each when it is free.

Cores are not equally fast: one shares its arithmetic with another program, or is of the kind that
saves power, and a thread may have to wake first. In equal shares all wait for the slowest.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.lanes import intrinsic


@intrinsic
def next_turn(context: Any, turns: Any) -> Any:
    """``turns[0]``, an int64 that is 1 larger for whoever asks next, in this thread or another."""

    def build(context: Any, builder: Any, made: Any, given: Any) -> Any:
        place = context.make_array(made.args[0])(context, builder, given[0]).data
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(turns), build
