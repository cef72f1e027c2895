"""Makes threads round denormal floats to 0, because arithmetic on them is up to 100 times slower.

Gradients shrink from step to step, so many would become denormal, which is below 1e-38. Each thread
has a control register with bits for this. The thread restores it after a kernel, because the
program that has called the kernel may need denormal floats.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba.core import cgutils

_BYTES, _INT32, _INT64 = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)

_X86, _ARM = 0x8040, 1 << 24
"""The bits of MXCSR or FPCR that make denormal operands and results 0."""

_BITS = {"x86_64": _X86, "AMD64": _X86, "aarch64": _ARM, "arm64": _ARM}.get(platform.machine(), 0)


def _call_x86(builder: Any, name: str, place: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [_BYTES])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}")
    builder.call(function, [builder.bitcast(place, _BYTES)])


def build_flush(builder: Any) -> Any:
    """Builds code that begins to flush denormals; returns what the register held, an int64."""
    if _BITS == _X86:
        place = cgutils.alloca_once(builder, _INT32)
        _call_x86(builder, "stmxcsr", place)
        control = builder.zext(builder.load(place), _INT64)
    elif _BITS == _ARM:
        control = builder.asm(ir.FunctionType(_INT64, []), "mrs $0, fpcr", "=r", [], True)
    else:
        return _INT64(0)
    build_restore(builder, builder.or_(control, _INT64(_BITS)))
    return control


def build_restore(builder: Any, control: Any) -> None:
    """Builds code that sets the register to ``control``, an int64."""
    if _BITS == _X86:
        place = cgutils.alloca_once_value(builder, builder.trunc(control, _INT32))
        _call_x86(builder, "ldmxcsr", place)
    elif _BITS == _ARM:
        kind = ir.FunctionType(ir.VoidType(), [_INT64])
        builder.asm(kind, "msr fpcr, $0", "r", [control], True)
