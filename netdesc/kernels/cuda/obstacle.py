"""Whether the CUDA engine can run here, and what to do where it cannot. Loads no Triton."""

from __future__ import annotations

import functools
import importlib.util
import os

import torch

OLDEST_CAPABILITY = (7, 5)
"""Compute capability of the oldest GPUs (Turing) for which the kernels are known to compile."""


def is_interpreted() -> bool:
    """Whether Triton interprets kernels on the CPU instead of compiling them for a GPU."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes")


def obstacle(device: torch.device) -> str | None:
    """Why the engine cannot compute on ``device``, ``cuda`` or ``cpu``, with the way out."""
    if device.type == "cpu" and not is_interpreted():
        return _gpu() or "it computes on device 'cuda', but the tensors are on 'cpu'"
    if not _has_triton():
        return "it needs Triton, which is not installed: pip install triton (on Linux)"
    return None if device.type == "cpu" else _too_old(device)


def _gpu() -> str | None:
    """What is missing for any GPU to be used."""
    if torch.version.cuda is None:
        return (
            "this torch is built without CUDA; install one that is, "
            "see https://pytorch.org/get-started/locally"
        )
    if not torch.cuda.is_available():
        return "torch finds no usable NVIDIA GPU; nvidia-smi tells whether its driver does"
    return None


@functools.cache
def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def _too_old(device: torch.device) -> str | None:
    missing = _gpu()
    if missing is not None:
        return missing
    capability = torch.cuda.get_device_capability(device)
    if capability >= OLDEST_CAPABILITY:
        return None
    major, minor = OLDEST_CAPABILITY
    return (
        f"it needs a GPU of compute capability {major}.{minor} or more, and "
        f"{torch.cuda.get_device_name(device)} has {capability[0]}.{capability[1]}"
    )
