"""From a file to a checked document."""

from __future__ import annotations

import gc
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from netdesc.description import migrations
from netdesc.description import overrides as command_line
from netdesc.description.canonical_layout import document_text
from netdesc.description.detect import is_lock
from netdesc.description.diagnostics.description_error import DescriptionError
from netdesc.description.diagnostics.diagnostic import Diagnostic, end_search
from netdesc.description.error_recovery import mended, without_doubtful
from netdesc.description.files.data_files import FileChecks, locked_files
from netdesc.description.json.collector import MAX_DIAGNOSTICS
from netdesc.description.json.reader import Parsed, parse
from netdesc.description.model_errors import diagnose
from netdesc.description.model_validation import MAX_ERRORS, InvalidDocumentError, validate_document
from netdesc.description.models import Document, Lock, Origin
from netdesc.description.models.document import FORMAT
from netdesc.description.provenance import Given
from netdesc.description.pydantic_errors import faults
from netdesc.description.rules import check_rules
from netdesc.description.source import Source, read_source
from netdesc.description.source_map import SourceMap, locate_text_diagnostic


@dataclass(frozen=True)
class Description:
    """A document that is fit to be compiled, and where it came from.

    ``lock`` is there if the file is a lock, and ``files`` says where the files are whose paths it
    quotes.
    """

    document: Document
    path: Path
    text: str
    given: Given
    warnings: list[Diagnostic] = field(default_factory=list[Diagnostic])
    lock: Lock | None = None
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])

    @cached_property
    def origins(self) -> Mapping[str, Origin]:
        """Who set each value that holds no other, by its JSON pointer."""
        return self.given.origins()

    def resolve(self, path_in_document: str) -> Path:
        """The file that a path of the document means: relative to the JSON file.

        A path from ``--set`` is absolute in the document already.
        """
        known = self.files.get(path_in_document)
        return known if known is not None else self.path.parent / path_in_document


def load(
    path: str | Path, overrides: Sequence[str] = (), *, with_files: bool = True
) -> Description:
    """Read a document, or a lock, and check it.

    Without ``with_files`` the data and weights files that it names are left alone. Raises
    DescriptionError with all findings where one of them is an error.
    """
    description, findings = check(path, overrides, with_files=with_files)
    if description is None:
        raise DescriptionError(findings)
    return description


def check(
    path: str | Path, overrides: Sequence[str] = (), *, with_files: bool = True
) -> tuple[Description | None, list[Diagnostic]]:
    """All findings about a document, in the order of the file. ``None`` where one is an error."""
    source = read_source(Path(path), str(path))
    if isinstance(source, Diagnostic):
        return None, [source]
    return check_text(source, Path(path), overrides, with_files=with_files)


def check_text(
    source: Source, path: Path, overrides: Sequence[str] = (), *, with_files: bool = True
) -> tuple[Description | None, list[Diagnostic]]:
    """As ``check``, for a text that stands in the file ``path`` or is to be written there."""
    with _uncollected(len(source.text)):
        return _check_text(source, path, overrides, with_files)


_LARGE = 1 << 16


@contextmanager
def _uncollected(size: int) -> Generator[None]:
    """Large documents become millions of objects without cycles: looking for some takes longest."""
    if size < _LARGE or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _check_text(
    source: Source, path: Path, overrides: Sequence[str], with_files: bool
) -> tuple[Description | None, list[Diagnostic]]:
    parsed = parse(source)
    findings = [locate_text_diagnostic(each, source) for each in parsed.diagnostics]
    if parsed.root is not None and migrations.is_older(parsed.root.value):
        if findings:
            return None, findings
        return _check_older(source, parsed.root.value, path, overrides, with_files)
    if len(findings) > MAX_DIAGNOSTICS:  # the last one says so in words
        findings[-1] = replace(findings[-1], ends_search=True)
    description: Description | None = None
    if parsed.root is not None:
        description, more = _check_meaning(source, parsed, path.absolute(), overrides, with_files)
        findings = _without_refused(findings, more) + more
    if _may_be_lock(source, parsed):
        findings = [replace(each, fix=None) for each in findings]
    findings.sort(key=lambda each: (each.line is None, each.line or 0, each.column or 0))
    if overrides and any(each.fix is not None for each in findings):
        findings = _with_fixes_of_the_file(findings, source, path)
    if description is None or any(finding.is_error for finding in findings):
        return None, findings
    return replace(description, warnings=findings), findings


def _check_older(
    source: Source,
    old: dict[str, Any],
    path: Path,
    overrides: Sequence[str],
    with_files: bool,
) -> tuple[Description | None, list[Diagnostic]]:
    """Checks a document of an older format in the present one, in which no line is the user's."""
    data = migrations.migrate_data(old)
    present = Source(document_text(data), source.name)
    description, findings = _check_text(present, path, overrides, with_files)
    note = f"this is format {old['format']}: netdesc migrate --write brings it to {FORMAT}"
    findings = [_without_place(each, note) for each in findings]
    if description is not None:
        made = frozenset(migrations.changed_paths(old, data))
        given = replace(description.given, made=made)
        description = replace(description, text=source.text, given=given, warnings=findings)
    return description, findings


