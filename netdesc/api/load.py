"""Loads a document: reads it, applies overrides, and checks it with the files that it names."""

import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from netdesc.description import Description
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.file_references import FILE_SECTIONS, file_references
from netdesc.description.load import Checked, CheckFiles, check_value, require_valid
from netdesc.description.load import check as check_document
from netdesc.description.overrides import Overrides


def load(
    document: str | Path | Mapping[str, Any], overrides: Overrides = (), *, with_files: bool = True
) -> Description:
    """Reads a document or a lock, applies ``overrides``, and checks the result.

    ``document`` is a path, or the document as a dict, whose file paths are relative to the working
    directory (``loads`` reads JSON text). ``overrides`` are values by their paths in the document;
    file paths in them are relative to the working directory. ``with_files=False`` skips the checks
    of data and weights files. Warnings are in ``warnings`` of the result. Raises DescriptionError
    with all diagnostics if one of them is an error.

    >>> description = netdesc.load("examples/oxford.json", {"training.epochs": 20})
    >>> description.document.training.epochs
    20
    """
    return require_valid(check(document, overrides, with_files=with_files))


def loads(text: str, overrides: Overrides = (), *, with_files: bool = True) -> Description:
    """Reads a document from JSON text, with file paths relative to the working directory.

    Otherwise it does the same as ``load``.

    >>> netdesc.loads(Path("examples/oxford.json").read_text(), with_files=False).document.name
    'oxford'
    """
    if not isinstance(text, str):
        raise TypeError(f"netdesc.loads reads a text (str), not {type(text).__name__}")
    check_files = _check_files if with_files else None
    checked = check_value(text, "<text>", overrides, check_files)
    return require_valid(_with_sweep(checked, check_files))


def check(
    document: str | Path | Mapping[str, Any], overrides: Overrides = (), *, with_files: bool = True
) -> Checked:
    """Reads and checks a document or a lock as ``load`` does, but never raises DescriptionError.

    Returns the description, or ``None`` if there is an error, and all diagnostics in file order.

    >>> description, diagnostics = netdesc.check({"format": 2})
    >>> description is None, diagnostics[0].code, diagnostics[0].message
    (True, 'ND110', 'written for format 2; this netdesc reads 1')
    """
    check_files = _check_files if with_files else None
    return _with_sweep(check_document(document, overrides, check_files=check_files), check_files)


def _with_sweep(checked: Checked, check_files: CheckFiles | None) -> Checked:
    description, diagnostics = checked
    if description is None or description.document.sweep is None:
        return checked
    from netdesc.description.sweep_checks import check_sweep

    errors = check_sweep(description, check_files)
    return None if errors else description, [*diagnostics, *errors]


def load_without_data(
    document: str | Path | Mapping[str, Any], overrides: Overrides = ()
) -> Description:
    """Loads a document whose data are checked later, when they are read. A sweep is ignored."""
    check = functools.partial(_check_files, sections=("layers", "weights"))
    return require_valid(check_document(document, overrides, check_files=check))


def _check_files(
    description: Description, is_valid: bool, sections: Collection[str] = FILE_SECTIONS
) -> list[Diagnostic]:
    references = file_references(description.document)
    if not any(reference.parts[0] in sections for reference in references):
        return []
    from netdesc.data.data_checks import check_data

    return check_data(description, is_valid, sections)
