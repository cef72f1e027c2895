"""A work queue: each thread takes the next piece of work when it is free.

Cores are not equally fast: one is shared with another program or saves power, or its thread has to
wake first. If each thread had an equal share, all would wait for the slowest.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.runtime.simd import intrinsic


@intrinsic
def next_turn(context: Any, turns: Any) -> Any:
    """Returns ``turns[0]``, an int64, and adds 1 to it, atomically among threads."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(turns), build


@numba.njit(inline="always")
def piece_of(turn, pieces, threads):
    """The piece of work of a turn; the pieces of neighbouring turns are far apart.

    Neighbouring vectors of neurons share cache lines, or lie in lines that are fetched in pairs.
    Two cores that write to them at the same time slow each other down.
    """
    each, more = pieces // threads, pieces % threads
    of_thread, part = turn // threads, turn % threads
    return part * each + min(part, more) + of_thread
