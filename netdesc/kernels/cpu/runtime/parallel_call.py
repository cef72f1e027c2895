"""Calls a compiled function on all of Numba's threads.

Numba's own ``prange`` takes a second longer to compile than the loop in it, because the loop is
compiled four times, each time with more code around it. So kernels pass a function and its
arguments to Numba's threads by themselves.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

from netdesc.kernels.cpu.runtime.denormals import build_flush, build_restore
from netdesc.kernels.cpu.runtime.simd import intrinsic

_BYTES, _INT, _INTEGER = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)
_ITEM = ir.FunctionType(
    ir.VoidType(), [_BYTES.as_pointer(), _INTEGER.as_pointer(), _INTEGER.as_pointer(), _BYTES]
)
"""What a thread calls: addresses, counts and strides of arrays, and the address of the arguments.

There is one array, without memory, whose elements take a byte. So its address is the number of the
first item; the first count is the number of items.
"""


@intrinsic
def thread_count(context: Any) -> Any:
    """Returns the number of Numba's threads. Numba could not cache its own ``get_num_threads``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_INT, [])
        count = cgutils.get_or_insert_function(builder.module, kind, "get_num_threads")
        return builder.sext(builder.call(count, []), _INTEGER)

    return types.int64(), build


def on_threads_of(function: Any) -> Any:
    """Builds a function that calls ``function(*arguments, thread)`` for each number of a thread.

    The built function is called in compiled code with the number of threads and the tuple
    ``arguments``. ``function`` is compiled without reference counts (see ``jit_no_refcount``). The
    threads round denormal floats to 0.
    """

    @intrinsic
    def call(context: Any, threads: Any, arguments: Any) -> Any:
        numba.get_num_threads()  # starts Numba's threads, which compiled code needs
        compiled = function.get_compile_result(types.void(*arguments, types.int64))

        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            context.active_code_library.add_linking_library(compiled.library)
            memory = cgutils.alloca_once_value(builder, values[1])
            item = _item_of(context, builder.module, compiled, memory.type)
            none = ir.Constant(_INTEGER, 0)
            addresses = cgutils.alloca_once_value(builder, builder.inttoptr(none, _BYTES))
            counts = cgutils.alloca_once_value(builder, values[0])
            strides = cgutils.alloca_once_value(builder, ir.Constant(_INTEGER, 1))
            places = [item, addresses, counts, strides, memory]
            run = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [_BYTES] * 5 + [_INTEGER] * 3),
                "numba_parallel_for",
            )
            arrays = ir.Constant(_INTEGER, 1)
            pointers = [builder.bitcast(each, _BYTES) for each in places]
            builder.call(run, [*pointers, none, arrays, values[0]])
            return context.get_dummy_value()

        return types.void(types.int64, arguments), build

    return call


def _item_of(context: Any, module: Any, compiled: Any, memory: ir.Type) -> Any:
    """Adds the function that threads call to a module."""
    name = f"{compiled.fndesc.mangled_name}.items"
    item = ir.Function(module, _ITEM, module.get_unique_name(name))
    item.linkage = "internal"
    builder = ir.IRBuilder(item.append_basic_block("entry"))
    addresses, counts, _, place = item.args
    first = builder.ptrtoint(builder.load(addresses), _INTEGER)
    arguments = builder.load(builder.bitcast(place, memory))
    function = context.declare_function(module, compiled.fndesc)
    control = build_flush(builder)
    with cgutils.for_range(builder, builder.load(counts)) as loop:
        context.call_conv.call_function(
            builder, function, types.none, compiled.signature.args,
            [*cgutils.unpack_tuple(builder, arguments), builder.add(first, loop.index)],
        )  # fmt: skip
    build_restore(builder, control)
    builder.ret_void()
    return item
