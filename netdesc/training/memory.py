"""Compares the memory that training needs with the memory that the device has."""

from __future__ import annotations

import torch

from netdesc.description.models import Training
from netdesc.graph import Graph
from netdesc.graph.memory import estimate_memory, find_shortage
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
    estimate, free = estimate_memory(graph, training, samples), _free_bytes(device)
    subject, needs = f"training {graph.name}", estimate.needs
    shortage = None if free is None else find_shortage(subject, needs, free, estimate.batch)
    if shortage is not None:
        raise MemoryShortageError(
            f"{'; '.join(shortage)}; --ignore-memory (in Python ignore_memory=True) trains "
            "nevertheless"
        )


def _free_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    total, available = machine.memory()
    return total if available is None else available
