"""What training minimises: the sum of a document's losses and regularizers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from netdesc.graph import loss as sections
from netdesc.graph import nodes
from netdesc.graph.nodes import EventRate, Graph, Signal
from netdesc.losses.classifier import OutputClassifier
from netdesc.losses.label_loss import CrossEntropyLoss, SpikeMaxLoss, SpikeRateLoss
from netdesc.losses.loss import Loss
from netdesc.losses.python_loss import PythonLoss
from netdesc.losses.target_losses import MeanSquaredErrorLoss, SpikeMoidLoss, SpikeTimeLoss


def event_rate_penalty(regularizer: EventRate, outputs: Sequence[Tensor]) -> Tensor:
    """Returns ``Σ_layers relu(rate − max_rate)² + relu(min_rate − rate)²``, a float32 scalar.

    A layer's rate is the mean magnitude of its output [steps, batch, *shape]. The source is
    ``SparsityEnforcer`` of lava-dl's slayer.
    """
    # Sums over one axis, unlike sums over all, do not depend on the number of threads.
    rates = [each.abs().flatten(2).sum(0).sum(0).sum() / each.numel() for each in outputs]
    rate = torch.stack(rates)
    excess = (rate - regularizer.max_rate).relu() + (regularizer.min_rate - rate).relu()
    return excess.square().sum()


class TotalLoss(nn.Module):
    """The weighted sum of losses and regularizers, in the order of the document.

    ``replacement`` takes the place of the main loss, with its weight.
    """

    def __init__(
        self, graph: Graph, losses: Sequence[Loss], replacement: PythonLoss | None = None
    ) -> None:
        super().__init__()
        self.replacement = replacement
        self.losses = nn.ModuleList(losses)
        self._read = [graph.signal_of(section) for section in graph.losses]
        self._regularized = [(each, graph.regularized(each)) for each in graph.regularizers]
        self._needed = [*self._read]
        for _, signals in self._regularized:
            self._needed += signals
        self._weights = [section.weight for section in (*graph.losses, *graph.regularizers)]
        self._output = graph.output
        self._main = graph.losses.index(graph.loss)

    @property
    def main(self) -> Loss:
        """The first loss that reads the last layer."""
        return cast(Loss, self.losses[self._main])

    def forward(self, signals: Mapping[Signal, Tensor] | Tensor, target: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar.

        ``signals`` are those of ``Network.signals``. If losses and regularizers read nothing but
        the output of the last layer, it is enough. All losses compare with the one ``target``.
        Raises ValueError if a signal is missing, and what the losses raise.
        """
        return add_up(self.terms(signals, target))

    def terms(self, signals: Mapping[Signal, Tensor] | Tensor, target: Tensor) -> list[Tensor]:
        """Returns what adds up: the weighted losses, and then the weighted regularizers."""
        if not isinstance(signals, Mapping):
            signals = {self._output: signals}
        for layer, signal in self._needed:
            if (layer, signal) not in signals:
                raise ValueError(
                    f'the loss reads "{signal}" of layer "{layer}": call it with '
                    "model.signals(input), not with the output of the last layer"
                )
        values = [
            loss(signals[read], target)
            if self.replacement is None or number != self._main
            else self.replacement(signals, target)
            for number, (loss, read) in enumerate(zip(self.losses, self._read, strict=True))
        ]
        values += [
            event_rate_penalty(regularizer, [signals[name] for name in read])
            for regularizer, read in self._regularized
        ]
        return [
            value if weight == 1.0 else weight * value
            for value, weight in zip(values, self._weights, strict=True)
        ]

    def of_output(self, output: Tensor, target: Tensor) -> Tensor:
        """Returns the weighted main loss, which is known if only the output is."""
        return self._weights[self._main] * self.main(output, target)

    def filter(self, spikes: Tensor) -> Tensor:
        """Returns the filtered trace of spikes. ValueError if the main loss compares no traces."""
        return self.main.filter(spikes)


def add_up(terms: Sequence[Tensor]) -> Tensor:
    """Returns the sum of scalars."""
    return terms[0] if len(terms) == 1 else torch.stack(list(terms)).sum()


_LOSSES: dict[type, Callable[[Any, float], Loss]] = {
    sections.SpikeTime: SpikeTimeLoss,
    sections.SpikeRate: lambda loss, step_ms: SpikeRateLoss(loss),
    sections.SpikeMax: lambda loss, step_ms: SpikeMaxLoss(loss),
    sections.SpikeMoid: lambda loss, step_ms: SpikeMoidLoss(loss),
    sections.CrossEntropy: lambda loss, step_ms: CrossEntropyLoss(loss),
    sections.MeanSquaredError: lambda loss, step_ms: MeanSquaredErrorLoss(loss),
}
"""Maps a section to a function that builds the loss from it and a step's length in ms."""


def build_loss(graph: nodes.Graph, replacement: PythonLoss | None = None) -> TotalLoss:
    """Builds the loss of a graph: ``loss(signals, target)`` returns a float32 scalar.

    ``signals`` are what ``Network.signals`` returns, or the output [steps, batch, *shape] if
    nothing else is read. The target of ``spike_time`` has the shape of the output, that of
    ``mean_squared_error`` and ``spike_moid`` this one or [batch, *shape]; the target of other
    losses is integer labels, [batch] or [steps, batch]. ``replacement`` takes the place of the main
    loss; the graph then needs ``reads_all``.
    """
    step_ms = {layer.name: layer.step_ms for layer in graph.layers}
    losses = [_LOSSES[type(each)](each, step_ms[graph.signal_of(each)[0]]) for each in graph.losses]
    return TotalLoss(graph, losses, replacement)


def build_classifier(graph: nodes.Graph) -> OutputClassifier:
    """Builds the classifier of a graph.

    The classifier maps output spikes [steps, batch, *shape] to int64 classes, [batch] or [steps,
    batch]. Raises ValueError if the graph has no classes because its loss compares targets.
    """
    if graph.classifier is None:
        raise ValueError(f'network "{graph.name}" learns from targets and has no classes')
    return OutputClassifier(graph.classifier)
