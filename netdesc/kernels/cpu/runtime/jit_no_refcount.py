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

jit_no_refcount: Any = numba.njit(**_OPTIONS)
"""Compiles a function that only kernels call, like ``numba.njit`` but without reference counts.

The option is not in Numba's manual. Without it the functions are slower, but compute the same.
"""
