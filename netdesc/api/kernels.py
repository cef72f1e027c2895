"""Compiles the kernels of a network before they are needed.

Numba stores compiled kernels in a cache on the disk. Later processes load them from there.
"""

from __future__ import annotations

import torch

from netdesc.api.compile import Compiled, weight_readers
from netdesc.description import Description
from netdesc.graph import Graph, build_graph
from netdesc.kernels.engine import engine_name
from netdesc.modules import LayerReport, Network
from netdesc.training.batches import Batch
from netdesc.training.metrics import EpochMetricsSum
from netdesc.training.randomness import seeded_rng
from netdesc.training.setup import prepare
from netdesc.training.step import build_step


def compile_kernels(compiled: Compiled) -> None:
    """Compiles a network's kernels by forward and backward passes on an input without spikes."""
    model, loss = compiled.model, compiled.loss
    # With several samples, a layer of few neurons uses another kernel, whose threads share samples.
    for samples in (1, 2):
        batch = _silent_batch(compiled.graph, samples)
        value = loss(model(batch.input_TBN), batch.target)
        if value.requires_grad:  # False if the output depends on no weights
            value.backward()
    model.zero_grad()
    _forward_only(model, loss, batch)


def compile_kernels_for_data(description: Description) -> list[LayerReport]:
    """Compiles the kernels that the first batch of the data needs; returns a report per layer.

    An input with many spikes can need other kernels than an input without spikes. Only the kernels
    of the engine ``cpu`` depend on the data: the list is empty for other engines, and also if the
    document has no data. DataError or TrainingError if data or weights do not fit.
    """
    document, device = description.document, torch.device("cpu")
    if document.data is None or engine_name(device) != "cpu":
        return []
    readers = weight_readers(build_graph(document))
    with seeded_rng(document.training.seed, device):
        setup = prepare(description, device, readers, warn=lambda text: None)  # training warns
        epoch_sum = EpochMetricsSum(setup.network, setup.build_counter())
        step = build_step(setup, epoch_sum, report=lambda text: None)
        step.compute_gradients(next(setup.train.shuffled(0)))
        epoch_sum.read_and_reset()
        reports = setup.network.engine_report()
        if setup.validation is not None:
            _forward_only(setup.network, setup.loss, next(setup.validation.in_order()))
    return reports


@torch.no_grad()
def _forward_only(model: Network, loss: torch.nn.Module, batch: Batch) -> None:
    was_training = model.training
    model.eval()
    loss(model(batch.input_TBN), batch.target)
    model.train(was_training)


def _silent_batch(graph: Graph, samples: int) -> Batch:
    silence = torch.zeros(graph.steps, samples, *graph.input_shape)
    if graph.classes is None:
        return Batch(silence, torch.zeros(graph.steps, samples, *graph.output_shape))
    return Batch(silence, torch.zeros(samples, dtype=torch.int64))
