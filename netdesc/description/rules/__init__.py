"""Rules about the meaning of a document (ND2xx), one a file: its ``check`` and its ``ENTRY``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from netdesc.description.diagnostics.diagnostic import Diagnostic, first
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.fixes import replace_value
from netdesc.description.models import Document
from netdesc.description.rules.rule import Context, Rule
from netdesc.description.shapes import wire
from netdesc.description.source_map import SourceMap

MOST_FINDINGS = 100
"""So many findings of one rule are shown; a hostile document has a hundred thousand."""


def _rules() -> Iterator[Rule]:
    for found in pkgutil.iter_modules(__path__, f"{__name__}."):
        module = importlib.import_module(found.name)
        if hasattr(module, "ENTRY"):
            yield Rule(module.ENTRY, module.check)


RULES = sorted(_rules(), key=lambda rule: rule.entry.code)
"""The rules of all files in this folder, by their codes."""


def check_rules(
    document: Document, source_map: SourceMap, training_set: TrainingSet
) -> list[Diagnostic]:
    """What all rules find."""
    context = Context(document, wire(document), training_set)
    return [
        finding
        for rule in RULES
        for finding in first(_findings(rule, context, source_map), MOST_FINDINGS)
    ]


def _findings(rule: Rule, context: Context, source_map: SourceMap) -> Iterator[Diagnostic]:
    for found in rule.check(context):
        if source_map.is_guessed(found.parts):
            continue
        diagnostic = source_map.diagnostic(
            rule.entry.code,
            found.parts,
            found.message,
            hint=found.hint,
            notes=found.notes,
            severity=rule.entry.severity,
            on=found.on,
            related=found.related,
        )
        if found.meant is not None:
            diagnostic = source_map.add_fix(diagnostic, replace_value(found.parts, found.meant))
        yield diagnostic
