"""What ``netdesc doctor`` tries out, in a process of its own, which a broken package may end.

``python -m netdesc.probes NAME...`` tries one thing after another and prints a line of JSON for
each that works. Nothing is caught here: the process that started this one reads what it died of,
and starts another for the rest.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Found = dict[str, Any]

IMPORT = "import "
"""Begins the name of a probe that imports a module."""


def _threads() -> Found:
    import numba
    import torch

    return {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()}


def _cuda() -> Found:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {
        "built_for": torch.version.cuda,
        "devices": [torch.cuda.get_device_name(number) for number in range(count)],
    }


def _reference() -> Found:
    loss, *_ = _training_step("reference")
    assert loss > 0, "the neurons of the reference stay silent"
    return {}


def _kernels() -> Found:
    """Where compiled kernels are kept, and how many of those that training takes are there."""
    kernels = _training_kernels()
    folder = Path(kernels[0].stats.cache_path)
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    return {
        "folder": str(folder),
        "writable": os.access(nearest, os.W_OK),
        "kept": sum(map(_is_kept, kernels)),
        "kernels": len(kernels),
    }


def _cpu() -> Found:
    """Compares with the reference: a training step, or one small kernel where none is compiled."""
    import torch

    whole = all(map(_is_kept, _training_kernels()))
    expected = _training_step("reference") if whole else _leak("reference")
    began = time.perf_counter()
    ours = _training_step("cpu") if whole else _leak("cpu")
    seconds = time.perf_counter() - began
    for one, other in zip(ours, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6), "differs from the reference"
    return {"seconds": round(seconds, 2), "whole": whole}


def _cuda_engine() -> Found:
    """Compares a training step with the reference, where the engine can run."""
    import torch

    from netdesc.kernels.cuda.obstacle import is_interpreted, obstacle

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reason = obstacle(device)
    if reason is not None:
        return {"obstacle": reason}
    ours = _training_step("cuda", device.type)
    for one, other in zip(ours, _training_step("reference"), strict=True):
        assert torch.allclose(one.cpu(), other, rtol=1e-4, atol=1e-6), "differs from the reference"
    return {"interpreted": is_interpreted()}


def _given() -> tuple[Any, list[Any], Any, tuple[Any, ...]]:
    """Input spikes, the weights of two layers, wanted spikes, and what neurons have in common."""
    import torch

    random = torch.Generator().manual_seed(0)
    spikes_TBI = (torch.rand(40, 2, 12, generator=random) < 0.08).float()
    weights = [torch.randn(shape, generator=random) for shape in ((8, 12), (40, 8))]
    decay, no_bias = torch.tensor(0.3), torch.empty(0)
    return (
        spikes_TBI,
        weights,
        torch.zeros(40, 2, 40),
        (decay, decay, no_bias, 0.5, 1.0, 1.0, True),
    )


_FILTER = 0.6, 1, 100


def _training_step(engine: str, device: str = "cpu") -> list[Any]:
    """The loss of a few neurons, and the gradients of their weights."""
    from netdesc.kernels import operators
    from netdesc.kernels.engine import use_engine

    spikes_TBN, weights, target, (*tensors, threshold, tau, scale, delay) = _given()
    tensors = [tensor.to(device) for tensor in tensors]
    weights = [weight.to(device).requires_grad_() for weight in weights]
    spikes_TBN = spikes_TBN.to(device)
    with use_engine(engine):
        for weight_OI in weights:
            spikes_TBN, *_ = operators.dense_cuba(
                spikes_TBN, weight_OI, 8, *tensors, threshold, tau, scale, delay
            )
        loss, _ = operators.spike_time(spikes_TBN, target.to(device), *_FILTER)
        loss.backward()
    return [loss.detach(), *(weight_OI.grad for weight_OI in weights)]


def _leak(engine: str) -> list[Any]:
    """The current of a few neurons: the kernel that compiles fastest."""
    import torch

    from netdesc.kernels import operators
    from netdesc.kernels.engine import use_engine

    z_TBN = torch.rand(40, 2, 8, generator=torch.Generator().manual_seed(0))
    with use_engine(engine):
        return [operators.leaky(z_TBN, torch.tensor(0.3))]


def _training_kernels() -> list[Any]:
    from netdesc.kernels.cpu import (
        backward,
        bit_rows,
        events,
        forward,
        product,
        threads,
        van_rossum,
        weights,
    )

    threads.on_threads(lambda: None)()  # says what in the environment keeps kernels from running
    return [
        bit_rows._pack,
        bit_rows.list_events,
        events._count,
        weights._quantize_all,
        forward.forward_by_events,
        forward.sum_up,
        van_rossum.filter_difference,
        van_rossum.filter_adjoint,
        product._multiply,
        backward.adjoint_by_events,
    ]


def _is_kept(kernel: Any) -> bool:
    """Whether Numba's folder has a compiled ``kernel`` that is newer than its source."""
    code = kernel.py_func.__code__
    source = Path(code.co_filename).stat().st_mtime
    pattern = f"*.{code.co_name}-{code.co_firstlineno}.py*.nbi"
    found = Path(kernel.stats.cache_path).glob(pattern)
    return any(each.stat().st_mtime >= source for each in found)


PROBES: dict[str, Callable[[], Found]] = {
    "threads": _threads,
    "cuda": _cuda,
    "engine reference": _reference,
    "kernels": _kernels,
    "engine cpu": _cpu,
    "engine cuda": _cuda_engine,
}


def _try(name: str) -> Found:
    if name.startswith(IMPORT):
        importlib.import_module(name.removeprefix(IMPORT))
        return {}
    return PROBES[name]()


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(json.dumps({"probe": each, "found": _try(each)}), flush=True)
