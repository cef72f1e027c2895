"""Joins the nodes of a NIR graph to layers, as a document has them."""

import graphlib
from collections.abc import Collection
from dataclasses import dataclass, field

from netdesc.exchange.errors import LayerError
from netdesc.exchange.hdf5_reader import escape_name
from netdesc.exchange.nir.nir_reader import bridge
from netdesc.exchange.nir.nir_record import NirGraph, NirNode

ROLES: dict[str, str] = {
    **dict.fromkeys(("Linear", "Affine", "Conv2d", "SumPool2d"), "synapse"),
    **dict.fromkeys(("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"), "neuron"),
    **dict.fromkeys(("Flatten", "AvgPool2d", "Output"), "view"),
    **{name: name.lower() for name in ("Scale", "Threshold", "Delay", "Input")},
}
"""Type of a node -> its role in a layer."""
_FOLLOWERS = {
    "scale": ("synapse",),
    "synapse": ("neuron", "scale"),
    "factor": ("neuron",),
    "neuron": ("delay", "threshold"),
    "threshold": ("delay",),
}
"""Role -> the roles that may come next in the same layer."""


@dataclass(eq=False)
class Draft:
    """A layer: its nodes by their roles, and the nodes that it reads.

    ``recurrent`` is the role of the weights from the neurons to themselves, ``factor`` that of what
    scales the sums of weights.
    """

    sources: list[str]
    parts: dict[str, NirNode] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, role: str, name: str, node: NirNode) -> None:
        role = "factor" if role == "scale" and self.parts else role
        self.parts[role], self.names[role] = node, name

    def error(self, role: str, problem: str, hint: str = "") -> LayerError:
        """Returns an error of the node with the role, or of the first one."""
        name = self.names.get(role) or next(iter(self.names.values()))
        return LayerError(f'node "{escape_name(name)}"', problem, hint=hint)


def draft_layers(graph: NirGraph, skipped: Collection[str]) -> tuple[str, list[Draft]]:
    """Returns the name of the input, and the layers in an order in which each reads earlier ones.

    Nodes in ``skipped`` hand on what they read. LayerError if the graph has a cycle that is not
    that of one layer of neurons, not one input and one output, or nodes that lead to neither.
    """
    edges, nodes = list(dict.fromkeys(graph.edges)), dict(graph.nodes)
    for name in skipped:
        edges = bridge(edges, name)
        nodes.pop(name)
    ends = [[n for n, node in nodes.items() if node.type == kind] for kind in ("Input", "Output")]
    if [len(names) for names in ends] != [1, 1]:
        problem = f"holds {len(ends[0])} nodes of type Input and {len(ends[1])} of type Output"
        raise LayerError("node/nodes", f"{problem}; a document has one input and one output")
    (start,), (end,) = ends
    sources, targets = ({name: list[str]() for name in nodes} for _ in range(2))
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    loops: dict[str, str] = {}
    for name in nodes:
        if nodes[name].type in ("Linear", "Affine") and len(sources[name]) == 1:
            neurons = sources[name][0]
            if targets[name] == [neurons] and ROLES[nodes[neurons].type] == "neuron":
                loops.setdefault(neurons, name)
    for neurons, name in loops.items():
        sources[neurons].remove(name)
        targets[neurons].remove(name)
    drafts, last = list[Draft](), dict[str, Draft]()
    for name in _sort(sources):
        if name == start or name in loops.values():
            continue
        role, before = ROLES[nodes[name].type], sources[name]
        if not before or (not targets[name] and name != end):
            raise LayerError(f'node "{escape_name(name)}"', "is on no path from input to output")
        draft = last.get(before[0])
        is_single = len(before) == len(targets[before[0]]) == 1
        follows = _FOLLOWERS.get([*draft.parts][-1 - (before[0] in loops)], ()) if draft else ()
        if draft is None or not is_single or role not in follows:
            if name == end and len(before) == 1 and draft is not None:
                continue
            draft = Draft(before)
            drafts.append(draft)
        draft.add(role, name, nodes[name])
        last[name] = draft
        if name in loops:
            draft.add("recurrent", loops[name], nodes[loops[name]])
    return start, drafts


def _sort(sources: dict[str, list[str]]) -> list[str]:
    try:
        return list(graphlib.TopologicalSorter(sources).static_order())
    except graphlib.CycleError as error:
        names = ", ".join(f'"{escape_name(name)}"' for name in error.args[1][:6])
        rule = "a cycle is one of neurons and one Linear or Affine, which reads only these neurons"
        raise LayerError("node/edges", f"have a cycle through {names}; {rule}") from error
