"""Rules about the meaning of a document (ND2xx), one a file."""

from __future__ import annotations

from netdesc.description.diagnostic import Diagnostic
from netdesc.description.models import Document
from netdesc.description.places import Places
from netdesc.description.rules.rule import Context, Rule
from netdesc.description.shapes import wire

RULES: tuple[Rule, ...] = ()


def check_rules(document: Document, places: Places) -> list[Diagnostic]:
    """What all rules find."""
    context = Context(document, wire(document))
    return [
        places.diagnostic(
            rule.entry.code,
            found.parts,
            found.message,
            hint=found.hint,
            notes=found.notes,
            severity=rule.severity,
            on=found.on,
        )
        for rule in RULES
        for found in rule.check(context)
        if not places.is_guessed(found.parts)
    ]
