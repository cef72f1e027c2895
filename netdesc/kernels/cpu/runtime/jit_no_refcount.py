"""A decorator that compiles the time loops of kernels without reference counts.

Numba counts the references to an array. Each use of an array in a tuple adds a reference and drops
it, with a function call each. In a time loop this happens at every step, and vectors cannot stay in
registers across the calls. This costs a tenth of a layer's time or more.

A kernel holds its arrays for as long as it runs, so the functions that it calls need not count
references. Such a function cannot create arrays: Numba refuses to compile it.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core.cpu import CPUTargetOptions

_OPTIONS: Any = {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {}

_CALLED_BY_KERNELS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Leaves out what only Python and C could call, which takes a third of the compilation."""

jit_no_refcount: Any = numba.njit(**_CALLED_BY_KERNELS, **_OPTIONS)
"""Compiles a function that only kernels call, like ``numba.njit`` but without reference counts.

The options are not in Numba's manual. Without them the functions are slower, but compute the same.
"""

step_function: Any = numba.njit(forceinline=True, **_CALLED_BY_KERNELS, **_OPTIONS)
"""Compiles ``jit_no_refcount`` functions so that they become part of the loops that call them."""
