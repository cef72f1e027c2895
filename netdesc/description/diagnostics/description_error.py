"""The exception that carries the diagnostics of a document."""

from __future__ import annotations

from collections.abc import Sequence

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.diagnostics.render import render_text


class DescriptionError(ValueError):
    """The document has errors. ``diagnostics`` holds all diagnostics, warnings included.

    >>> try:
    ...     netdesc.loads('{"format": 2}')
    ... except netdesc.DescriptionError as error:
    ...     print(error.diagnostics[0].message)
    written for format 2; this netdesc reads 1
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = list(diagnostics)
        super().__init__(render_text(self.diagnostics))

    @property
    def lacks_data(self) -> bool:
        """True if all errors are missing or unreadable files (see ``Diagnostic.lacks_data``)."""
        return all(each.lacks_data for each in self.diagnostics if each.is_error)
