"""Builds pieces of LLVM code: functions, memory, tuples, and the rounding of denormal floats.

Arithmetic on denormal floats is up to 100 times slower. Gradients shrink from step to step, so many
would become denormal, which is below 1e-38. Each thread has a control register with bits that make
it round denormal floats to 0. The thread restores it after a kernel, because the program that has
called the kernel may need denormal floats.
"""

import platform
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

_BYTES, _INT32, _INT64 = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)

_X86, _ARM = 0x8040, 1 << 24
"""The bits of MXCSR or FPCR that make denormal operands and results 0."""

_BITS = {"x86_64": _X86, "AMD64": _X86, "aarch64": _ARM, "arm64": _ARM}.get(platform.machine(), 0)


def declare(module: Any, name: str, result: ir.Type, arguments: Sequence[ir.Type]) -> Any:
    """Returns the function of this name, which is declared in ``module`` unless it is there."""
    known = module.globals.get(name)
    return ir.Function(module, ir.FunctionType(result, arguments), name) if known is None else known


def unpack_tuple(builder: Any, values: Any) -> list[Any]:
    """Returns the values of a tuple."""
    return [builder.extract_value(values, at) for at in range(len(values.type.elements))]


def on_stack(builder: Any, kind: ir.Type) -> Any:
    """Returns a pointer to memory on the stack, which a loop does not allocate again."""
    with builder.goto_entry_block():
        return builder.alloca(kind)


def store_on_stack(builder: Any, value: Any) -> Any:
    """Returns a pointer to ``value`` in memory on the stack."""
    pointer = on_stack(builder, value.type)
    builder.store(value, pointer)
    return pointer


def _call_x86(builder: Any, name: str, pointer: Any) -> None:
    function = declare(builder.module, f"llvm.x86.sse.{name}", ir.VoidType(), [_BYTES])
    builder.call(function, [builder.bitcast(pointer, _BYTES)])


def build_flush(builder: Any) -> Any:
    """Builds code that begins to flush denormals; returns what the register held, an int64."""
    if _BITS == _X86:
        pointer = on_stack(builder, _INT32)
        _call_x86(builder, "stmxcsr", pointer)
        control = builder.zext(builder.load(pointer), _INT64)
    elif _BITS == _ARM:
        control = builder.asm(ir.FunctionType(_INT64, []), "mrs $0, fpcr", "=r", [], True)
    else:
        return _INT64(0)
    build_restore(builder, builder.or_(control, _INT64(_BITS)))
    return control


def build_restore(builder: Any, control: Any) -> None:
    """Builds code that sets the register to ``control``, an int64."""
    if _BITS == _X86:
        pointer = store_on_stack(builder, builder.trunc(control, _INT32))
        _call_x86(builder, "ldmxcsr", pointer)
    elif _BITS == _ARM:
        kind = ir.FunctionType(ir.VoidType(), [_INT64])
        builder.asm(kind, "msr fpcr, $0", "r", [control], True)
