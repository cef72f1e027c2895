"""What the layers of a graph read, where the CPU engine trains it in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from netdesc.graph.nodes import INPUT, Flatten, Graph

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Wiring:
    """Dense layers and views in order, each by its number, and the numbers of what it reads.

    What it reads are the dense layers and views whose sum it takes; −1 is the input. A view hands
    that sum on as it is. The last but for ``idle`` ones is the output, which does not depend on
    these.
    """

    reads: tuple[tuple[int, ...], ...]
    dense: tuple[int, ...]
    """The numbers of the graph's dense layers, in its order."""
    idle: int = 0

    @property
    def ends_with_sum(self) -> bool:
        """Whether the output is a view."""
        return len(self.reads) - self.idle - 1 not in self.dense

    @property
    def sums_up_input(self) -> bool:
        """Whether the input is part of a sum."""
        return any(-1 in read and len(read) > 1 for read in self.reads)

    def placed(self, layers: Iterable[_Item]) -> list[_Item | None]:
        """What there is for each of the graph's dense layers, by number; None for each view."""
        of_number = dict(zip(self.dense, layers, strict=True))
        return [of_number.get(number) for number in range(len(self.reads))]

    def by_graph(self, found: Sequence[_Item]) -> list[_Item]:
        """What was found for each dense layer, by number, in the order of the graph."""
        of_number = dict(zip(sorted(self.dense), found, strict=True))
        return [of_number[number] for number in self.dense]


_MOST_IN_CELL = 1 << 22
"""Of spikes that are added up: so many are exact as floats. Sums of sums can have any number."""

_MOST_OF_INPUT = (1 << 16) - 1
"""Where its spikes are counted, and taken as spikes (see ``kernels.spike_words``)."""


def needed_for_output(graph: Graph) -> set[str]:
    """The names of all that the output depends on, and its own."""
    needed = {graph.layers[-1].name}
    for layer in reversed(graph.layers):
        if layer.name in needed:
            needed.update(layer.inputs)
    return needed


def wiring_in_one_go(graph: Graph) -> Wiring | None:
    """None where it cannot: of sums that are far too large, or an output that needs no weights.

    A flatten layer is but another name for what it reads. Where that is a sum it is a view, where
    gradients meet before they go on.
    """
    numbers, reads, dense = {INPUT: -1}, list[tuple[int, ...]](), list[int]()
    for layer in graph.layers:
        if isinstance(layer, Flatten) and len(layer.inputs) == 1:
            numbers[layer.name] = numbers[layer.inputs[0]]
            continue
        if not isinstance(layer, Flatten):
            dense.append(len(reads))
        numbers[layer.name] = len(reads)
        reads.append(tuple(numbers[name] for name in layer.inputs))
    needed = needed_for_output(graph)
    wanted = {numbers[layer.name] for layer in graph.layers if layer.name in needed} - {-1}
    if wanted.isdisjoint(dense) or _most_in_cell(reads, dense) > _MOST_IN_CELL:
        return None
    order = [*sorted(wanted), *(n for n in range(len(reads)) if n not in wanted)]
    place = {number: at for at, number in enumerate(order)} | {-1: -1}
    return Wiring(
        tuple(tuple(place[each] for each in reads[number]) for number in order),
        tuple(place[number] for number in dense),
        len(reads) - len(wanted),
    )


def _most_in_cell(reads: Sequence[tuple[int, ...]], dense: Sequence[int]) -> int:
    """How many spikes there can be in a cell of any sum that is read."""
    of_layers, most = {*dense}, list[int]()
    for read in reads:
        of_each = [_MOST_OF_INPUT if n < 0 else 1 if n in of_layers else most[n] for n in read]
        most.append(sum(of_each))
    return max(most)
