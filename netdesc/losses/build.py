"""The loss and the classifier that a graph asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from netdesc.graph import nodes
from netdesc.losses.classifiers import MovingWindowClassifier, RateClassifier
from netdesc.losses.label_loss import SpikeMax, SpikeRate
from netdesc.losses.spike_time import SpikeTime

_LOSSES: dict[type, Callable[[Any, float], nn.Module]] = {
    nodes.SpikeTime: SpikeTime,
    nodes.SpikeRate: lambda loss, step_ms: SpikeRate(loss),
    nodes.SpikeMax: lambda loss, step_ms: SpikeMax(loss),
}
"""Node of a loss: what makes its module from the node and a step's milliseconds."""


def build_loss(graph: nodes.Graph) -> nn.Module:
    """The loss of a graph: ``loss(output, target)`` is a float32 scalar.

    ``output`` is [steps, batch, *shape]; the target is of the same shape for ``spike_time``, and
    integer labels [batch] or [steps, batch] for the others.
    """
    return _LOSSES[type(graph.loss)](graph.loss, graph.step_ms)


def build_classifier(graph: nodes.Graph) -> nn.Module:
    """The classifier of a graph: from output spikes to int64 classes, [batch] or [steps, batch].

    ValueError for a graph whose loss compares spike trains, which has no classes.
    """
    if graph.classifier is None:
        raise ValueError(f'network "{graph.name}" learns spike trains and has no classes')
    window_steps = graph.classifier.window_steps
    return RateClassifier() if window_steps is None else MovingWindowClassifier(window_steps)