def _without_place(finding: Diagnostic, note: str) -> Diagnostic:
    return replace(
        finding,
        line=None,
        column=None,
        end_line=None,
        end_column=None,
        related=(),
        fix=None,
        notes=(*finding.notes, note),
    )


_CONSTANTS = ("null", "true", "false")


def _without_refused(of_text: Sequence[Diagnostic], more: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The findings of the text without Python's constants where those of JSON are refused, too."""
    refused = {(each.line, each.column) for each in more if each.code == "ND103"}
    left: list[Diagnostic] = []
    for each in of_text:
        edits = each.fix.edits if each.fix is not None else ()
        kept = tuple(
            edit
            for edit in edits
            if edit.replacement not in _CONSTANTS or (edit.line, edit.column) not in refused
        )
        if len(kept) < len(edits) and each.fix is not None:
            each = replace(each, fix=replace(each.fix, edits=kept) if kept else None)
        if kept or not edits:
            left.append(each)
    return left


def _may_be_lock(source: Source, parsed: Parsed) -> bool:
    """Whether this is the lock of a run, or may be. It stays as it is: resuming trusts no other."""
    if '"lock"' not in source.text:
        return False
    return parsed.root is None or is_lock(parsed.root.value)


def _with_fixes_of_the_file(
    findings: Sequence[Diagnostic], source: Source, path: Path
) -> list[Diagnostic]:
    """Only what is wrong in the file by itself can be mended there, not what ``--set`` makes so."""
    own = {each.fix for each in check_text(source, path, with_files=False)[1]}
    return [each if each.fix in own else replace(each, fix=None) for each in findings]


def _check_meaning(
    source: Source, parsed: Parsed, path: Path, overrides: Sequence[str], with_files: bool
) -> tuple[Description | None, list[Diagnostic]]:
    """Everything after the syntax: overrides, shape, rules and files."""
    assert parsed.root is not None
    root, data = parsed.root, parsed.root.value
    source_map = SourceMap(source, root, data, guessed=parsed.guessed)
    findings: list[Diagnostic] = []
    if isinstance(data, dict):
        refused = other_format(source_map)
        if refused is not None:
            return None, [refused]
        given = cast("dict[str, Any]", data)
        data, changed, findings = command_line.apply(given, overrides, source.name)
        source_map = SourceMap(source, root, data, changed, parsed.guessed)
    guessed = [parts for parts in parsed.guessed.values() if parts]
    try:
        whole = validate_document(data)
    except InvalidDocumentError as error:
        found = faults(error, data)
        findings += diagnose(found, source_map)
        if len(error.errors) > MAX_ERRORS:
            return None, _with_rest(findings, len(error.errors) - MAX_ERRORS, error.is_all)
        result = mended(data, found)
        source_map = replace(source_map, data=result.data, renamed=result.renamed)
        findings += diagnose(result.behind, source_map)
        whole = result.document
        guessed += result.guessed
        if whole is None:
            return None, findings
    lock = whole.lock
    files = locked_files(lock, path.parent) if lock is not None else {}
    description = Description(
        document=whole.model_copy(update={"lock": None}),
        path=path,
        text=source.text,
        given=Given(whole, data, source_map.overridden),
        lock=lock,
        files=files,
    )
    checksums = {file.path: file.sha256 for file in lock.files} if lock is not None else {}
    files = FileChecks(whole, source_map, description.resolve, checksums)
    of_files = files.run() if with_files else []
    later = check_rules(whole, source_map, files.training_set) + of_files
    findings += without_doubtful(later, guessed, source_map)
    return description, findings


def _with_rest(findings: Sequence[Diagnostic], count: int, is_all: bool) -> list[Diagnostic]:
    """The findings; the last one in the file says how many are not shown."""
    *others, last = sorted(findings, key=lambda each: (each.line or 0, each.column or 0))
    noun = "fault is" if count == 1 else "faults are"
    note = f"{'' if is_all else 'at least '}{count:,} more {noun} not shown"
    return [*others, end_search(last, note)]


def other_format(source_map: SourceMap) -> Diagnostic | None:
    """A document of another format is refused by name: its fields would only confuse."""
    given = source_map.data.get("format")
    if not isinstance(given, int) or isinstance(given, bool) or given == FORMAT:
        return None
    if source_map.is_guessed(("format",)):
        return None
    if given > FORMAT:
        message = f"written for format {given}; this netdesc reads {FORMAT}"
    else:
        message = f"there is no format {given}; this netdesc reads {FORMAT}"
    return source_map.diagnostic("ND110", ("format",), message)
