"""From a checked document to a graph."""

from __future__ import annotations

from netdesc.description.models import Cuba as CubaSection
from netdesc.description.models import Dense as DenseSection
from netdesc.description.models import Document, MovingWindowClassifier, TauGradSchedule
from netdesc.description.models import Layer as LayerSection
from netdesc.description.models import SpikeMax as SpikeMaxSection
from netdesc.description.models import SpikeRate as SpikeRateSection
from netdesc.description.shapes import Shape, wire
from netdesc.graph.nodes import (
    Classifier,
    Cuba,
    Dense,
    Flatten,
    Graph,
    Layer,
    Loss,
    SpikeMax,
    SpikeRate,
    SpikeTime,
    TauGrad,
)


def build_graph(document: Document) -> Graph:
    """The graph of a document.

    Raises ValueError for a document that was made by hand and whose layers do not fit together;
    ``load`` and ``check`` say more about such a document.
    """
    wiring = wire(document)
    if wiring.problems:
        layer = document.layers[wiring.problems[0].layer]
        raise ValueError(f'the input of layer "{layer.name}" does not fit: check the description')
    layers: list[Layer] = []
    for section, sources, given, made in zip(
        document.layers, wiring.sources, wiring.inputs, wiring.outputs, strict=True
    ):
        assert given is not None
        assert made is not None
        layers.append(_layer(document, section, sources, given, made))
    return Graph(
        name=document.name,
        steps=document.time.steps,
        step_ms=document.time.step_ms,
        input_shape=document.input.shape,
        layers=tuple(layers),
        loss=_loss(document),
        classifier=_classifier(document),
    )


def _loss(document: Document) -> Loss:
    loss = document.loss
    if isinstance(loss, SpikeRateSection):
        return SpikeRate(loss.true_rate, loss.false_rate, loss.window_steps, loss.reduction)
    if isinstance(loss, SpikeMaxSection):
        return SpikeMax(loss.mode, loss.window_steps, loss.reduction)
    return SpikeTime(loss.time_constant_ms, loss.filter_order, loss.filter_steps, loss.reduction)


def _classifier(document: Document) -> Classifier | None:
    """As the document says, or else as the loss looks at the output."""
    loss, given = document.loss, document.classifier
    if not isinstance(loss, SpikeRateSection | SpikeMaxSection):
        return None
    if given is None:
        return Classifier(loss.window_steps)
    return Classifier(given.window_steps if isinstance(given, MovingWindowClassifier) else None)


def _layer(
    document: Document, section: LayerSection, sources: tuple[str, ...], given: Shape, made: Shape
) -> Layer:
    if not isinstance(section, DenseSection):
        return Flatten(section.name, sources, given, made)
    named = isinstance(section.neuron, str)
    if isinstance(section.neuron, str):
        if section.neuron not in document.neurons:
            raise ValueError(f'layer "{section.name}" has the unknown neuron "{section.neuron}"')
        neuron = document.neurons[section.neuron]
    else:
        neuron = section.neuron
    return Dense(
        name=section.name,
        inputs=sources,
        input_shape=given,
        output_shape=made,
        neuron=_neuron(neuron),
        neuron_name=str(section.neuron) if named else section.name,
        weight_scale=section.weight_scale,
        weight_norm=section.weight_norm,
        bits=section.quantization.bits if section.quantization is not None else None,
        axonal_delay_step=section.axonal_delay_step,
    )


def _neuron(section: CubaSection) -> Cuba:
    return Cuba(
        threshold=section.threshold,
        current_decay=_range(section.current_decay),
        voltage_decay=_range(section.voltage_decay),
        tau_grad=_tau_grad(section.tau_grad),
        scale_grad=section.scale_grad,
        norm=section.norm,
        dropout=section.dropout,
        per_channel=section.per_channel,
        learn=section.learn,
    )


def _range(decay: float | tuple[float, float]) -> tuple[float, float]:
    return decay if isinstance(decay, tuple) else (decay, decay)


def _tau_grad(width: float | TauGradSchedule) -> TauGrad:
    if isinstance(width, TauGradSchedule):
        return TauGrad(width.type, width.start, width.end)
    return TauGrad("constant", width, width)
