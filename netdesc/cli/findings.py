"""Diagnostics as a command prints and counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netdesc.cli.codes import AT_FAULT, ENVIRONMENT

if TYPE_CHECKING:
    from netdesc.description import Diagnostic


def count(diagnostics: Sequence[Diagnostic], severity: str) -> int:
    return sum(finding.severity == severity for finding in diagnostics)


def exit_code(diagnostics: Sequence[Diagnostic]) -> int:
    """0 without errors; 3 where only data or weights files are at fault, 1 otherwise."""
    errors = [finding for finding in diagnostics if finding.is_error]
    if not errors:
        return 0
    return ENVIRONMENT if all(finding.concerns_data for finding in errors) else AT_FAULT


def text(diagnostics: Sequence[Diagnostic]) -> str:
    from netdesc.description import render_text

    return render_text(diagnostics).rstrip("\n")


def records(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    from netdesc.description import to_json

    return to_json(diagnostics)
