"""What kernels use of Numba beyond its documented interface, in the versions that are required.

- **Reference counts.** Numba counts the references to an array. Each use of an array in a tuple
  adds a reference and drops it, with a function call each. In a time loop this happens at every
  step, and vectors cannot stay in registers across the calls. This costs a tenth of a layer's time
  or more. A kernel holds its arrays for as long as it runs, so the functions that it calls need not
  count references. Such a function cannot create arrays: callers in Python do.
- **Code of functions that only kernels call.** Numba optimises a function and generates its machine
  code, and does both again, with the function that calls it, for each caller in turn. These
  functions leave both to the kernel. Otherwise a backward pass takes a third longer to compile.
- **Threads.** Numba's ``prange`` takes a second longer to compile than the loop in it, because the
  loop is compiled four times, each time with more code around it. So kernels pass a function and
  its arguments to Numba's threads by themselves.
- **The cache.** Numba's has an index file for each function. Of two processes that write it at
  once, one may get the other's kernel. So each signature has a file of its own.
"""

import contextlib
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import caching, codegen, compiler, event, serialize
from numba.np.ufunc import parallel

from netdesc.kernels.cache_folder import read_checked, write_checked
from netdesc.kernels.cpu.runtime.llvm_code import (
    build_flush,
    build_restore,
    declare,
    store_on_stack,
    unpack_tuple,
)
from netdesc.kernels.cpu.runtime.simd import intrinsic

_BYTES, _INT, _INTEGER = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)
_ITEM = ir.FunctionType(
    ir.VoidType(), [_BYTES.as_pointer(), _INTEGER.as_pointer(), _INTEGER.as_pointer(), _BYTES]
)
"""What a thread calls: addresses, counts and strides of arrays, and the address of the arguments.

There is one array, without memory, whose elements take a byte. So its address is the number of the
first item; the first count is the number of items.
"""


class _LinkedLibrary(codegen.JITCodeLibrary):
    """The code of a function that becomes part of the function that calls it, as Numba reads it."""

    def _optimize_functions(self, ll_module: Any) -> None:
        """The caller is optimised with this function in it."""
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        """See above."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True  # machine code is that of the caller

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, env_name: str, env: Any) -> None:
        """There is no machine code that could read the environment."""


class _Compiler(compiler.Compiler):
    def __init__(self, typingctx: Any, targetctx: Any, library: Any, *others: Any) -> None:
        library = _LinkedLibrary(targetctx.codegen(), "linked")
        super().__init__(typingctx, targetctx, library, *others)


_NO_COUNTS: Any = {
    "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _Compiler, "_nrt": False
}  # fmt: skip
"""Leaves out what only Python and C could call, and counts of references."""

jit_no_refcount: Any = numba.njit(**_NO_COUNTS)
"""Compiles a function that only kernels call, without reference counts."""

step_function: Any = numba.njit(forceinline=True, **_NO_COUNTS)
"""Compiles ``jit_no_refcount`` functions so that they become part of the loops that call them."""


class KernelCache(caching.NullCache):
    """The cache of a kernel. Where a file is missing, damaged or cannot be written, it compiles.

    Files have the path ``prefix`` with a hash of the signature and of ``facts``, on which compiled
    code depends.
    """

    begun = 0
    """The number of kernels of this process that were looked up here, and compiled if missing."""

    def __init__(self, prefix: Path, facts: str) -> None:
        self._prefix, self._facts = prefix, facts

    def _path(self, signature: Any) -> Path:
        digest = hashlib.sha256(f"{self._facts} {signature}".encode()).hexdigest()
        return self._prefix.with_name(f"{self._prefix.name}.{digest[:24]}.nbc")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Returns the compiled kernel for a signature, None if there is none to load."""
        numba.get_num_threads()  # starts Numba's threads, which compiled code needs
        KernelCache.begun += 1
        target_context.refresh()
        content = read_checked(self._path(sig))
        return content and compiler.CompileResult._rebuild(target_context, *pickle.loads(content))

    def save_overload(self, sig: Any, cres: Any) -> None:
        """Saves a compiled kernel if the folder can be written and is not full."""
        write_checked(self._path(sig), serialize.dumps(cres._reduce()))


