"""Writes a NIR record as a file, with the datasets that the package nir writes."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from netdesc.exchange.net_writer import write_content
from netdesc.exchange.nir.nir_record import NirGraph


def write_graph(path: str | Path, graph: NirGraph) -> None:
    """Writes ``graph`` atomically. NetFileError if the file cannot be written."""
    with h5py.File("network.nir", "w", driver="core", backing_store=False) as file:
        file.create_dataset("version", data=graph.version, dtype=h5py.string_dtype())
        root = file.create_group("node")
        nodes = root.create_group("nodes")
        for name, node in graph.nodes.items():
            group = nodes.create_group(name)
            _write(group, {"type": node.type, **node.fields})
        edges = np.array(graph.edges, dtype=object).reshape(-1, 2)
        root.create_dataset("edges", data=edges, dtype=h5py.string_dtype())
        _write(root, {"type": "NIRGraph"})
        _write(root.create_group("metadata"), graph.metadata)
        file.flush()
        content = file.id.get_file_image()
    write_content(path, content)


def _write(group: h5py.Group, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, str):
            group.create_dataset(name, data=value, dtype=h5py.string_dtype())
        elif np.ndim(value):
            group.create_dataset(name, data=np.asarray(value), compression="gzip", shuffle=True)
        else:
            group.create_dataset(name, data=value)
