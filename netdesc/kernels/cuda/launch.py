"""How the kernels are started: on which device, and in blocks of which size.

Where the size of a block decides in which order numbers are added up, it follows from the shapes
alone: the same tensors give the same sums on every run. Where it decides nothing but speed, the
fastest is found by trying, once for a shape, before a step is captured as a CUDA graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
import triton

from netdesc.kernels.engine import EngineError

AHEAD = 8
"""Steps whose inputs are loaded together: a load takes as long as the arithmetic of many steps."""

_WARP = 32
_MANY_COLUMNS = 1 << 15
"""From here on programs of one warp are more than a GPU runs at a time."""

P = ParamSpec("P")
R = TypeVar("R")


@triton.jit
def _nothing():
    pass


IS_INTERPRETED = not isinstance(_nothing, triton.JITFunction)
"""Whether kernels were made for Triton's interpreter; decided when this module is loaded."""


def on_its_device(function: Callable[P, R]) -> Callable[P, R]:
    """Kernels start on the current device, so make it the one of the first tensor."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        tensor = next(each for each in args if isinstance(each, torch.Tensor))
        if tensor.device.type == "cpu" and not IS_INTERPRETED:
            raise EngineError(
                "engine 'cuda' cannot run: TRITON_INTERPRET=1 was set after its kernels were made; "
                "set it before Python starts"
            )
        with torch.cuda.device_of(tensor):
            return function(*args, **kwargs)

    return guarded


def check_device(signal: torch.Tensor, name: str, value: torch.Tensor) -> None:
    """A kernel would read memory of another device, or crash."""
    if value.device != signal.device:
        raise ValueError(f"{name} is on device '{value.device}', the signal on '{signal.device}'")


@functools.cache
def number(value: float, device: torch.device) -> torch.Tensor:
    """A float32 number on the device, made once: it has to be copied there, which waits."""
    return torch.tensor(value, dtype=torch.float32, device=device)


def block(columns: int) -> int:
    """How many columns a program walks, a lane each; few, so that every multiprocessor has some."""
    return _WARP if columns <= _MANY_COLUMNS else 4 * _WARP


_WIDTHS = (_WARP, 2 * _WARP, 4 * _WARP)
_TRIES = 5

_fastest: dict[tuple[Any, ...], int] = {}
"""The width of a block by what is walked."""


def start(kernel: Any, grid: tuple[int, ...], *args: Any, **constants: Any) -> None:
    """Start a kernel as ``grid`` programs."""
    kernel[grid](*args, **constants)


def walk(
    kernel: Any,
    columns: int,
    *args: Any,
    width: int | None = None,
    added_to: tuple[torch.Tensor, ...] = (),
    **constants: Any,
) -> None:
    """Start a kernel that walks all steps, with as many programs as ``columns`` take.

    ``width`` is a block's, where the results depend on it; else the fastest is taken. Tensors that
    the kernel adds to, from 0 on, are named in ``added_to``: trying would add to them, too.
    """

    def run(width: int) -> None:
        grid = (triton.cdiv(columns, width),)
        start(kernel, grid, *args, **constants, BLOCK=width, num_warps=width // _WARP)

    if width is not None:
        run(width)
        return
    key = (kernel, columns, _place(args), tuple(constants.items()))
    if key not in _fastest and _can_try():
        _fastest[key] = min(_WIDTHS, key=lambda each: _milliseconds(lambda: run(each)))
        for tensor in added_to:
            tensor.zero_()
    run(_fastest.get(key, block(columns)))


def _place(args: tuple[Any, ...]) -> torch.device:
    return next(each.device for each in args if isinstance(each, torch.Tensor))


def _can_try() -> bool:
    """Not in the interpreter, where time says nothing, nor while a graph is captured."""
    return not IS_INTERPRETED and not torch.cuda.is_current_stream_capturing()


def _milliseconds(run: Callable[[], object]) -> float:
    """How long it takes on the GPU, without the compilation."""
    run()
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    for _ in range(_TRIES):
        run()
    after.record()
    after.synchronize()
    return before.elapsed_time(after)
