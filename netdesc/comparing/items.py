"""A document with all defaults in a form in which what means the same is the same.

Layers are found by name, and say which layers they read. Their neurons are found by their name, or
in the layer. Files are taken out: see ``netdesc.comparing.files``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from netdesc.comparing.side import Side
from netdesc.description.data_files import paths_of
from netdesc.description.plain import members, pointer
from netdesc.description.tree import Parts

_WITHOUT_MEANING = {"$schema", "format"}
_SETS = {"learn"}
"""Lists whose order means nothing."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value with its place in the document and who set it (several where parts differ).

    Of an open one ``held`` are the items in it, which are compared one by one; others are compared
    whole.
    """

    value: Any
    pointer: str
    origin: str
    is_open: bool
    held: Mapping[str, Item] = field(default_factory=dict[str, "Item"])


def items(side: Side) -> Item:
    """The whole document of a side."""
    document, origins = side.description.document, side.description.origins
    data = document.model_dump(mode="json")
    files = {parts[:-1] for parts in paths_of(document)}
    whole = _item(data, (), origins, files)
    layers = {
        layer.name: _layer(item, layer.inputs)
        for layer, item in zip(side.graph.layers, whole.held["layers"].held.values(), strict=True)
    }
    held = {key: item for key, item in whole.held.items() if key not in _WITHOUT_MEANING}
    return replace(whole, held={**held, "layers": replace(whole.held["layers"], held=layers)})


def _item(value: Any, parts: Parts, origins: Mapping[str, str], files: Collection[Parts]) -> Item:
    at = pointer(parts)
    parts_in_it = {
        str(key): _item(each, (*parts, key), origins, files) for key, each in members(value).items()
    }
    origin = origins.get(at) or ", ".join(
        dict.fromkeys(one for each in parts_in_it.values() for one in each.origin.split(", "))
    )
    if not isinstance(value, dict | list):
        return Item(value, at, origin, is_open=False)
    if value and isinstance(value, list) and not any(map(members, value)):
        is_set = bool(parts) and parts[-1] in _SETS
        return Item(sorted(value) if is_set else value, at, origin, is_open=False)
    taken = ("path", "sha256") if parts in files else ()
    held = {key: each for key, each in parts_in_it.items() if key not in taken}
    return Item(value, at, origin, is_open=True, held=held)


def _layer(item: Item, inputs: tuple[str, ...]) -> Item:
    """The layer without its name, and with the names of those that it reads."""
    held = {key: each for key, each in item.held.items() if key != "name"}
    reads = inputs[0] if len(inputs) == 1 else list(inputs)
    return replace(item, held={**held, "from": replace(held["from"], value=reads, is_open=False)})
