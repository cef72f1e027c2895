"""Source map: converts a path in the document to a position in its text, and makes diagnostics.

A path (``parts``) consists of keys and indices. The value at a path is in the text or came from
``--set``.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from netdesc.description.diagnostics.diagnostic import Diagnostic, Related, Severity
from netdesc.description.fixes import PathFix
from netdesc.description.json.tree import Node, Parts, Span
from netdesc.description.json_pointer import dotted, lookup, pointer
from netdesc.description.source import Source

On = Literal["key", "value"] | Span
"""What of a path is meant: its key, its value, or some characters of its string, from 0."""

_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
"""A character of a JSON string, escaped or not."""


@dataclass(frozen=True, slots=True)
class RelatedPath:
    """A second path that explains a diagnostic, and the message to show there."""

    parts: Parts
    message: str
    on: On = "value"


@dataclass(slots=True)
class SourceMap:
    """Maps paths of a document to positions in its text. ``root`` is the tree of the text."""

    source: Source
    root: Node
    data: Any
    overridden: dict[Parts, str] = field(default_factory=dict[Parts, str])
    """The ``--set`` arguments, by the path that each changed."""

    def diagnostic(
        self,
        code: str,
        parts: Parts,
        message: str,
        *,
        hint: str = "",
        notes: tuple[str, ...] = (),
        severity: Severity = "error",
        on: On = "value",
        related: tuple[RelatedPath, ...] = (),
    ) -> Diagnostic:
        """Returns a diagnostic at a path: at its value, its key, or characters of its string.

        A missing field is shown at the object that should have it. Related paths that the document
        lacks are dropped, such as the path of a field that has its default value.
        """
        diagnostic = Diagnostic(code, severity, self.source.name, message, pointer(parts))
        places = tuple(place for each in related if (place := self._related(each)) is not None)
        override = self._override(parts)
        whole = replace(diagnostic, hint=hint, notes=notes, related=places, override=override)
        return whole if override is not None else self.source.locate(whole, *self.span(parts, on))

    def _inside(self, span: Span, characters: Span) -> Span:
        """Returns the span of some characters of the string at ``span``, which may have escapes."""
        raw = self.source.text[slice(*span)]
        ends = [0, *(each.end() for each in _CHARACTER.finditer(raw[1:-1]))]
        first, last = characters
        if raw[:1] != '"' or last >= len(ends):
            return span  # the text has no such string
        return span[0] + 1 + ends[first], span[0] + 1 + ends[last]

    def add_fix(self, diagnostic: Diagnostic, path_fix: PathFix) -> Diagnostic:
        """Adds a fix of the text to a diagnostic, unless the value came from ``--set``, or the text
        lacks the path.
        """
        parent = self.root.find(path_fix.path[:-1])
        if parent is None or diagnostic.override is not None:
            return diagnostic
        text, title = path_fix.text, path_fix.title
        if path_fix.act == "rename":
            span, text = parent.key_span(path_fix.old), f'"{path_fix.path[-1]}"'
        elif path_fix.act == "add":
            span, text = _insertion(self.source.text, parent, path_fix)
        else:
            node = self.root.find(path_fix.path)
            span = (node.start, node.end) if node is not None else None
            title += f" for {self.source.text[slice(*span)]}" if span is not None else ""
        if span is None:
            return diagnostic
        return replace(diagnostic, fix=self.source.fix(title, *span, text))

    def span(self, parts: Parts, on: On) -> Span:
        """Returns the span of what ``on`` says of a path in the text.

        If the text lacks the path, the closest object or list around the path is used. The span of
        an object or list is that of its key, or of its first character if it has no key.
        """
        node, parent = self.root.find(parts), self.root.find(parts[:-1])
        key = parent.key_span(parts[-1]) if parent is not None and parts else None
        if node is None:
            return self.span(parts[:-1], "value")
        if key is not None and (on == "key" or node.is_filled):
            return key
        if node.is_filled:
            return node.start, node.start + 1
        span = node.start, node.end
        return self._inside(span, on) if isinstance(on, tuple) else span

    def _related(self, related: RelatedPath) -> Related | None:
        parts, override = related.parts, self._override(related.parts)
        place = Related(related.message, self.source.name, pointer(parts), override=override)
        if override is not None:
            return place
        is_written = self.root.find(parts) is not None
        return self.source.locate(place, *self.span(parts, related.on)) if is_written else None

    def _override(self, parts: Parts) -> str | None:
        for length in range(len(parts), 0, -1):
            if parts[:length] in self.overridden:
                return self.overridden[parts[:length]]
        # The command line may have created a section that the text does not have.
        for length in range(1, len(parts) + 1):
            if self.root.find(parts[:length]) is None:
                inside = (by for at, by in self.overridden.items() if at[:length] == parts[:length])
                return next(inside, None)
        return None

    def subject(self, parts: Parts) -> str:
        """Returns a noun phrase for the object at a path, such as ``layer "hidden"``."""
        match parts:
            case ():
                return "the document"
            case ("neurons", str(name)):
                return f'neuron "{name}"'
            case ("layers", int(index)):
                name = lookup(self.data, (*parts, "name"))
                return f'layer "{name}"' if isinstance(name, str) else f"layer {index}"
            case ("layers", int(), "neuron"):
                return f"the neuron of {self.subject(parts[:2])}"
            case _:
                return dotted(parts)


def _insertion(text: str, holder: Node, path_fix: PathFix) -> tuple[Span, str]:
    """Returns the place (an empty span) of a new member of the object ``holder``, and its text.

    The new member becomes the first one, or the second one after ``$schema``, which editors and
    people expect on top. The white space before it is copied from the first member.
    """
    member = f'"{path_fix.path[-1]}": {path_fix.text}'
    at = holder.start + 1
    if not holder.value:
        return (at, at), member
    key = next(iter(holder.value))
    first, node = holder.key_span(key), holder.find((key,))
    assert first is not None
    assert node is not None
    space = text[at : first[0]]
    if key == "$schema":
        return (node.end, node.end), f",{space or ' '}{member}"
    return (first[0], first[0]), f"{member},{space or ' '}"
