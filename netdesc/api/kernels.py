"""Compiles the kernels before they are needed, and reports how the layers of a network run.

Numba caches compiled kernels on the disk, from which later processes load them.
"""

from __future__ import annotations

import torch

from netdesc.api.compile import Compiled
from netdesc.data.randomness import seeded_rng
from netdesc.description import Description
from netdesc.kernels.engine import engine_name
from netdesc.modules import LayerReport
from netdesc.training.interrupt import StopRequest
from netdesc.training.kernel_compilation import compile_kernels
from netdesc.training.progress import Style, build_display
from netdesc.training.setup import prepare

_DEVICE = torch.device("cpu")


def compile_kernels_for_cpu(compiled: Compiled, progress: Style = "auto") -> None:
    """Compiles the kernels of the CPU engine that training needs, and shows how many are done.

    KeyboardInterrupt after Ctrl-C or SIGTERM.
    """
    with build_display(progress) as display, StopRequest() as stop:
        compile_kernels(compiled.model, _DEVICE, display, stop)


@torch.no_grad()
def layer_reports(description: Description, compiled: Compiled) -> list[LayerReport]:
    """Computes the first batch of the data, and returns a report for each layer.

    If the document has no data or the engine is not the CPU's, computes a sample without spikes
    instead. DataError or RunError if data or weights do not fit.
    """
    document, graph = description.document, compiled.graph
    if document.data is None or engine_name(_DEVICE) != "cpu":
        compiled.model(torch.zeros(graph.steps, 1, *graph.input_shape))
        return compiled.model.engine_report()
    with seeded_rng(document.training.seed, _DEVICE):
        setup = prepare(description, _DEVICE)
        setup.network(next(setup.train.shuffled(0)).input_TBN)
        return setup.network.engine_report()
