"""Builds the loss and the classifier of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netdesc.graph import loss as sections
from netdesc.graph import nodes
from netdesc.losses.classifier import Classifier
from netdesc.losses.label_loss import CrossEntropyLoss, SpikeMaxLoss, SpikeRateLoss
from netdesc.losses.loss import Loss
from netdesc.losses.mean_squared_error import MeanSquaredErrorLoss
from netdesc.losses.spike_moid import SpikeMoidLoss
from netdesc.losses.spike_time import SpikeTimeLoss
from netdesc.losses.total import TotalLoss

_LOSSES: dict[type, Callable[[Any, float], Loss]] = {
    sections.SpikeTime: SpikeTimeLoss,
    sections.SpikeRate: lambda loss, step_ms: SpikeRateLoss(loss),
    sections.SpikeMax: lambda loss, step_ms: SpikeMaxLoss(loss),
    sections.SpikeMoid: lambda loss, step_ms: SpikeMoidLoss(loss),
    sections.CrossEntropy: lambda loss, step_ms: CrossEntropyLoss(loss),
    sections.MeanSquaredError: lambda loss, step_ms: MeanSquaredErrorLoss(loss),
}
"""Maps a section to a function that builds the loss from it and a step's length in ms."""


def build_loss(graph: nodes.Graph) -> TotalLoss:
    """Builds the loss of a graph: ``loss(signals, target)`` returns a float32 scalar.

    ``signals`` are what ``Network.signals`` returns, or the output [steps, batch, *shape] if
    nothing else is read. The target of ``spike_time`` has the shape of the output, that of
    ``mean_squared_error`` and ``spike_moid`` this one or [batch, *shape]; the target of other
    losses is integer labels, [batch] or [steps, batch].
    """
    step_ms = {layer.name: layer.step_ms for layer in graph.layers}
    losses = [_LOSSES[type(each)](each, step_ms[graph.signal_of(each)[0]]) for each in graph.losses]
    return TotalLoss(graph, losses)


def build_classifier(graph: nodes.Graph) -> Classifier:
    """Builds the classifier of a graph.

    The classifier maps output spikes [steps, batch, *shape] to int64 classes, [batch] or [steps,
    batch]. Raises ValueError if the graph has no classes because its loss compares targets.
    """
    if graph.classifier is None:
        raise ValueError(f'network "{graph.name}" learns from targets and has no classes')
    return Classifier(graph.classifier)
