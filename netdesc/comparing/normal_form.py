"""The normal form of a document: documents with the same meaning have the same normal form.

The normal form contains all defaults. ``layers`` is an object that maps names to layers, and each
layer has ``from``. If both documents have a layer, but its neuron has another name in each, then
the layer contains the neuron itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netdesc.comparing.operand import Operand
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, members, pointer


class NormalForm:
    """The normal form (``data``) of an operand's document, for the comparison with ``other``."""

    def __init__(self, operand: Operand, other: Operand) -> None:
        self._written = operand.description.document.model_dump(mode="json")
        self._origins = operand.description.origins
        self._neuron_names: dict[str, str] = {}
        names, other_names = _neuron_names(operand), _neuron_names(other)
        own = operand.description.document.model_dump(mode="json")
        layers: dict[str, Any] = {}
        for layer, section in zip(operand.graph.layers, own["layers"], strict=True):
            inputs = layer.inputs
            section |= {"from": inputs[0] if len(inputs) == 1 else list(inputs)}
            name = names[layer.name]
            if name is not None and name != other_names.get(layer.name, name):
                self._neuron_names[layer.name] = name
                section["neuron"] = own["neurons"][name]
            layers[section.pop("name")] = section
        self._positions = {name: position for position, name in enumerate(layers)}
        compared = {names[name] for name in layers if name in other_names}
        neurons = {
            name: neuron
            for name, neuron in own["neurons"].items()
            if name in other.description.document.neurons or name not in compared
        }
        inline = (layer.get("neuron") for layer in layers.values())
        for neuron in (*neurons.values(), *inline):
            if "learn" in members(neuron):
                neuron["learn"].sort()  # the order of this list means nothing
        self.data = {
            key: value for key, value in own.items() if key not in ("$schema", "format")
        } | {"neurons": neurons, "layers": layers}

    def describe(self, parts: Parts, value: Any) -> dict[str, Any]:
        """Returns ``pointer`` (in the document), ``value`` and ``origin`` of a value of ``data``.

        The origin of an object or list names the origins of all values in it.
        """
        written = self._written_parts(parts)
        at = pointer(written)
        origins = dict.fromkeys(self._find_origins(lookup(self._written, written), at))
        return {"pointer": at, "value": value, "origin": ", ".join(origins)}

    def _written_parts(self, parts: Parts) -> Parts:
        if parts[0] != "layers" or len(parts) == 1:
            return parts
        name, rest = str(parts[1]), parts[2:]
        if rest[:1] == ("neuron",) and name in self._neuron_names:
            return ("neurons", self._neuron_names[name], *rest[1:])
        return ("layers", self._positions[name], *rest)

    def _find_origins(self, value: Any, at: str) -> Iterator[str]:
        if at in self._origins:
            yield self._origins[at]
        for key, inner in members(value).items():
            yield from self._find_origins(inner, at + pointer((key,)))


def _neuron_names(operand: Operand) -> dict[str, str | None]:
    """Returns each layer's neuron name; None if the layer contains its neuron or has none."""
    return {
        layer.name: neuron if isinstance(neuron := getattr(layer, "neuron", None), str) else None
        for layer in operand.description.document.layers
    }
