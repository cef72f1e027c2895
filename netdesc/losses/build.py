"""Builds the loss and the classifier of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from netdesc.graph import nodes
from netdesc.losses.classifiers import MostSpikes, MostSpikesInWindow
from netdesc.losses.label_loss import SpikeMaxLoss, SpikeRateLoss
from netdesc.losses.loss import Loss
from netdesc.losses.mean_squared_error import MeanSquaredErrorLoss
from netdesc.losses.spike_time import SpikeTimeLoss

_LOSSES: dict[type, Callable[[Any, float], Loss]] = {
    nodes.SpikeTime: SpikeTimeLoss,
    nodes.SpikeRate: lambda loss, step_ms: SpikeRateLoss(loss),
    nodes.SpikeMax: lambda loss, step_ms: SpikeMaxLoss(loss),
    nodes.MeanSquaredError: lambda loss, step_ms: MeanSquaredErrorLoss(loss),
}
"""Maps a node class to a function that builds the loss from a node and a step's length in ms."""


def build_loss(graph: nodes.Graph) -> Loss:
    """Builds the loss of a graph: ``loss(output, target)`` returns a float32 scalar.

    ``output`` is [steps, batch, *shape]. The target of ``spike_time`` has the same shape, that of
    ``mean_squared_error`` this one or [batch, *shape]; the target of other losses is integer
    labels, [batch] or [steps, batch].
    """
    return _LOSSES[type(graph.loss)](graph.loss, graph.step_ms)


def build_classifier(graph: nodes.Graph) -> nn.Module:
    """Builds the classifier of a graph.

    The classifier maps output spikes [steps, batch, *shape] to int64 classes, [batch] or [steps,
    batch]. Raises ValueError if the graph has no classes because its loss compares targets.
    """
    if graph.classifier is None:
        raise ValueError(f'network "{graph.name}" learns from targets and has no classes')
    window_steps = graph.classifier.window_steps
    return MostSpikes() if window_steps is None else MostSpikesInWindow(window_steps)
