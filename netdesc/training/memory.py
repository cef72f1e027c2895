"""Compares the memory that training needs with the memory that the device has."""

from __future__ import annotations

import torch

from netdesc.description.models import Training
from netdesc.description.shapes import INPUT
from netdesc.graph import Graph
from netdesc.graph.memory import estimate_memory, format_bytes
from netdesc.kernels import machine
from netdesc.training.errors import TrainingError


class MemoryShortageError(TrainingError):
    """Training needs more memory than the device has."""

    exit_code = 3


def require_memory(graph: Graph, training: Training, samples: int, device: torch.device) -> None:
    """Raises MemoryShortageError if training needs more memory than is free on ``device``.

    ``samples`` is the number of training samples. The need is estimated (see ``graph.memory``).
    Free is what the GPU, or the machine within the limits of its container, can still give; the
    check is left out if the system does not tell it.
    """
    estimate = estimate_memory(graph, training, samples)
    free = _free_bytes(device)
    if free is None or estimate.in_training <= free:
        return
    name, largest = estimate.largest, estimate.layers[estimate.largest]
    layer = "inputs and targets need" if name == INPUT else f'layer "{name}" needs'
    smaller = "a smaller training.batch_size, fewer" if estimate.batch > 1 else "fewer"
    raise MemoryShortageError(
        f"training {graph.name} needs about {format_bytes(estimate.in_training)} of memory, and "
        f"{format_bytes(free)} are free; {layer} most, {format_bytes(largest.in_training)}, with "
        f"batches of {estimate.batch:,}. Choose {smaller} time.steps or fewer units; "
        f"--ignore-memory (in Python ignore_memory=True) trains nevertheless"
    )


def _free_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    total, available = machine.memory()
    return total if available is None else available
