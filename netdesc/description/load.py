"""From a file to a checked document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from netdesc.description import overrides as command_line
from netdesc.description.data_files import check_files
from netdesc.description.diagnostic import DescriptionError, Diagnostic
from netdesc.description.models import Document
from netdesc.description.models.document import FORMAT
from netdesc.description.places import Places, pointer, spanned
from netdesc.description.rules import check_rules
from netdesc.description.shape_findings import diagnose, faults
from netdesc.description.source import Source, read_source
from netdesc.description.tree import Parsed, Parts, parse

Origin = Literal["file", "default", "--set"]


@dataclass(frozen=True)
class Description:
    """A document that is fit to be compiled, and where it came from.

    ``origins`` maps the JSON pointer of every value that holds no other to who set it. ``files``
    says where a lock keeps the files whose paths it quotes.
    """

    document: Document
    path: Path
    text: str
    origins: Mapping[str, Origin]
    warnings: list[Diagnostic]
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])

    def resolve(self, path_in_document: str) -> Path:
        """The file that a path of the document means: relative to the JSON file.

        A path from ``--set`` is absolute in the document already.
        """
        known = self.files.get(path_in_document)
        return known if known is not None else self.path.parent / path_in_document


def load(path: str | Path, overrides: Sequence[str] = ()) -> Description:
    """Read a document, or a lock, and check it.

    Raises DescriptionError with all findings where one of them is an error.
    """
    description, findings = check(path, overrides)
    if description is None:
        raise DescriptionError(findings)
    return description


def check(
    path: str | Path, overrides: Sequence[str] = ()
) -> tuple[Description | None, list[Diagnostic]]:
    """All findings about a document, in the order of the file. ``None`` where one is an error."""
    name = str(path)
    source = read_source(Path(path), name)
    if isinstance(source, Diagnostic):
        return None, [source]
    parsed = parse(source)
    findings = [
        spanned(source, each.code, each.start, each.end, each.message, hint=each.hint)
        for each in parsed.mistakes
    ]
    description: Description | None = None
    if parsed.root is not None:
        description, more = _check_meaning(source, parsed, Path(path).absolute(), overrides)
        findings += more
    findings.sort(key=lambda each: (each.line is None, each.line or 0, each.column or 0))
    if any(finding.is_error for finding in findings):
        return None, findings
    return description, findings


def _check_meaning(
    source: Source, parsed: Parsed, path: Path, overrides: Sequence[str]
) -> tuple[Description | None, list[Diagnostic]]:
    """Everything after the syntax: overrides, shape, rules and files."""
    assert parsed.root is not None
    data = parsed.root.value
    places = Places(source, parsed.root, data, guessed=parsed.guessed)
    findings: list[Diagnostic] = []
    if isinstance(data, dict):
        refused = _other_format(places)
        if refused:
            return None, [refused]
        data, changed, findings = command_line.apply(data, overrides, source.name)
        places = Places(source, parsed.root, data, changed, parsed.guessed)
    try:
        document = Document.model_validate_json(json.dumps(data))
    except ValidationError as error:
        return None, findings + diagnose(faults(error, data), places)
    findings += check_rules(document, places)
    description = Description(
        document, path, source.text, _origins(document, data, places.overridden), findings
    )
    findings += check_files(description, places)
    description.warnings.sort(key=places.order)
    return description, findings


def _other_format(places: Places) -> Diagnostic | None:
    """A document of another format is refused by name: its fields would only confuse."""
    given = places.data.get("format")
    if not isinstance(given, int) or isinstance(given, bool) or given == FORMAT:
        return None
    if places.is_guessed(("format",)):
        return None
    if given > FORMAT:
        message = f"written for format {given}; this netdesc reads {FORMAT}"
    else:
        message = f"there is no format {given}; this netdesc reads {FORMAT}"
    return places.diagnostic("ND110", ("format",), message)


def _origins(document: Document, data: Any, changed: Mapping[Parts, str]) -> dict[str, Origin]:
    """Who set each value of the complete document."""
    found: dict[str, Origin] = {}
    for parts, given in _leaves(document.model_dump(mode="json"), data, ()):
        by_command = any(parts[:length] in changed for length in range(1, len(parts) + 1))
        found[pointer(parts)] = "default" if not given else "--set" if by_command else "file"
    return found


_ABSENT = object()


def _leaves(value: Any, given: Any, parts: Parts) -> Iterator[tuple[Parts, bool]]:
    """Every value that holds no other, and whether the user gave it."""
    members: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    if not members:
        yield parts, given is not _ABSENT
    for key, member in members:
        inner: Any = _ABSENT
        if isinstance(given, dict) and key in given:
            inner = given[key]
        elif isinstance(given, list) and isinstance(key, int) and key < len(given):
            inner = given[key]
        yield from _leaves(member, inner, (*parts, key))
