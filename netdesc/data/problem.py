"""What the checks of data find, in a document's files or in arrays of a Python program."""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.description.diagnostics.diagnostic import Diagnostic, Severity
from netdesc.description.json.tree import Parts
from netdesc.description.source_map import On, RelatedPath, SourceMap


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic at a path of the document."""

    code: str
    parts: Parts
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()
    severity: Severity = "error"
    on: On = "value"
    related: tuple[RelatedPath, ...] = ()

    @property
    def text(self) -> str:
        """The problem in one line, for data that no document names."""
        return "; ".join(filter(None, (self.message, self.hint)))

    def diagnostic(self, source_map: SourceMap) -> Diagnostic:
        return source_map.diagnostic(
            self.code,
            self.parts,
            self.message,
            hint=self.hint,
            notes=self.notes,
            severity=self.severity,
            on=self.on,
            related=self.related,
        )
