"""Builds the graph of a document: one node per layer, with its shapes and its neuron."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from netdesc.description.models import Document, SynapticSection
from netdesc.description.models.loss import OUTPUT
from netdesc.description.shapes import INPUT, Shape, wire
from netdesc.graph.nodes import Classifier, Graph, LayerNode, SynapticNode


def build_graph(document: Document) -> Graph:
    """Builds the graph of a document that ``load`` or ``check`` has accepted.

    ValueError if layers do not fit together or a neuron is unknown, which happens only for a
    document that was not checked.
    """
    wiring = wire(document)
    if wiring.problems:
        layer = document.layers[wiring.problems[0].layer]
        raise ValueError(f'the input of layer "{layer.name}" does not fit: check the description')
    layers: list[LayerNode] = []
    lengths_ms = [document.time.step_ms * decimation for decimation in wiring.decimations]
    times = zip(wiring.steps, lengths_ms, strict=True)
    for section, sources, shape, output_shape, time in zip(
        document.layers, wiring.sources, wiring.inputs, wiring.outputs, times, strict=True
    ):
        assert shape is not None, "a wiring without problems knows all shapes"
        assert output_shape is not None
        if isinstance(section, SynapticSection):
            neuron = section.neuron_of(document.neurons)
            if neuron is None:
                raise ValueError(f'layer "{section.name}": unknown neuron "{section.neuron}"')
            layers.append(SynapticNode(section, sources, shape, output_shape, *time, neuron))
        else:
            layers.append(LayerNode(section, sources, shape, output_shape, *time))
    return Graph(
        name=document.name,
        steps=document.time.steps,
        step_ms=document.time.step_ms,
        input_shape=document.input.shape,
        layers=tuple(layers),
        losses=document.losses,
        classifier=_classifier(document, layers),
        regularizers=document.regularizers,
    )


def _classifier(document: Document, layers: Sequence[LayerNode]) -> Classifier | None:
    """Returns the document's classifier; by default, it decides by what the loss compares.

    Returns None if the loss compares the output with targets. States of neurons have no classes:
    if the loss reads one, the rates of the output decide, as they do on the device.
    """
    loss, section = document.main_loss, document.classifier
    if loss.learns_from != "labels":
        return None
    neurons = [layer.neuron for layer in layers if isinstance(layer, SynapticNode)]
    is_graded = bool(neurons) and neurons[-1].equations().output is not None
    decide = partial(Classifier, is_softmax=loss.is_softmax or is_graded, is_graded=is_graded)
    if section is not None:
        window = section.window_steps
        return decide(window, skip_steps=0 if window is None else loss.skip_steps)
    over = loss.over if loss.signal == OUTPUT else "mean"
    if over == "each_step":
        return decide(1, skip_steps=loss.skip_steps)
    return decide(loss.window_steps, over, loss.skip_steps)


class SummaryRow(NamedTuple):
    """A row of the table: a layer, or the input."""

    name: str
    type: str
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    neuron: str
    parameters: int
    synapses: int


def summary(graph: Graph) -> list[SummaryRow]:
    """Returns a row for the input, and then a row for each layer. ``Graph`` has the totals."""
    rows = [SummaryRow(INPUT, "input", (), graph.input_shape, graph.input_shape, "", 0, 0)]
    for layer in graph.layers:
        shapes, counts = (layer.input_shape, layer.output_shape), (layer.parameters, layer.synapses)
        kind = layer.section.type_name()
        rows.append(SummaryRow(layer.name, kind, layer.inputs, *shapes, layer.neuron_name, *counts))
    return rows
