"""What the layers of a graph read, where the CPU engine can train it in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from netdesc.graph.nodes import INPUT, Flatten, Graph

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Wiring:
    """Dense layers and views in order, each by its number, and the numbers of what it reads.

    What it reads are the dense layers and views whose sum it takes; −1 is the input. A view hands
    that sum on as it is.
    """

    reads: tuple[tuple[int, ...], ...]
    views: frozenset[int] = frozenset()

    def placed(self, layers: Iterable[_Item]) -> list[_Item | None]:
        """What there is for each dense layer, with None for each view."""
        of_dense = iter(layers)
        numbers = range(len(self.reads))
        return [None if number in self.views else next(of_dense) for number in numbers]

    def summands(self, number: int) -> tuple[int, ...]:
        """The dense layers, and −1 for the input, that are added up where this one reads."""
        return expanded(self.reads, self.views, self.reads[number])

    @property
    def sums_up_input(self) -> bool:
        """Whether the input is part of a sum."""
        sums = [self.summands(n) for n in range(len(self.reads)) if n not in self.views]
        return any(-1 in each and len(each) > 1 for each in sums)


def expanded(
    reads: tuple[tuple[int, ...], ...], views: frozenset[int], read: tuple[int, ...]
) -> tuple[int, ...]:
    """``read`` with what each view among it reads in its place."""
    found: list[int] = []
    for number in read:
        found += expanded(reads, views, reads[number]) if number in views else (number,)
    return tuple(found)


def wiring_in_one_go(graph: Graph) -> Wiring | None:
    """None where it cannot (see ``training.direct``), so that torch has to differentiate.

    Every layer has to be read. A flatten layer is but another name for what it reads. Where that is
    a sum it is a view, where gradients meet before they go on. An input that is no spikes has to be
    added up in the order of the graph, so it cannot be part of a sum that has another sum as a
    later part.
    """
    numbers, reads, views = {INPUT: -1}, list[tuple[int, ...]](), set[int]()
    for layer in graph.layers:
        if isinstance(layer, Flatten) and len(layer.inputs) == 1:
            numbers[layer.name] = numbers[layer.inputs[0]]
            continue
        if isinstance(layer, Flatten):
            views.add(len(reads))
        numbers[layer.name] = len(reads)
        reads.append(tuple(numbers[name] for name in layer.inputs))
    last = len(reads) - 1
    wanted = {number for read in reads for number in read} | {numbers[graph.layers[-1].name]}
    if last < 0 or last in views or wanted - {-1} != set(range(last + 1)):
        return None
    wiring = Wiring(tuple(reads), frozenset(views))
    in_order = all(_is_added_in_order(wiring, number) for number in range(len(reads)))
    return wiring if in_order else None


def _is_added_in_order(wiring: Wiring, number: int) -> bool:
    read = wiring.reads[number]
    return wiring.views.isdisjoint(read[1:]) or -1 not in wiring.summands(number)
