"""Work that threads take piece by piece, each when it is free.

Cores are not equally fast: one shares its arithmetic with another program, or is of the kind that
saves power, and a thread may have to wake first. In equal shares all wait for the slowest.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.lanes import intrinsic


@intrinsic
def next_turn(context: Any, turns: Any) -> Any:
    """``turns[0]``, an int64 that is 1 larger for whoever asks next, in this thread or another."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(turns), build


@numba.njit(inline="always")
def piece_of(turn, pieces, threads):
    """The piece of work that is done in a turn, so that threads are far apart.

    Neighbouring vectors of neurons lie in the same cache lines, or in such as are fetched in pairs:
    two cores that write them at once take them from each other.
    """
    each, more = pieces // threads, pieces % threads
    of_thread, part = turn // threads, turn % threads
    return part * each + min(part, more) + of_thread
