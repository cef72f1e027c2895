"""Checks whether the CUDA engine can run on this machine, and says what to do if it cannot."""

import functools
import os
import re

import torch

from netdesc.kernels.cache_folder import choose_triton_folder

MIN_CAPABILITY = (7, 5)
"""Compute capability of the oldest GPUs (Turing) for which the kernels are known to compile."""

MIN_TRITON = (3, 3)
"""The first version of Triton with tuples in kernels; torch 2.7 installs it."""


def is_interpreted() -> bool:
    """Whether Triton interprets kernels on the CPU instead of compiling them for a GPU."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes")


def why_unavailable(device: torch.device) -> str | None:
    """Returns why the engine cannot compute on ``device`` and what to do; None if it can."""
    if device.type == "cpu" and not is_interpreted():
        return _gpu_problem() or "it computes on device 'cuda', but the tensors are on 'cpu'"
    return _triton_problem() or (_card_problem(device) if device.type == "cuda" else None)


def _gpu_problem() -> str | None:
    if torch.version.cuda is None:
        return (
            "this torch is built without CUDA; install one with CUDA, "
            "see https://pytorch.org/get-started/locally"
        )
    if not torch.cuda.is_available():
        return "torch finds no usable NVIDIA GPU; nvidia-smi shows whether the driver finds one"
    return None


@functools.cache
def _triton_problem() -> str | None:
    """Triton is imported here, because the other engines do not need it."""
    choose_triton_folder()
    try:
        import triton
    except ModuleNotFoundError:
        return "it needs Triton, which is not installed: pip install triton (on Linux)"
    except ImportError as error:
        return f"Triton cannot be loaded ({error}): pip install --force-reinstall triton"
    version = tuple(map(int, re.findall(r"\d+", triton.__version__)[:2]))
    if version >= MIN_TRITON:
        return None
    return f"it needs Triton 3.3 or later, not {triton.__version__}: pip install --upgrade torch"


@functools.cache
def _card_problem(device: torch.device) -> str | None:
    if (missing := _gpu_problem()) is not None:
        return missing
    capability = torch.cuda.get_device_capability(device)
    if capability >= MIN_CAPABILITY:
        return None
    major, minor = MIN_CAPABILITY
    return (
        f"it needs a GPU of compute capability {major}.{minor} or more, and "
        f"{torch.cuda.get_device_name(device)} has {capability[0]}.{capability[1]}"
    )
