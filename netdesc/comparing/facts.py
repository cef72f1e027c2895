"""What an operand has besides its document: layers, sizes, versions, results."""

from __future__ import annotations

from typing import Any

from netdesc.comparing.operand import Operand
from netdesc.graph.summary import summary

_RESULTS = ("loss", "accuracy", "validation_loss", "validation_accuracy")


def layers(operand: Operand) -> dict[str, dict[str, Any]]:
    """The type of each layer, and what is inferred of it."""
    _, *rows = summary(operand.graph)  # the first row is the input
    names = ("type", "input_shape", "output_shape", "parameters")
    return {row.name: {name: getattr(row, name) for name in names} for row in rows}


def network(operand: Operand, other: Operand) -> dict[str, Any]:
    """Sizes of the whole network, and the order of the layers that both operands have."""
    graph = operand.graph
    shared = {layer.name for layer in other.graph.layers}
    return {
        "input_shape": graph.input_shape,
        "output_shape": graph.output_shape,
        "parameters": graph.parameters,
        "synapses": graph.synapses,
        "order_of_layers": [layer.name for layer in graph.layers if layer.name in shared],
    }


def versions(operand: Operand) -> dict[str, str]:
    """Versions of the programs that took part; a document was never run and has none."""
    if operand.record is not None and operand.record.versions:
        return operand.record.versions
    lock = operand.description.lock
    return {} if lock is None else lock.versions


def results(operand: Operand) -> dict[str, Any]:
    """What came out of a run; empty for a document."""
    record = operand.record
    if record is None:
        return {}
    found: dict[str, Any] = {"status": record.status, "epochs": record.epochs_done}
    if record.best is not None:
        found["best_epoch"] = record.best.epoch + 1
    for word, figures in (("best", record.best), ("final", record.final)):
        found |= {f"{word}_{name}": getattr(figures, name, None) for name in _RESULTS}
    found["seconds"] = record.seconds
    if record.seconds is not None and record.epochs_done:
        found["seconds_an_epoch"] = record.seconds / record.epochs_done
    return {name: value for name, value in found.items() if value is not None}
