"""Which values of two documents differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from netdesc.comparing.items import Item

LAYERS, NEURONS = "layers", "neurons"


@dataclass(frozen=True, slots=True)
class Difference:
    """``place`` is written as ``--set`` has it. A side that has nothing there is None."""

    place: str
    a: Item | None
    b: Item | None


def differences(a: Item, b: Item) -> list[Difference]:
    """The values that differ, in the order of the documents. Layers of one side are left out."""
    a, b = _with_neurons(a, b), _with_neurons(b, a)
    return list(_differences("", _without_compared(a, b), _without_compared(b, a)))


def _differences(place: str, a: Item | None, b: Item | None) -> Iterator[Difference]:
    if a is None or b is None or not (a.is_open and b.is_open):
        if a is None or b is None or a.value != b.value:
            yield Difference(place, a, b)
        return
    types = [each.held["type"].value if "type" in each.held else None for each in (a, b)]
    for key in dict.fromkeys([*a.held, *b.held]):
        one, other = a.held.get(key), b.held.get(key)
        only = one if other is None else other if one is None else None
        if only is not None and (
            place == LAYERS or (types[0] != types[1] and only.origin == "default")
        ):
            continue  # another list has these layers; another type brings its own defaults
        yield from _differences(f"{place}.{key}" if place else key, one, other)


# Neurons


def _with_neurons(own: Item, other: Item) -> Item:
    """The document with the neurons themselves in those layers that name another on this side.

    Where both sides name the same neuron, it is compared once, and not in each of its layers.
    """
    others = _layers(other)
    layers = {
        name: _resolved(layer, own)
        if name in others and _named(layer) != _named(others[name])
        else layer
        for name, layer in _layers(own).items()
    }
    return _replaced(own, LAYERS, layers)


def _named(layer: Item) -> str | None:
    neuron = layer.held.get("neuron")
    return neuron.value if neuron is not None and isinstance(neuron.value, str) else None


def _resolved(layer: Item, document: Item) -> Item:
    name = _named(layer)
    if name is None:
        return layer
    return replace(layer, held={**layer.held, "neuron": document.held[NEURONS].held[name]})


def _without_compared(own: Item, other: Item) -> Item:
    """The document without the neurons that only it has and that were compared in its layers."""
    shared = _layers(own).keys() & _layers(other).keys()
    compared = {
        neuron.pointer
        for name in shared
        if (neuron := _layers(own)[name].held.get("neuron")) is not None
    }
    kept = {
        name: neuron
        for name, neuron in own.held[NEURONS].held.items()
        if name in other.held[NEURONS].held or neuron.pointer not in compared
    }
    return _replaced(own, NEURONS, kept)


def _layers(document: Item) -> Mapping[str, Item]:
    return document.held[LAYERS].held


def _replaced(document: Item, section: str, held: Mapping[str, Item]) -> Item:
    return replace(
        document, held={**document.held, section: replace(document.held[section], held=held)}
    )
