"""Where in the document, in the text or in the overrides a path leads, and how to speak of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from netdesc.description.diagnostics.diagnostic import Diagnostic, Edit, Fix, Related, Severity
from netdesc.description.fixes import Remedy
from netdesc.description.json.collector import TextDiagnostic
from netdesc.description.json.tree import Node, Parts, Span
from netdesc.description.json_pointer import dotted, lookup, pointer
from netdesc.description.source import Source

On = Literal["key", "value"]


@dataclass(frozen=True, slots=True)
class Second:
    """A second place of a finding, and what is to be said there."""

    parts: Parts
    message: str
    on: On = "value"


@dataclass(slots=True)
class Places:
    """Makes diagnostics: knows the text, its tree and which values came from ``--set``."""

    source: Source
    root: Node
    data: Any
    overridden: dict[Parts, str] = field(default_factory=dict[Parts, str])
    guessed: Collection[int] = ()
    moved: dict[Parts, Parts] = field(default_factory=dict[Parts, Parts])
    """From the place of a value under its right name to where it stands under a misspelt one."""

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
        related: tuple[Second, ...] = (),
        remedy: Remedy | None = None,
    ) -> Diagnostic:
        """A finding at a path: at its value, or at the key that names it.

        Where the document does not have the path (a missing field), at what encloses it. Second
        places that the document does not have, such as that of a default, are left out.
        """
        parts = self.written(parts)
        seconds = tuple(each for second in related if (each := self._second(second)) is not None)
        override = self._override(parts)
        if override is not None:
            return Diagnostic(
                code,
                severity,
                self.source.name,
                message,
                pointer(parts),
                hint=hint,
                notes=notes,
                related=seconds,
                override=override,
            )
        start, end = self.span(parts, on)
        found = spanned(
            self.source, code, start, end, message, pointer(parts), hint, notes, severity
        )
        fix = self.fix(remedy) if remedy is not None else None
        return replace(found, related=seconds, fix=fix)

    def written(self, parts: Parts) -> Parts:
        """A path as the document writes it, where a key on it is misspelt."""
        for length in range(len(parts), 0, -1) if self.moved else ():
            old = self.moved.get(parts[:length])
            if old is not None:
                parts = (*old, *parts[length:])
        return parts

    def is_guessed(self, parts: Parts) -> bool:
        """True where the value's text was no JSON, so that checking what stands in is idle."""
        if not self.guessed:
            return False
        parts = self.written(parts)
        if self._override(parts) is not None:
            return False
        node = self.root.find(parts)
        return node is not None and not node.children and node.start in self.guessed

    def span(self, parts: Parts, on: On) -> Span:
        node = self.root.find(parts)
        parent = self.root.find(parts[:-1]) if parts else None
        if on == "key" and parent is not None and parts[-1] in parent.keys:
            return parent.keys[str(parts[-1])]
        while node is None:
            # An enclosing object is shown by its key, or by its first character: all of it
            # would underline half the file.
            parts = parts[:-1]
            node = self.root.find(parts)
            if node is not None and node.children and parts:
                return self._opening(node, parts)
        return self._opening(node, parts) if node.children else (node.start, node.end)

    def _opening(self, node: Node, parts: Parts) -> Span:
        parent = self.root.find(parts[:-1]) if parts else None
        if parent is not None and parts[-1] in parent.keys:
            return parent.keys[str(parts[-1])]
        return node.start, node.start + 1

    def _second(self, second: Second) -> Related | None:
        parts = self.written(second.parts)
        override = self._override(parts)
        if override is None and self.root.find(parts) is None:
            return None
        at, name = pointer(parts), self.source.name
        if override is not None:
            return Related(second.message, name, at, override=override)
        return related(self.source, *self.span(parts, second.on), second.message, at)

    def _override(self, parts: Parts) -> str | None:
        for length in range(len(parts), 0, -1):
            if parts[:length] in self.overridden:
                return self.overridden[parts[:length]]
        # A section that the text does not have at all, and the command line began.
        for length in range(1, len(parts) + 1):
            if self.root.find(parts[:length]) is None:
                inside = (by for at, by in self.overridden.items() if at[:length] == parts[:length])
                return next(inside, None)
        return None

    def fix(self, remedy: Remedy) -> Fix | None:
        """What a remedy does to the text; ``None`` where the text does not have the place."""
        parent = self.root.find(self.written(remedy.path[:-1]))
        if parent is None:
            return None
        if remedy.act == "rename":
            span = parent.keys.get(remedy.old)
            text = f'"{remedy.path[-1]}"'
        elif remedy.act == "add":
            span, text = _room_for_first(self.source.text, parent, remedy)
        else:
            node = self.root.find(self.written(remedy.path))
            span = (node.start, node.end) if node is not None else None
            text = remedy.text
        if span is None:
            return None
        title = remedy.title
        if remedy.act == "replace":
            title += f" for {self.source.text[slice(*span)]}"
        return located(self.source, Fix(title, (Edit(*span, text),)))

    def subject(self, parts: Parts) -> str:
        """A noun phrase for an object of the document, as messages use it."""
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


def _room_for_first(text: str, holder: Node, remedy: Remedy) -> tuple[Span, str]:
    """Where a member is added to an object, laid out as its first one is, and the text for it.

    It comes first, but after ``$schema``, which editors and people look for at the top.
    """
    member = f'"{remedy.path[-1]}": {remedy.text}'
    if not holder.keys:
        return (holder.start + 1, holder.start + 1), member
    key, (first, _) = next(iter(holder.keys.items()))
    space = re.match(r"\s*", text[holder.start + 1 : first])
    assert space is not None
    if key == "$schema":
        end = holder.children[key].end
        return (end, end), f",{space[0] or ' '}{member}"
    at = holder.start + 1 + len(space[0])
    return (at, at), f"{member},{space[0] or ' '}"


def located(source: Source, fix: Fix) -> Fix:
    """A fix whose edits also say lines and columns."""
    edits = tuple(
        replace(edit, line=line, column=column, end_line=end_line, end_column=end_column)
        for edit in fix.edits
        for line, column in (source.place(edit.start),)
        for end_line, end_column in (source.place(edit.end),)
    )
    return Fix(fix.title, edits)


def related(source: Source, start: int, end: int, message: str, at: str = "") -> Related:
    """A second place, ``source.text[start:end]``."""
    line, column = source.place(start)
    end_line, end_column = source.place(max(end, start))
    excerpt = source.line(line)
    return Related(message, source.name, at, line, column, end_line, end_column, excerpt)


def of_text(source: Source, found: TextDiagnostic) -> Diagnostic:
    """A diagnostic of the text with lines and columns, second places and fix."""
    here = (found.start, found.end)
    finding = spanned(source, found.code, *here, found.message, hint=found.hint, fix=found.fix)
    seconds = (related(source, each.start, each.end, each.message) for each in found.related)
    return replace(finding, related=tuple(seconds))


def spanned(
    source: Source,
    code: str,
    start: int,
    end: int,
    message: str,
    at: str = "",
    hint: str = "",
    notes: tuple[str, ...] = (),
    severity: Severity = "error",
    fix: Fix | None = None,
) -> Diagnostic:
    """A finding at ``source.text[start:end]``."""
    line, column = source.place(start)
    end_line, end_column = source.place(max(end, start))
    return Diagnostic(
        code,
        severity,
        source.name,
        message,
        at,
        line,
        column,
        end_line,
        end_column,
        hint,
        notes,
        source.line(line),
        fix=located(source, fix) if fix is not None else None,
    )
