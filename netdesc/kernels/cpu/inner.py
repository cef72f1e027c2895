"""Functions that walk through all steps for a kernel, compiled without reference counts.

Numba counts who holds an array, and what takes it from a tuple is one more: 1 is added and
subtracted, a call each, in every time step. It leaves that out where it sees that the two cancel,
but not where there is a loop between them. No register keeps a vector across the calls: they took
a tenth of a last layer's time, and half as long again where arrays were counted indeed.

A kernel holds its arrays for as long as it runs. What it calls need not count them, and cannot make
arrays of its own: Numba refuses to compile that.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core.cpu import CPUTargetOptions

_OPTIONS: Any = {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {}

inner: Any = numba.njit(**_OPTIONS)
"""Compiles a function like ``numba.njit``, to be called by kernels alone.

Numba may rename or drop the option, which is not in its manual: such functions are slower then.
"""
