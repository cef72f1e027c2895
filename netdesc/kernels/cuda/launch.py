"""Starts kernels on the device of their tensors, and chooses the size of their blocks.

No result of a time loop depends on the size of its blocks. So the fastest size is measured, once
for each shape, before a step is captured as a CUDA graph.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

import torch
import triton

from netdesc.kernels.engines import EngineError

STEPS_PER_LOAD = 8
"""Number of steps whose inputs are loaded together.

The latency of one load is as long as the computation of many steps.
"""

_WARP = 32
_MAX_ONE_WARP_COLUMNS = 1 << 15
"""Largest number of columns for which a program has one warp.

With more columns, there would be more programs of one warp than can run at the same time.
"""

P = ParamSpec("P")
R = TypeVar("R")


@triton.jit
def _empty_kernel():
    pass


IS_INTERPRETED = not isinstance(_empty_kernel, triton.JITFunction)
"""Whether Triton interprets the kernels; decided when this module is imported."""


def on_tensor_device(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function that starts kernels: runs it on the device of its first tensor.

    The function raises EngineError for CPU tensors unless Triton interprets the kernels.
    """

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        tensor = _first_tensor(args)
        if tensor.device.type == "cpu" and not IS_INTERPRETED:
            raise EngineError(
                "engine 'cuda' cannot run: TRITON_INTERPRET=1 was set after its kernels were "
                "loaded; set it before Python starts"
            )
        with torch.cuda.device_of(tensor):
            return function(*args, **kwargs)

    return guarded


_BLOCK_SIZES = (_WARP, 2 * _WARP, 4 * _WARP)
_TIMED_RUNS = 5

_fastest: dict[tuple[Any, ...], int] = {}
"""Maps a kernel, its columns, device and constants to the fastest block size."""


def start_programs(kernel: Any, grid: tuple[int, ...], *args: Any, **constants: Any) -> None:
    """Starts ``kernel`` with a program for each point of ``grid``.

    Products and sums of floats become one instruction, which rounds once.
    """
    kernel[grid](*args, **constants, enable_fp_fusion=True)


def start_time_loop(
    kernel: Any, columns: int, *args: Any, added_to: tuple[torch.Tensor, ...] = (), **constants: Any
) -> None:
    """Starts a kernel that computes all steps of ``columns`` columns.

    ``added_to`` are tensors of zeros to which the kernel adds. They are zeroed again after a
    measurement, because the measured runs add to them.
    """

    def run(width: int) -> None:
        grid = (triton.cdiv(columns, width),)
        sizes = {"STEPS_PER_LOAD": STEPS_PER_LOAD, "BLOCK": width, "num_warps": width // _WARP}
        start_programs(kernel, grid, *args, **constants, **sizes)

    key = (kernel, columns, _first_tensor(args).device, tuple(constants.items()))
    if key not in _fastest and _can_measure():
        _fastest[key] = min(_BLOCK_SIZES, key=lambda size: _milliseconds(lambda: run(size)))
        for tensor in added_to:
            tensor.zero_()
    # With few columns per program there are more programs, which occupy more multiprocessors.
    run(_fastest.get(key, _WARP if columns <= _MAX_ONE_WARP_COLUMNS else 4 * _WARP))


def _first_tensor(args: Iterable[Any]) -> torch.Tensor:
    flat = (each for arg in args for each in (arg if isinstance(arg, list | tuple) else (arg,)))
    return next(each for each in flat if isinstance(each, torch.Tensor))


def _can_measure() -> bool:
    """Not if Triton interprets the kernels, or while a CUDA graph is captured."""
    return not IS_INTERPRETED and not torch.cuda.is_current_stream_capturing()


def _milliseconds(run: Callable[[], object]) -> float:
    """Returns the time of ``_TIMED_RUNS`` runs on the GPU, after one run that compiles."""
    run()
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    for _ in range(_TIMED_RUNS):
        run()
    after.record()
    after.synchronize()
    return before.elapsed_time(after)
