"""Writes diagnostics as SARIF 2.1.0, an OASIS standard that code scanning and many editors read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from netdesc import __version__
from netdesc.description.codes.explain import ENTRIES, explain, explain_in_markdown
from netdesc.description.diagnostics.diagnostic import Diagnostic, Edit, Fix, Related
from netdesc.description.diagnostics.wording import is_complete, lines, visible, within
from netdesc.resources import REPOSITORY

Object = dict[str, Any]

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
ROOT = "%SRCROOT%"
"""The symbolic name of the workspace, against which viewers resolve relative URIs."""


def to_sarif(diagnostics: Sequence[Diagnostic], files: Sequence[str], root: Path) -> Object:
    """Returns the SARIF log. Paths of files below the workspace ``root`` are relative to it."""
    codes = sorted({each.code for each in diagnostics})
    driver = {
        "name": "netdesc",
        "version": __version__,
        "semanticVersion": __version__,
        "informationUri": REPOSITORY,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(diagnostics)],
        "columnKind": "unicodeCodePoints",
        "artifacts": [
            {"location": _artifact(file, root), "roles": ["analysisTarget"]}
            for file in dict.fromkeys(files)
        ],
        "results": [_result(each, codes.index(each.code), root) for each in diagnostics],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _invocation(diagnostics: Sequence[Diagnostic]) -> Object:
    invocation: Object = {"executionSuccessful": True}
    if not is_complete(diagnostics):
        message = {"text": "There may be more diagnostics: the search ended at its limit."}
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": message}]
    return invocation


def _rule(code: str) -> Object:
    entry = ENTRIES[code]
    return {
        "id": code,
        "shortDescription": {"text": _text(f"{entry.title[0].upper()}{entry.title[1:]}.")},
        "fullDescription": {"text": _text(entry.cause)},
        # Help texts have no placeholders, so braces are not escaped.
        "help": {"text": explain(code), "markdown": explain_in_markdown(entry)},
        "defaultConfiguration": {"level": entry.severity},
    }


def _result(diagnostic: Diagnostic, rule: int, root: Path) -> Object:
    location: Object = {"physicalLocation": _physical(diagnostic, root)}
    if diagnostic.pointer:
        location["logicalLocations"] = [{"fullyQualifiedName": visible(diagnostic.pointer)}]
    result: Object = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": _text("\n".join(lines(diagnostic)))},
        "locations": [location],
    }
    if diagnostic.related:
        result["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _physical(each, root),
                "message": {"text": _text(visible(each.message))},
            }
            for number, each in enumerate(diagnostic.related)
        ]
    if diagnostic.fix is not None:
        result["fixes"] = [_fix(diagnostic.fix, _artifact(diagnostic.file, root))]
    return result


def _physical(spot: Diagnostic | Related, root: Path) -> Object:
    location: Object = {"artifactLocation": _artifact(spot.file, root)}
    if spot.line is not None:
        location["region"] = _region(spot)
    return location


def _region(spot: Diagnostic | Related | Edit) -> Object:
    region = {
        "startLine": spot.line,
        "startColumn": spot.column,
        "endLine": spot.end_line,
        "endColumn": spot.end_column,
    }
    return {key: value for key, value in region.items() if value is not None}


def _artifact(file: str, root: Path) -> Object:
    inside = within(file, root)
    if inside is not None:
        return {"uri": quote(os.fsencode(inside.as_posix()), safe="/"), "uriBaseId": ROOT}
    path = Path(os.path.abspath(file)).as_posix()
    return {"uri": "file:///" + quote(os.fsencode(path.lstrip("/")), safe="/:")}


def _fix(fix: Fix, artifact: Object) -> Object:
    replacements: list[Object] = []
    for edit in fix.edits:
        replacement: Object = {"deletedRegion": _region(edit)}
        if edit.replacement:
            replacement["insertedContent"] = {"text": edit.replacement}
        replacements.append(replacement)
    return {
        "description": {"text": _text(visible(fix.title))},
        "artifactChanges": [{"artifactLocation": artifact, "replacements": replacements}],
    }


def _text(text: str) -> str:
    """Escapes a SARIF message, in which {0} is a placeholder and [text](address) a link."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")
