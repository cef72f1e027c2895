"""Chooses the device of a run."""

from __future__ import annotations

import contextlib

import torch

from netdesc.description import synonyms
from netdesc.kernels.engine import EngineError, engine_name
from netdesc.training.errors import DeviceUnavailableError

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """Returns the device called ``name``; ``auto`` is the GPU if netdesc can use it, else the CPU.

    The engine must be chosen before (``use_engine``). Raises DeviceUnavailableError if the device
    does not exist or the engine does not run on it.
    """
    name = str(name)  # a torch.device becomes its name
    if name not in DEVICES:
        meant = synonyms.DEVICES.get(name.lower())
        hint = "" if meant is None else f'; did you mean "{meant}"?'
        known = ", ".join(DEVICES)
        raise DeviceUnavailableError(f'unknown device "{name}"; known are {known}{hint}')
    if name == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda is not None
        reason = "torch finds no usable GPU" if built else "this torch is built without CUDA"
        raise DeviceUnavailableError(f'the device "cuda" is not available: {reason}; use "cpu"')
    if name == "auto":
        name = "cpu"
        with contextlib.suppress(EngineError):
            if torch.cuda.is_available():
                engine_name(torch.device("cuda"))
                name = "cuda"
    try:
        engine_name(torch.device(name))
    except EngineError as error:
        raise DeviceUnavailableError(str(error)) from error
    return torch.device(name)
