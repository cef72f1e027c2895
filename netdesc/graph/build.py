"""Builds the graph of a document: one node per layer, with its shapes and its neuron."""

from __future__ import annotations

from netdesc.description.models import Document, MovingWindowClassifier, SynapticSection
from netdesc.description.models.loss import window_steps
from netdesc.description.shapes import wire
from netdesc.graph.nodes import Classifier, Graph, LayerNode, SynapticNode
from netdesc.neurons.models import NeuronSection


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
    for section, sources, shape, output_shape, steps in zip(
        document.layers, wiring.sources, wiring.inputs, wiring.outputs, wiring.steps, strict=True
    ):
        assert shape is not None, "a wiring without problems knows all shapes"
        assert output_shape is not None
        if isinstance(section, SynapticSection):
            neuron = _neuron(document, section)
            layers.append(SynapticNode(section, sources, shape, output_shape, steps, neuron))
        else:
            layers.append(LayerNode(section, sources, shape, output_shape, steps))
    return Graph(
        name=document.name,
        steps=document.time.steps,
        step_ms=document.time.step_ms,
        input_shape=document.input.shape,
        layers=tuple(layers),
        loss=document.loss,
        classifier=_classifier(document),
    )


def _classifier(document: Document) -> Classifier | None:
    """Returns the document's classifier; by default, a classifier with the window of the loss.

    Returns None if the loss compares the output with targets.
    """
    loss, section = document.loss, document.classifier
    if loss.learns_from != "labels":
        return None
    if section is None:
        return Classifier(window_steps(loss))
    return Classifier(section.window_steps if isinstance(section, MovingWindowClassifier) else None)


def _neuron(document: Document, section: SynapticSection) -> NeuronSection:
    neuron = section.neuron_of(document.neurons)
    if neuron is None:
        raise ValueError(f'layer "{section.name}" has the unknown neuron "{section.neuron}"')
    return neuron
