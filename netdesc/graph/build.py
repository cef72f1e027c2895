"""Builds the graph of a document: one node per layer, with its shapes and its neuron."""

from __future__ import annotations

from collections.abc import Callable

from netdesc.description import models
from netdesc.description.models import Document, MovingWindowClassifier
from netdesc.description.models.loss import window_steps
from netdesc.description.shapes import Shape, wire
from netdesc.graph.nodes import Classifier, DenseNode, FlattenNode, Graph, Layer


def build_graph(document: Document) -> Graph:
    """Builds the graph of a document that ``load`` or ``check`` has accepted.

    ValueError if layers do not fit together or a neuron is unknown, which happens only for a
    document that was not checked.
    """
    wiring = wire(document)
    if wiring.problems:
        layer = document.layers[wiring.problems[0].layer]
        raise ValueError(f'the input of layer "{layer.name}" does not fit: check the description')
    layers: list[Layer] = []
    for section, sources, *shapes in zip(
        document.layers, wiring.sources, wiring.inputs, wiring.outputs, strict=True
    ):
        layers.append(BUILDERS[type(section)](document, section, sources, *shapes))
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


def _flatten(
    _document: Document, section: models.Flatten, sources: tuple[str, ...], *shapes: Shape
) -> FlattenNode:
    return FlattenNode(section, sources, *shapes)


def _dense(
    document: Document, section: models.Dense, sources: tuple[str, ...], *shapes: Shape
) -> DenseNode:
    neuron = section.neuron
    if isinstance(neuron, str):
        if neuron not in document.neurons:
            raise ValueError(f'layer "{section.name}" has the unknown neuron "{neuron}"')
        neuron = document.neurons[neuron]
    return DenseNode(section, sources, *shapes, neuron=neuron)


BUILDERS: dict[type[models.Layer], Callable[..., Layer]] = {
    models.Flatten: _flatten,
    models.Dense: _dense,
}
"""Maps the class of a layer's section to the function that builds the layer's node.

The function takes the document, the section, the names of the input layers, the input shape and the
output shape.
"""
