"""Decorators that compile the functions of kernels: faster, and without reference counts.

Numba counts the references to an array. Each use of an array in a tuple adds a reference and drops
it, with a function call each. In a time loop this happens at every step, and vectors cannot stay in
registers across the calls. This costs a tenth of a layer's time or more.

A kernel holds its arrays for as long as it runs, so the functions that it calls need not count
references. Such a function cannot create arrays: Numba refuses to compile it. Callers in Python
create the arrays. If kernels created them, Numba would also compile the error message for a wrong
shape, which takes a second.

Numba optimises a function and generates its machine code, and does both again, with the function
that calls it, for each caller in turn. Functions that only kernels call leave both to the kernel.
Without that, the backward pass of a neuron takes a third longer to compile.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _LinkedLibrary(JITCodeLibrary):
    """The code of a function that becomes part of the function that calls it, as Numba reads it."""

    def _optimize_final_module(self) -> None:
        """The caller is optimised with this function in it."""

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


class _Compiler(Compiler):
    """Numba's compiler, for functions that only compiled functions call."""

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, *others: Any) -> None:
        library = _LinkedLibrary(targetctx.codegen(), "linked")
        super().__init__(typingctx, targetctx, library, *others)


_NO_COUNTS: Any = {
    "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _Compiler, "_nrt": False
}  # fmt: skip
"""Leaves out what only Python and C could call, and counts of references."""

jit_no_refcount: Any = numba.njit(**_NO_COUNTS)
"""Compiles a function that only kernels call, without reference counts.

The options are not in Numba's manual. Without them the functions are slower, but compute the same.
"""

step_function: Any = numba.njit(forceinline=True, **_NO_COUNTS)
"""Compiles ``jit_no_refcount`` functions so that they become part of the loops that call them."""
