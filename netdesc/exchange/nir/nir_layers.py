"""Joins the nodes of a NIR graph to layers, as a document has them."""

import graphlib
from collections.abc import Collection
from dataclasses import dataclass, field

from netdesc.exchange.errors import LayerError
from netdesc.exchange.hdf5_reader import escape_name
from netdesc.exchange.nir.nir_reader import Edges, bridge
from netdesc.exchange.nir.nir_record import NirGraph, NirNode

ROLES: dict[str, str] = {
    **dict.fromkeys(("Linear", "Affine", "Conv2d", "SumPool2d"), "synapse"),
    **dict.fromkeys(("IF", "LIF", "CubaLIF"), "neuron"),
    **dict.fromkeys(("I", "LI", "CubaLI"), "readout"),
    **dict.fromkeys(("Flatten", "AvgPool2d"), "view"),
    **{name: name.lower() for name in ("Scale", "Threshold", "Delay", "Input", "Output")},
}
"""Type of a node -> its role in a layer."""

_FOLLOWERS: dict[str, tuple[str, ...]] = {
    "scale": ("scale", "synapse", "neuron", "readout", "threshold"),
    "synapse": ("scale", "neuron", "readout", "threshold"),
    "readout": ("threshold", "delay"),
    "neuron": ("delay",),
    "threshold": ("delay",),
}
"""Role -> the roles that may come next in the same layer."""


def node_text(name: str) -> str:
    """Returns how messages name a node."""
    return f'node "{escape_name(name)}"'


@dataclass(eq=False)
class Arm:
    """A path into a layer: what it reads, what scales that, a synapse, and what scales its output.

    ``sources`` are the last nodes of other layers, or the input.
    """

    sources: list[str]
    before: list[NirNode] = field(default_factory=list)
    synapse: NirNode | None = None
    after: list[NirNode] = field(default_factory=list)


@dataclass(eq=False)
class Draft:
    """The nodes of a layer, in the order in which values pass them. What its arms give adds up."""

    arms: list[Arm]
    nodes: list[str] = field(default_factory=list)
    name: str = ""
    """The node that names the layer: its synapse, or else its last one."""
    parts: dict[str, NirNode] = field(default_factory=dict)
    """Role -> the node; ``recurrent`` is the one from the neurons to themselves."""
    names: dict[str, str] = field(default_factory=dict)
    """Role -> the name of the node."""

    def add(self, name: str, node: NirNode) -> None:
        role, arm = ROLES[node.type], self.arms[-1]
        self.nodes.append(name)
        self.name = name if arm.synapse is None else self.name
        if role == "scale":
            (arm.before if arm.synapse is None else arm.after).append(node)
        elif role == "synapse":
            arm.synapse = node
        else:
            self.parts[role] = node
        self.names[role] = name

    def error(self, problem: str, hint: str = "", role: str = "") -> LayerError:
        """Returns an error of the node with a role, or else of that which names the layer."""
        return LayerError(node_text(self.names.get(role, self.name)), problem, hint=hint)


def draft_layers(graph: NirGraph, skipped: Collection[str]) -> tuple[list[Draft], list[str]]:
    """Returns the layers in an order in which each reads earlier ones, and the names of nodes on
    no path from the input to the output, which are left out.

    Nodes in ``skipped`` hand on what they read. LayerError if the graph has a cycle that is not
    that of one layer of neurons, or not one input and one output.
    """
    edges, nodes = list(dict.fromkeys(graph.edges)), graph.nodes
    for name in skipped:
        edges = bridge(edges, name)
    start, end = find_end(graph, "Input"), find_end(graph, "Output")
    used = _reach(start, edges) & _reach(end, [(target, source) for source, target in edges])
    if end not in used:
        raise LayerError("node/edges", "do not lead from the input to the output")
    edges = [edge for edge in edges if used.issuperset(edge)]
    sources, targets = _neighbours(used, edges)
    recurrent: dict[str, str] = {}
    for name in used:
        loop, kind = sources[name], nodes[name].type
        if loop != targets[name] or len(loop) != 1 or kind not in ("Linear", "Affine"):
            continue
        if recurrent.setdefault(loop[0], name) != name or ROLES[nodes[loop[0]].type] != "neuron":
            raise LayerError(node_text(name), "is a second loop of neurons, or none of neurons")
    edges = [edge for edge in edges if set(edge).isdisjoint(recurrent.values())]
    sources, targets = _neighbours(used - set(recurrent.values()), edges)
    drafts, last = list[Draft](), dict[str, Draft]()
    for name in _sort(sources):
        if name == start:
            continue
        role, before = ROLES[nodes[name].type], [last.get(source) for source in sources[name]]
        open_drafts = [
            draft
            for source, draft in zip(sources[name], before, strict=True)
            if draft is not None
            and len(targets[source]) == 1
            and role in _FOLLOWERS.get(ROLES[nodes[source].type], ())
            and not (role == "synapse" and draft.arms[-1].synapse is not None)
        ]
        has_synapses = all(draft.arms[-1].synapse is not None for draft in open_drafts)
        if len(open_drafts) < len(before) or (len(before) > 1 and not has_synapses):
            draft = Draft([Arm(sources[name])])
        else:
            draft = open_drafts[0]
            drafts = [other for other in drafts if other not in open_drafts]
            for other in open_drafts[1:]:
                draft.arms += other.arms
                draft.nodes += other.nodes
        drafts.append(draft)
        draft.add(name, nodes[name])
        last[name] = draft
        if name in recurrent:
            draft.parts["recurrent"] = nodes[recurrent[name]]
            draft.names["recurrent"] = recurrent[name]
            draft.nodes.append(recurrent[name])
    if drafts[-1].nodes == [end] and len(sources[end]) == 1:
        drafts.pop()
    return drafts, sorted(graph.nodes.keys() - used - set(skipped))


def find_end(graph: NirGraph, kind: str) -> str:
    """Returns the one node of the type Input or Output. LayerError if there are others."""
    ends = [name for name, node in graph.nodes.items() if node.type == kind]
    if len(ends) != 1:
        rule = "a document has one input and one output"
        raise LayerError("node/nodes", f"has {len(ends)} nodes of type {kind}; {rule}")
    return ends[0]


def _neighbours(names: Collection[str], edges: Edges) -> tuple[dict[str, list[str]], ...]:
    """Returns the nodes that each node reads, and those that read it."""
    sources, targets = ({name: list[str]() for name in sorted(names)} for _ in range(2))
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    return sources, targets


def _reach(start: str, edges: Edges) -> set[str]:
    names = {start, *(name for edge in edges for name in edge)}
    targets = _neighbours(names, edges)[1]
    reached, rest = {start}, [start]
    while rest:
        more = set(targets[rest.pop()]) - reached
        reached |= more
        rest += more
    return reached


def _sort(sources: dict[str, list[str]]) -> list[str]:
    try:
        return list(graphlib.TopologicalSorter(sources).static_order())
    except graphlib.CycleError as error:
        names = ", ".join(node_text(name) for name in error.args[1][:6])
        rule = "a cycle is one of neurons and one Linear or Affine, which reads only these neurons"
        raise LayerError("node/edges", f"have a cycle through {names}; {rule}") from error
