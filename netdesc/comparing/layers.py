"""What became of the layers: added, removed, moved, of another shape or size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from netdesc.graph import Graph
from netdesc.graph.summary import Row, summary

Change = Literal["added", "removed", "moved", "type", "input_shape", "output_shape", "parameters"]
_FACTS: tuple[Change, ...] = ("type", "input_shape", "output_shape", "parameters")


@dataclass(frozen=True, slots=True)
class Place:
    """A layer of a side; ``position`` counts from 0."""

    position: int
    row: Row


@dataclass(frozen=True, slots=True)
class LayerDifference:
    name: str
    changes: tuple[Change, ...]
    a: Place | None
    b: Place | None


def layer_differences(a: Graph, b: Graph) -> list[LayerDifference]:
    """The layers that differ, by name: those of ``a`` in their order, then those of ``b`` alone."""
    before, after = _places(a), _places(b)
    common = [name for name in before if name in after]
    staying = {common[at] for at in _longest_rise([after[name].position for name in common])}
    found: list[LayerDifference] = []
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        changes = _changes(one, other, name not in staying)
        if changes:
            found.append(LayerDifference(name, changes, one, other))
    return found


def _places(graph: Graph) -> Mapping[str, Place]:
    _, *layers = summary(graph)  # the first row is the input
    return {row.name: Place(position, row) for position, row in enumerate(layers)}


def _changes(a: Place | None, b: Place | None, has_moved: bool) -> tuple[Change, ...]:
    if a is None:
        return ("added",)
    if b is None:
        return ("removed",)
    changed: list[Change] = [
        fact for fact in _FACTS if getattr(a.row, fact) != getattr(b.row, fact)
    ]
    return ("moved", *changed) if has_moved else tuple(changed)


def _longest_rise(numbers: Sequence[int]) -> list[int]:
    """Indices of a longest rising selection: what stays where the fewest have to move."""
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, number in enumerate(numbers):
        length = bisect_left(ends, number)
        ends[length : length + 1] = [number]
        at[length : length + 1] = [index]
        before.append(at[length - 1] if length else -1)
    rise: list[int] = []
    index = at[-1] if at else -1
    while index >= 0:
        rise.append(index)
        index = before[index]
    return rise
