"""Rules about the meaning of a document (ND2xx): functions with the decorator ``rule``."""

import importlib
import pkgutil
from collections.abc import Iterator

from netdesc.description.diagnostics.diagnostic import Diagnostic, first_diagnostics
from netdesc.description.fixes import replace_value
from netdesc.description.models import Document
from netdesc.description.rules.rule import Context, Rule
from netdesc.description.shapes import wire
from netdesc.description.source_map import SourceMap

MAX_DIAGNOSTICS_PER_RULE = 100
"""Largest number of diagnostics of one rule. A hostile document could have very many."""

_FILES = [
    importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__)
]
RULES = sorted(
    (value for file in _FILES for value in vars(file).values() if isinstance(value, Rule)),
    key=lambda rule: rule.entry.code,
)
"""The rules of all files in this folder, sorted by code."""


def check_rules(document: Document, source_map: SourceMap) -> list[Diagnostic]:
    """Returns the diagnostics of all rules for a document of valid structure."""
    context = Context(document, wire(document))
    found: list[Diagnostic] = []
    for rule in RULES:
        diagnostics = _diagnostics(rule, context, source_map)
        found += first_diagnostics(diagnostics, MAX_DIAGNOSTICS_PER_RULE)
    return found


def _diagnostics(rule: Rule, context: Context, source_map: SourceMap) -> Iterator[Diagnostic]:
    for each in rule.check(context):
        diagnostic = source_map.diagnostic(
            rule.entry.code,
            each.parts,
            each.message,
            hint=each.hint,
            notes=each.notes,
            severity=rule.entry.severity,
            on=each.on,
            related=each.related,
        )
        if each.meant is not None:
            diagnostic = source_map.add_fix(diagnostic, replace_value(each.parts, each.meant))
        yield diagnostic
