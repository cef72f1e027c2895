"""Compiles the time loops of kernels without reference counts.

Numba counts the references to an array. Each use of an array in a tuple adds a reference and drops
it, with a function call each, and does so in every time step where a loop stands between the two.
Vectors cannot stay in registers across these calls, which took a tenth of a layer's time or more.

A kernel holds its arrays for as long as it runs, so the functions that it calls need not count
them. Such a function cannot make arrays: Numba refuses to compile it.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core.cpu import CPUTargetOptions

_OPTIONS: Any = {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {}

inner: Any = numba.njit(**_OPTIONS)
"""Compiles a function like ``numba.njit``, to be called by kernels alone.

The option is not in Numba's manual. Without it the functions are slower, but compute the same.
"""
