"""An atomic work queue: each thread takes the next item when it is free.

Cores are not equally fast: one may be shared with another program or save power, and a thread may
have to wake first. If all threads had equal shares, they would wait for the slowest.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types

from netdesc.kernels.cpu.runtime.simd import intrinsic


@intrinsic
def next_position(context: Any, queue: Any) -> Any:
    """Returns ``queue[0]``, an int64, and adds 1 to it, atomically among threads."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counter = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", counter, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(queue), build


@numba.njit(inline="always")
def item_at(position, items, threads):
    """Returns the item at a position of the queue; neighbouring positions get distant items.

    Neighbouring vectors of neurons share cache lines, or lie in lines that are fetched in pairs.
    Two cores that write to them at the same time slow each other down.
    """
    each, more = items // threads, items % threads
    part, index = position % threads, position // threads
    return part * each + min(part, more) + index
