"""Reads NIR files into their record, with the hdf5 reader that is safe for untrusted files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from netdesc.exchange.errors import NetFileError
from netdesc.exchange.hdf5_reader import Hdf5Group, escape_name, open_net
from netdesc.exchange.nir.nir_record import METADATA, FieldValue, NirGraph, NirNode

MAX_NODES = 4_000
MAX_EDGES = 16_000
MAX_METADATA_BYTES = 1 << 20
MAX_DEPTH = 8
"""How deep graphs may stand in graphs."""
MAX_SIZE = 1 << 24

_POOL = "kernel_size stride padding"
FIELDS: dict[str, str] = {
    "Input": "shape",
    "Output": "shape?",
    "Linear": "weight",
    "Affine": "weight bias",
    "Conv2d": "weight bias? input_shape? stride padding dilation groups",
    "Scale": "scale",
    "SumPool2d": _POOL,
    "AvgPool2d": _POOL,
    "Flatten": "start_dim end_dim input_type?",
    "Delay": "delay",
    "Threshold": "threshold",
    "I": "r",
    "IF": "r v_threshold v_reset?",
    "LI": "tau r v_leak",
    "LIF": "tau r v_leak v_threshold v_reset?",
    "CubaLI": "tau_syn tau_mem r v_leak w_in?",
    "CubaLIF": "tau_syn tau_mem r v_leak v_threshold v_reset? w_in?",
}
"""Type of a node -> its fields. Those with a question mark may be missing, as in older files."""

_LOWEST = {"padding": 0, "start_dim": -8, "end_dim": -8}
_SIZES = {"shape", "input_shape", "input_type", "stride", "dilation", "groups", "kernel_size"}
_SIZES |= _LOWEST.keys()
"""Fields that are integers; the padding is them or a text."""

Edges = list[tuple[str, str]]


def read_graph(path: str | Path) -> NirGraph:
    """Reads a NIR file. Nodes of a graph in the graph get names such as ``outer.inner``.

    NetFileError, with the node, if the file is invalid, or has nodes that netdesc does not read.
    """
    with open_net(path) as root:
        if not root.has("node"):
            kind = "a .net file of lava-dl" if root.has("layer") else "not a NIR file"
            raise NetFileError(path, f'this is {kind}: there is no group "node" in it')
        top = root.group("node")
        if (kind := top.text("type")) != "NIRGraph":
            raise top.error("type", f"is {escape_name(kind)}; a file holds a NIRGraph")
        graph = NirGraph({}, [], {}, root.text("version"))
        metadata = top.group("metadata") if top.has("metadata") else None
        if metadata is not None and metadata.has(METADATA):
            graph.metadata[METADATA] = metadata.text(METADATA, MAX_METADATA_BYTES)
        if metadata is not None and metadata.has("dt"):
            graph.metadata["dt"] = metadata.number("dt")
        graph.edges.extend(_read_nodes(graph, top, "", 0))
        return graph


def bridge(edges: Sequence[tuple[str, str]], name: str) -> Edges:
    """Returns the edges without a node that hands on what it reads."""
    sources, targets = ([edge[1 - end] for edge in edges if edge[end] == name] for end in (1, 0))
    others = [edge for edge in edges if name not in edge]
    return others + [(source, target) for source in sources for target in targets]


def _read_nodes(graph: NirGraph, group: Hdf5Group, prefix: str, depth: int) -> Edges:
    """Adds the nodes of a graph, whose names get the ``prefix``, and returns its edges."""
    nodes, inner, edges = group.group("nodes"), dict[str, tuple[str, str]](), Edges()
    for name in nodes.names():
        node, full_name = nodes.group(name), prefix + name
        kind = node.text("type")
        if kind == "NIRGraph":
            if depth == MAX_DEPTH:
                raise node.error("", f"stands in {MAX_DEPTH} graphs, which is too deep")
            before = len(graph.nodes)
            edges += _read_nodes(graph, node, f"{full_name}.", depth + 1)
            added = list(graph.nodes)[before:]
            ends = [[n for n in added if graph.nodes[n].type == end] for end in ("Input", "Output")]
            if [len(names) for names in ends] != [1, 1]:
                raise node.error("", "is a graph without one input and one output; refused")
            inner[full_name] = ends[0][0], ends[1][0]
        elif kind not in FIELDS:
            types = ", ".join([*FIELDS, "NIRGraph"])
            raise node.error("type", f"is {escape_name(kind)}; netdesc reads {types}")
        elif len(graph.nodes) == MAX_NODES or full_name in graph.nodes:
            raise node.error("", f"is one of more than {MAX_NODES} nodes, or of two of this name")
        else:
            graph.nodes[full_name] = NirNode(kind, dict(_read_fields(node, FIELDS[kind])))
    shape = group.shape("edges")
    if len(shape) != 2 or shape[1] != 2:
        raise group.error("edges", f"has shape {list(shape)}; pairs of nodes are needed")
    names = [prefix + name for name in group.texts("edges", 2 * MAX_EDGES)]
    if missing := set(names) - graph.nodes.keys() - inner.keys():
        raise group.error("edges", f'has the node "{escape_name(min(missing))}", which is missing')
    pairs = zip(names[::2], names[1::2], strict=True)
    edges += [(inner.get(a, (a, a))[1], inner.get(b, (b, b))[0]) for a, b in pairs]
    for ends in inner.values():
        for name in ends:
            edges = bridge(edges, name)
            graph.nodes.pop(name)
    return edges


def _read_fields(node: Hdf5Group, fields: str) -> Iterator[tuple[str, FieldValue]]:
    for word in fields.split():
        name = word.removesuffix("?")
        if name != word and not node.has(name):
            continue
        if name in _SIZES:
            yield name, _read_sizes(node, name)
            continue
        values = node.reals(name)
        if not values.size or np.isnan(values).any():
            raise node.error(name, "holds NaN" if values.size else "is empty")
        if np.isinf(values).any() and not name.startswith("tau"):
            raise node.error(name, "holds an infinite number")
        yield name, values


def _read_sizes(node: Hdf5Group, name: str) -> FieldValue:
    if name == "padding" and node.is_text(name):
        text = node.text(name)
        if text not in ("same", "valid"):
            raise node.error(name, f'is "{text}"; it is "same", "valid" or numbers')
        return text
    sizes, lowest = node.integers(name).reshape(-1), _LOWEST.get(name, 1)
    if not 1 <= sizes.size <= 8 or (sizes < lowest).any() or (sizes > MAX_SIZE).any():
        raise node.error(name, f"is {sizes.tolist()[:8]}; it is 1 to 8 numbers from {lowest} on")
    return int(sizes[0]) if name in ("groups", "start_dim", "end_dim") else tuple(sizes.tolist())
