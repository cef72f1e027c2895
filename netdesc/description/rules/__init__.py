"""Rules about the meaning of a document (ND2xx): functions with the decorator ``rule``."""

import importlib
import pkgutil
from collections.abc import Iterator

from netdesc.description.codes import ENTRIES
from netdesc.description.diagnostics.diagnostic import Diagnostic, first_diagnostics
from netdesc.description.fixes import replace_value
from netdesc.description.models import Document
from netdesc.description.rules.rule import RULES, Context, Found
from netdesc.description.shapes import wire
from netdesc.description.source_map import SourceMap

MAX_DIAGNOSTICS_PER_RULE = 100
"""Largest number of diagnostics of one rule. A hostile document could have very many."""

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")


def check_rules(document: Document, source_map: SourceMap) -> list[Diagnostic]:
    """Returns the diagnostics of all rules for a document of valid structure."""
    context = Context(document, wire(document))
    diagnostics: list[Diagnostic] = []
    for code, check in sorted(RULES.items()):
        issues = _diagnostics(code, check(context), source_map)
        diagnostics += first_diagnostics(issues, MAX_DIAGNOSTICS_PER_RULE)
    return diagnostics


def _diagnostics(code: str, issues: Found, source_map: SourceMap) -> Iterator[Diagnostic]:
    for issue in issues:
        diagnostic = source_map.diagnostic(
            code,
            issue.parts,
            issue.message,
            hint=issue.hint,
            notes=issue.notes,
            severity=ENTRIES[code].severity,
            on=issue.on,
            related=issue.related,
        )
        if issue.meant is not None:
            diagnostic = source_map.add_fix(diagnostic, replace_value(issue.parts, issue.meant))
        yield diagnostic
