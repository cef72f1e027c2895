"""The device of a run: which one it is, its memory, and torch's settings while it trains."""

import contextlib
import ctypes
import platform
from collections.abc import Iterator

import torch

from netdesc import machine
from netdesc.data.randomness import seeded_rng
from netdesc.description import synonyms
from netdesc.description.models import Training
from netdesc.graph import Graph
from netdesc.graph.memory import estimate_memory, find_shortage
from netdesc.kernels.engines import EngineError, engine_name, torch_on_one_thread, use_engine
from netdesc.runs.errors import RunError
from netdesc.training.ranks import ALONE, Ranks

DEVICES = ("auto", "cpu", "cuda")

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""Parameters of ``mallopt``, from GNU's ``malloc.h``."""

_KEEP_ALL = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0}
"""Settings with which memory is never returned, also that of the largest tensors."""

_USUAL = {_TRIM_THRESHOLD: 64 << 20, _MMAP_THRESHOLD: 32 << 20, _MMAP_MAX: 65536}
"""Settings to which the C library adapts by itself in a program that frees large arrays."""


class MemoryShortageError(RunError):
    """Training needs more memory than the device has."""

    exit_code = 3


@contextlib.contextmanager
def use_device(name: str, engine: str, seed: int) -> Iterator[torch.device]:
    """Sets engine and seed for the block, and restores the settings after it. Yields the device.

    Raises EngineError if device or engine is not available.
    """
    threads = torch.get_num_threads()
    with contextlib.ExitStack() as stack:
        stack.enter_context(use_engine(engine))
        device = choose_device(name)
        stack.enter_context(seeded_rng(seed, device))
        stack.callback(torch.set_num_threads, threads)  # Numba changes torch's number of threads
        if engine_name(device) == "cpu":
            stack.enter_context(torch_on_one_thread())
            stack.enter_context(keep_freed_memory())
        yield device


def choose_device(name: str) -> torch.device:
    """Returns the device called ``name``; ``auto`` is the GPU if netdesc can use it, else the CPU.

    The engine must be chosen before (``use_engine``). Raises EngineError if the device
    does not exist or the engine does not run on it.
    """
    name = str(name)  # a torch.device becomes its name
    if name not in DEVICES:
        meant = synonyms.DEVICES.get(name.lower())
        hint = "" if meant is None else f'; did you mean "{meant}"?'
        names = ", ".join(DEVICES)
        raise EngineError(f'unknown device "{name}"; known are {names}{hint}')
    if name == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda is not None
        reason = "torch finds no usable GPU" if built else "this torch is built without CUDA"
        raise EngineError(f'the device "cuda" is not available: {reason}; use "cpu"')
    if name == "auto":
        name = "cpu"
        with contextlib.suppress(EngineError):
            if torch.cuda.is_available():
                engine_name(torch.device("cuda"))
                name = "cuda"
    engine_name(torch.device(name))  # raises EngineError if the engine does not run there
    return torch.device(name)


@contextlib.contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Within the block, freed memory stays in the process. After it, the system gets it back.

    Each step frees large tensors, and allocates tensors of the same sizes. GNU's C library returns
    their memory to the system at once, and takes it back page by page. For
    ``examples/fashion_conv.json`` that was a third of the time of a step at 128 samples a batch.
    With another C library, nothing changes. In other threads than the first one, GNU's keeps
    tensors of up to 64 MB only.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    for parameter, value in _KEEP_ALL.items():
        library.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


def require_memory(
    graph: Graph, training: Training, samples: int, device: torch.device, ranks: Ranks = ALONE
) -> None:
    """Raises MemoryShortageError if training needs more memory than is free on ``device``.

    ``samples`` is the number of training samples. The need is estimated (see ``graph.memory``).
    Free is what the GPU, or the machine within the limits of its container, can still give; the
    check is left out if the system does not tell it.
    """
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else machine.free_bytes()
    if free is None:
        return
    estimate = estimate_memory(graph, training, samples, ranks.size)
    subject = f"training {graph.name}"
    shortage = find_shortage(subject, estimate.needs, free, estimate.batch)
    if shortage is not None:
        raise MemoryShortageError(
            f"{'; '.join(shortage)}; --ignore-memory (in Python ignore_memory=True) trains "
            "nevertheless"
        )
