"""Walks a document through the steps, and keeps for each value where in the text it came from."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from netdesc.description.migrations.step import Step
from netdesc.description.models.document import FORMAT
from netdesc.description.plain import lookup, members, pointer
from netdesc.description.tree import Node, Parts, Span

STEPS: Mapping[int, Step] = {}
"""The steps by the format from which they start. Format 1 is the lowest, so there is none yet."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """A document in the present format.

    ``root`` is its tree: values and keys know their places in the text of the older format, and
    those that have none there are left out. ``made`` holds the paths of the values that hold no
    other and that a step set. Of a document in the present format nothing is changed.
    """

    root: Node
    made: frozenset[Parts] = frozenset()


def is_older(root: Node, guessed: Collection[int] = (), steps: Mapping[int, Step] = STEPS) -> bool:
    """Whether steps lead from the format of this document to the present one."""
    given, node = lookup(root.value, ("format",)), root.find(("format",))
    if type(given) is not int or node is None or node.start in guessed:
        return False
    return given < FORMAT and all(number in steps for number in range(given, FORMAT))


def migrated(
    root: Node, guessed: Collection[int] = (), steps: Mapping[int, Step] = STEPS
) -> Migrated:
    """The document in the present format, where steps lead there; else as it is.

    ``guessed`` are the places of values whose text is no JSON: a format among them counts for
    nothing.
    """
    made: frozenset[Parts] = frozenset()
    if not is_older(root, guessed, steps):
        return Migrated(root)
    for number in range(root.value["format"], FORMAT):
        step = steps[number]
        data = step.change(copy.deepcopy(root.value)) | {"format": number + 1}
        tracing = _Tracing(step, root, made)
        root = tracing.node(data, (), ()) or Node(root.start, root.end, data)
        made = frozenset(tracing.made)
        _follow_origins(data, tracing)
    return Migrated(root, made)


@dataclass(slots=True)
class _Tracing:
    """Finds the values of a new document in the tree of the old one."""

    step: Step
    old: Node
    old_made: frozenset[Parts]
    made: set[Parts] = field(default_factory=set[Parts])
    sources: dict[Parts, Parts] = field(default_factory=dict[Parts, Parts])
    """Old places of the values that hold no other and that no step set."""

    def node(self, value: Any, parts: Parts, source: Parts | None) -> Node | None:
        """The tree of a new value; None where nothing of it stands in the text."""
        before = None if source is None else self.old.find(source)
        children: dict[str | int, Node] = {}
        keys: dict[str, Span] = {}
        names = _names(before)
        for key, inner in members(value).items():
            at = names.get(_name(inner) if isinstance(key, int) else key, key)
            place = self._source((*parts, key), None if source is None else (*source, at))
            child = self.node(inner, (*parts, key), place)
            if child is None:
                continue
            children[key] = child
            span = self._key_span(place)
            if isinstance(key, str) and span is not None:
                keys[key] = span
        if not members(value):
            self._note(value, parts, source, before)
        spot = before or next(iter(children.values()), None)
        return None if spot is None else Node(spot.start, spot.end, value, children, keys)

    def _source(self, parts: Parts, usual: Parts | None) -> Parts | None:
        """The old place of a value: as the step tells, or else the usual one."""
        told = self.step.source(parts)
        return told if told is not None and self.old.find(told) is not None else usual

    def _key_span(self, place: Parts | None) -> tuple[int, int] | None:
        parent = self.old.find(place[:-1]) if place else None
        return parent.keys.get(str(place[-1])) if parent is not None and place else None

    def _note(self, value: Any, parts: Parts, source: Parts | None, before: Node | None) -> None:
        """Says of a value that holds no other whether it is the user's."""
        is_same = before is not None and type(before.value) is type(value) and before.value == value
        if is_same and source is not None and source not in self.old_made:
            self.sources[parts] = source
        else:
            self.made.add(parts)


def _name(item: Any) -> str | None:
    name = lookup(item, ("name",))
    return name if isinstance(name, str) else None


def _names(node: Node | None) -> dict[str | int | None, str | int]:
    """Where the named items of a list are, such as the layers, and the entries of an object.

    A name that several items have tells nothing: these are where they were.
    """
    if node is None:
        return {}
    if isinstance(node.value, dict):
        return {key: key for key in node.children}
    named = [(_name(item), key) for key, item in members(node.value).items()]
    times = Counter(name for name, _ in named)
    return {name: key for name, key in named if name is not None and times[name] == 1}


def _follow_origins(data: dict[str, Any], tracing: _Tracing) -> None:
    """In a lock, origins stand by the places of the values, which may have moved."""
    lock = data.get("lock")
    origins = lookup(lock, ("origins",))
    if not isinstance(lock, dict) or not isinstance(origins, dict):
        return
    known = cast("dict[str, Any]", origins)
    moved = {
        pointer(new): known[pointer(old)]
        for new, old in tracing.sources.items()
        if pointer(old) in known
    }
    made = {pointer(parts): "migration" for parts in tracing.made if parts[0] != "lock"}
    data["lock"] = {**cast("dict[str, Any]", lock), "origins": moved | made}
