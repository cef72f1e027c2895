"""Compiles the kernels before they are needed, and reports how the layers of a network run.

Numba caches compiled kernels on the disk, from which later processes load them.
"""

from __future__ import annotations

import torch

from netdesc.api.compile import Compiled
from netdesc.data.randomness import seeded_rng
from netdesc.description import Description
from netdesc.kernels.engines import engine_name
from netdesc.modules import LayerReport
from netdesc.training.interrupt import StopRequest
from netdesc.training.kernel_compilation import compile_kernels
from netdesc.training.progress import Style, build_display
from netdesc.training.setup import prepare

_DEVICE = torch.device("cpu")


def layer_reports(
    description: Description, compiled: Compiled, progress: Style = "quiet"
) -> list[LayerReport]:
    """Computes a training step with the first batch of the data, and reports of each layer.

    The step compiles the kernels that training needs. If the document has no data or the engine is
    not the CPU's, computes a sample without spikes instead. DataError or RunError if data or
    weights do not fit, KeyboardInterrupt after Ctrl-C or SIGTERM.
    """
    document, graph = description.document, compiled.graph
    if document.data is None or engine_name(_DEVICE) != "cpu":
        with torch.no_grad():
            compiled.model(torch.zeros(graph.steps, 1, *graph.input_shape))
        return compiled.model.engine_report()
    with (
        seeded_rng(document.training.seed, _DEVICE),
        build_display(progress) as display,
        StopRequest() as stop,
    ):
        setup = prepare(description, _DEVICE)
        compile_kernels(setup, display, stop)
        with torch.no_grad():
            setup.network(next(setup.train.shuffled(0)).input_TBN)
        return setup.network.engine_report()
