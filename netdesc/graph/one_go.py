"""What the layers of a graph read, where the CPU engine can train it in one go."""

from __future__ import annotations

from collections import Counter

from netdesc.graph.nodes import INPUT, Flatten, Graph

Reads = tuple[tuple[int, ...], ...]
"""For each dense layer the numbers of the dense layers whose sum it reads; −1 is the input."""


def reads_in_one_go(graph: Graph) -> Reads | None:
    """None where it cannot (see ``training.direct``), so that torch has to differentiate.

    Every layer has to be read. A flatten layer is another view of what it reads; where that is a
    sum, or a layer that others read as well, gradients would be added up in another order.
    """
    readers = Counter(name for layer in graph.layers for name in layer.inputs)
    numbers, reads = {INPUT: -1}, list[tuple[int, ...]]()
    for layer in graph.layers:
        if not isinstance(layer, Flatten):
            reads.append(tuple(numbers[name] for name in layer.inputs))
            numbers[layer.name] = len(reads) - 1
            continue
        name, *others = layer.inputs
        if others or (numbers[name] >= 0 and readers[name] > 1):
            return None
        numbers[layer.name] = numbers[name]
    last = len(reads) - 1
    wanted = {number for read in reads for number in read} | {numbers[graph.layers[-1].name]}
    return tuple(reads) if last >= 0 and wanted - {-1} == set(range(last + 1)) else None
