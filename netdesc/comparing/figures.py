"""Numbers and words that two sides have under the same name: sizes, results, versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from netdesc.comparing.side import Side
from netdesc.description.training_set import training_samples
from netdesc.graph import Graph

_RESULTS = ("loss", "accuracy", "validation_loss", "validation_accuracy")
_BY_CHANCE = {"seconds", "seconds an epoch"}
"""Results that no two runs share, and in which no difference is seen."""


@dataclass(frozen=True, slots=True)
class Figure:
    """None on a side that has no such figure."""

    name: str
    a: Any
    b: Any

    @property
    def is_difference(self) -> bool:
        return self.a != self.b and self.name not in _BY_CHANCE


def sizes(a: Side, b: Side) -> list[Figure]:
    """What differs in the size of the network as a whole."""
    return _changed(_sizes(a.graph), _sizes(b.graph))


def _sizes(graph: Graph) -> dict[str, Any]:
    return {
        "input shape": graph.input_shape,
        "output shape": graph.output_shape,
        "parameters": graph.parameters,
        "synapses": graph.synapses,
    }


def samples(a: Side, b: Side) -> list[Figure]:
    """What differs in the numbers of samples, as far as both are known."""
    before, after = _samples(a), _samples(b)
    common = [name for name in before if name in after]
    return _changed({name: before[name] for name in common}, {name: after[name] for name in common})


def _samples(side: Side) -> dict[str, Any]:
    """By part. A run has counted them; of a document those to train on may be known."""
    if side.record is not None and side.record.samples:
        return {f"{part} samples": count for part, count in side.record.samples.items()}
    description = side.description
    count = training_samples(description.document, description.resolve)
    return {} if count is None else {"train samples": count}


def versions(a: Side, b: Side) -> list[Figure]:
    """The programs of which two runs or locks had different versions."""
    before, after = a.versions, b.versions
    return [] if before is None or after is None else _changed(before, after)


def results(a: Side, b: Side) -> list[Figure]:
    """What came out of two runs, also what is equal; nothing where one side is no run."""
    if a.record is None or b.record is None:
        return []
    before, after = _results(a), _results(b)
    return [Figure(name, before.get(name), after.get(name)) for name in _names(before, after)]


def _results(side: Side) -> dict[str, Any]:
    record = side.record
    assert record is not None
    found: dict[str, Any] = {"status": record.status, "epochs": record.epochs_done}
    if record.best is not None:
        found["best epoch"] = record.best.epoch + 1
    for word, figures in (("best", record.best), ("final", record.final)):
        for name in _RESULTS:
            value = getattr(figures, name, None)
            if value is not None:
                found[f"{word} {name.replace('_', ' ')}"] = value
    if record.seconds is not None:
        found["seconds"] = record.seconds
        if record.epochs_done:
            found["seconds an epoch"] = record.seconds / record.epochs_done
    return found


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Figure]:
    figures = (Figure(name, a.get(name), b.get(name)) for name in _names(a, b))
    return [each for each in figures if each.is_difference]


def _names(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterable[str]:
    return dict.fromkeys([*a, *b])