def call_while_compiling(call: Callable[[int], None]) -> contextlib.AbstractContextManager[object]:
    """Within the block, calls ``call`` before each pass of Numba's compiler.

    The argument is the number of the kernel in this block, from 1. To stop, ``call`` raises an
    exception: unlike an exception of a signal's handler, it leaves no lock of the compiler taken.
    """
    before = KernelCache.begun

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            call(KernelCache.begun - before)

        def on_end(self, event: Any) -> None: ...

    return event.install_listener("numba:run_pass", Listener())


def thread_count_reader() -> Callable[[], int]:
    """Returns what reads the number of Numba's threads, once they were started.

    Numba's own ``get_num_threads`` takes two locks of processes first.
    """
    return getattr(parallel, "_get_num_threads", None) or numba.get_num_threads


@intrinsic
def thread_count(context: Any) -> Any:
    """Returns the number of Numba's threads. Numba could not cache its own ``get_num_threads``."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count = declare(builder.module, "get_num_threads", _INT, [])
        return builder.sext(builder.call(count, []), _INTEGER)

    return types.int64(), build


def on_threads_of(function: Any) -> Any:
    """Builds a function that calls ``function(*arguments, thread)`` for each number of a thread.

    The built function is called in compiled code with the number of threads and the tuple
    ``arguments``. ``function`` is compiled by ``jit_no_refcount``. The threads round denormal
    floats to 0.
    """

    @intrinsic
    def call(context: Any, threads: Any, arguments: Any) -> Any:
        numba.get_num_threads()  # starts Numba's threads, which compiled code needs
        compiled = function.get_compile_result(types.void(*arguments, types.int64))

        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            context.active_code_library.add_linking_library(compiled.library)
            memory = store_on_stack(builder, values[1])
            item = _item_of(context, builder.module, compiled, memory.type)
            none = ir.Constant(_INTEGER, 0)
            addresses = store_on_stack(builder, builder.inttoptr(none, _BYTES))
            counts = store_on_stack(builder, values[0])
            strides = store_on_stack(builder, ir.Constant(_INTEGER, 1))
            kinds = [_BYTES] * 5 + [_INTEGER] * 3
            run = declare(builder.module, "numba_parallel_for", ir.VoidType(), kinds)
            parts = item, addresses, counts, strides, memory
            pointers = [builder.bitcast(part, _BYTES) for part in parts]
            builder.call(run, [*pointers, none, ir.Constant(_INTEGER, 1), values[0]])
            return context.get_dummy_value()

        return types.void(types.int64, arguments), build

    return call


def _item_of(context: Any, module: Any, compiled: Any, memory: ir.Type) -> Any:
    """Adds the function that threads call to a module."""
    name = f"{compiled.fndesc.mangled_name}.items"
    item = ir.Function(module, _ITEM, module.get_unique_name(name))
    item.linkage = "internal"
    builder = ir.IRBuilder(item.append_basic_block("entry"))
    addresses, counts, _, packed = item.args
    first = builder.ptrtoint(builder.load(addresses), _INTEGER)
    end = builder.add(first, builder.load(counts))
    arguments = unpack_tuple(builder, builder.load(builder.bitcast(packed, memory)))
    function = context.declare_function(module, compiled.fndesc)
    control = build_flush(builder)
    number = store_on_stack(builder, first)
    test, body, after = (builder.append_basic_block(each) for each in ("test", "body", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    thread = builder.load(number)
    builder.cbranch(builder.icmp_signed("<", thread, end), body, after)
    builder.position_at_end(body)
    context.call_conv.call_function(
        builder, function, types.none, compiled.signature.args, [*arguments, thread]
    )
    builder.store(builder.add(thread, _INTEGER(1)), number)
    builder.branch(test)
    builder.position_at_end(after)
    build_restore(builder, control)
    builder.ret_void()
    return item
