"""Rules about the meaning of a document (ND2xx), one a file: its ``check`` and its ``ENTRY``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from netdesc.description.diagnostics.diagnostic import Diagnostic, first
from netdesc.description.files.training_set import TrainingSet
from netdesc.description.fixes import replacement
from netdesc.description.models import Document
from netdesc.description.rules.rule import Context, Rule
from netdesc.description.shapes import wire
from netdesc.description.source_map import Places

MOST_FINDINGS = 100
"""So many findings of one rule are shown; a hostile document has a hundred thousand."""


def _rules() -> Iterator[Rule]:
    for found in pkgutil.iter_modules(__path__, f"{__name__}."):
        module = importlib.import_module(found.name)
        if hasattr(module, "ENTRY"):
            yield Rule(module.ENTRY, module.check)


RULES = sorted(_rules(), key=lambda rule: rule.entry.code)
"""The rules of all files in this folder, by their codes."""


def check_rules(document: Document, places: Places, training_set: TrainingSet) -> list[Diagnostic]:
    """What all rules find."""
    context = Context(document, wire(document), training_set)
    return [
        finding
        for rule in RULES
        for finding in first(_findings(rule, context, places), MOST_FINDINGS)
    ]


def _findings(rule: Rule, context: Context, places: Places) -> Iterator[Diagnostic]:
    for found in rule.check(context):
        if not places.is_guessed(found.parts):
            yield places.diagnostic(
                rule.entry.code,
                found.parts,
                found.message,
                hint=found.hint,
                notes=found.notes,
                severity=rule.entry.severity,
                on=found.on,
                related=found.related,
                remedy=replacement(found.parts, found.meant) if found.meant is not None else None,
            )
