"""Facts of an operand that are compared: shapes, sizes, program versions and results."""

from __future__ import annotations

from typing import Any

from netdesc.comparing.operand import Operand
from netdesc.graph.summary import summary

_RESULTS = ("loss", "accuracy", "validation_loss", "validation_accuracy")


def layers(operand: Operand) -> dict[str, dict[str, Any]]:
    """Maps the name of each layer to its type, inferred shapes and number of parameters."""
    _, *rows = summary(operand.graph)  # the first row is the input
    names = ("type", "input_shape", "output_shape", "parameters")
    return {row.name: {name: getattr(row, name) for name in names} for row in rows}


def network(operand: Operand, other: Operand) -> dict[str, Any]:
    """Returns shapes and sizes of the network, and the order of the layers that ``other`` has."""
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
    """Returns the program versions that a run or a lock recorded; empty for a document."""
    if operand.record is not None and operand.record.versions:
        return operand.record.versions
    lock = operand.description.lock
    return {} if lock is None else lock.versions


def results(operand: Operand) -> dict[str, Any]:
    """Maps names to the known results of a run; empty for a document or a lock.

    Losses are per sample, unless they are means; epochs count from 1.
    """
    record = operand.record
    if record is None:
        return {} if operand.status is None else {"status": operand.status}
    values: dict[str, Any] = {"status": operand.status, "epochs": record.epochs_done}
    if record.best is not None:
        values["best_epoch"] = record.best.epoch + 1
    divisors = record.scale(operand.graph.loss.reduction).divisors
    for prefix, metrics in (("best", record.best), ("final", record.final)):
        for name in _RESULTS:
            value = getattr(metrics, name, None)
            values[f"{prefix}_{name}"] = value and value / divisors.get(name, 1)
    values["seconds"] = record.seconds
    if record.seconds is not None and record.epochs_done:
        values["seconds_an_epoch"] = record.seconds / record.epochs_done
    return {name: value for name, value in values.items() if value is not None}
