"""Where in the document, in the text or in the overrides a path leads, and how to speak of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from netdesc.description.diagnostic import Diagnostic, Severity
from netdesc.description.plain import dotted, lookup, pointer
from netdesc.description.source import Source
from netdesc.description.tree import Node, Parts, Span


@dataclass(slots=True)
class Places:
    """Makes diagnostics: knows the text, its tree and which values came from ``--set``."""

    source: Source
    root: Node
    data: Any
    overridden: dict[Parts, str] = field(default_factory=dict[Parts, str])
    guessed: set[int] = field(default_factory=set[int])

    def diagnostic(
        self,
        code: str,
        parts: Parts,
        message: str,
        *,
        hint: str = "",
        notes: tuple[str, ...] = (),
        severity: Severity = "error",
        on: Literal["key", "value"] = "value",
    ) -> Diagnostic:
        """A finding at a path: at its value, or at the key that names it.

        Where the document does not have the path (a missing field), at what encloses it.
        """
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
                override=override,
            )
        start, end = self.span(parts, on)
        return spanned(
            self.source, code, start, end, message, pointer(parts), hint, notes, severity
        )

    def is_guessed(self, parts: Parts) -> bool:
        """True where the value's text was no JSON, so that checking what stands in is idle."""
        if not self.guessed or self._override(parts) is not None:
            return False
        node = self.root.find(parts)
        return node is not None and not node.children and node.start in self.guessed

    def span(self, parts: Parts, on: Literal["key", "value"]) -> Span:
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
    )
