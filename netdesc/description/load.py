"""Loads a document: reads the file, applies overrides and runs all checks."""

# pyright: reportUnnecessaryIsInstance=false
# Callers without a type checker get a TypeError that says what is needed.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from netdesc.caller import UserError
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.diagnostics.render import render_text
from netdesc.description.file_references import locked_files
from netdesc.description.json.reader import parse
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import ABSENT, leaves, member, pointer
from netdesc.description.model_errors import diagnose
from netdesc.description.model_validation import InvalidDocumentError, validate_document
from netdesc.description.models import Document
from netdesc.description.models.document import FORMAT, Lock, Origin
from netdesc.description.outline import Cell, Outline, Outlined, first_warnings
from netdesc.description.overrides import Overrides, apply_overrides, json_text, override_arguments
from netdesc.description.rules import check_rules
from netdesc.description.source import Source, decode_source, read_source
from netdesc.description.source_map import SourceMap


class DescriptionError(UserError):
    """The document has errors. ``diagnostics`` holds all diagnostics, warnings included.

    >>> try:
    ...     netdesc.loads('{"format": 2}')
    ... except netdesc.DescriptionError as error:
    ...     print(error.diagnostics[0].message)
    written for format 2; this netdesc reads 1
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = list(diagnostics)
        super().__init__(render_text(self.diagnostics))

    @property
    def lacks_data(self) -> bool:
        """True if all errors are missing or unreadable files (see ``Diagnostic.lacks_data``)."""
        return all(each.lacks_data for each in self.diagnostics if each.is_error)


@dataclass(frozen=True, repr=False)
class Description(Outlined):
    """A valid document with its file, the origins of its values, and its warnings.

    >>> description = netdesc.load("examples/oxford.json")
    >>> description.document.layers[0].units, description.origins["/layers/0/units"]
    (256, 'file')
    """

    document: Document
    path: Path
    text: str
    source_map: SourceMap = field(compare=False)
    """Where the document's values are in the text, for diagnostics of its files."""
    written_as: Origin = "file"
    """The origin of the values that the document writes: ``file`` or ``Python``."""
    replaced: Mapping[Parts, Origin] = field(default_factory=dict[Parts, Origin])
    """The origins of the values that were replaced after the document was read, by their paths."""
    warnings: list[Diagnostic] = field(default_factory=list[Diagnostic])
    lock: Lock | None = None
    """The section ``lock`` if the file is the ``network.lock.json`` of a run."""
    unchecked: list[str] = field(default_factory=list[str])
    """Sentences about data files whose values were not checked, because they are too large."""
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """For a lock: its data and weights files by their paths in the document. Otherwise empty."""

    @cached_property
    def origins(self) -> Mapping[str, Origin]:
        """The origin of each scalar and of each empty object or list, by its JSON pointer.

        If the document is a lock, its values keep the origins that the lock records.
        """
        locked = self.lock.origins if self.lock is not None else {}
        overridden, written = self.source_map.overridden, self.source_map.data
        origins: dict[str, Origin] = {}
        for parts, _, value in leaves(self.document.model_dump(mode="json"), written):
            at = pointer(parts)
            paths = [parts[:length] for length in range(1, len(parts) + 1)]
            replaced = next((path for path in paths if path in self.replaced), None)
            if replaced is not None:
                origins[at] = self.replaced[replaced]
            elif overridden and any(path in overridden for path in paths):
                origins[at] = "--set"
            else:
                origins[at] = "default" if value is ABSENT else locked.get(at, self.written_as)
        return origins

    def outline(self) -> Outline:
        document = self.document
        time, training = document.time, document.training
        facts: list[tuple[str, Cell]] = [
            ("time", f"{time.steps:,} steps of {time.step_ms:g} ms"),
            ("loss", " + ".join(term.type for term in document.losses)),
            ("training", f"{training.epochs:,} epochs"),
            *first_warnings([warning.message for warning in self.warnings]),
        ]
        names = [(layer.name, layer.type_name()) for layer in document.layers]
        return Outline(f"{document.name} of {self.path.name}", facts, [("layer", "type"), *names])

    def without_data(self) -> "Description":
        """Returns this description with no ``data``, for samples that are in memory."""
        return self.with_values({("data",): None}, "Python")

    def with_values(self, values: Mapping[Parts, Any], origin: Origin) -> "Description":
        """Returns this description with other values at their paths, which come from ``origin``."""
        document = self.document
        for parts, value in values.items():
            document = _put(document, parts, value)
        replaced = {**self.replaced, **dict.fromkeys(values, origin)}
        return replace(self, document=document, replaced=replaced)

    def resolve(self, path_in_document: str) -> Path:
        """Returns the file that a path in the document names.

        A relative path starts in the folder of the JSON file. A lock's files are in ``files``.
        """
        return self.files.get(path_in_document) or self.path.parent / path_in_document


Checked = tuple[Description | None, list[Diagnostic]]
"""A description, or ``None`` if it has an error, and all diagnostics."""

CheckFiles = Callable[[Description, bool], list[Diagnostic]]
"""Checks the files that a document names (``netdesc.data.check_data``). The second argument says
whether the document itself is valid. It may append to ``Description.unchecked``.
"""


def _put(section: Any, parts: Parts, value: Any) -> Any:
    """Returns a copy of a section, or of a tuple of sections, with a value at a path."""
    if not parts:
        return value
    first, rest = parts[0], parts[1:]
    if isinstance(section, tuple):
        items = cast("tuple[Any, ...]", section)
        return tuple(_put(x, rest, value) if i == first else x for i, x in enumerate(items))
    return section.model_copy(update={first: _put(getattr(section, str(first)), rest, value)})


def load(document: str | Path | Mapping[str, Any], overrides: Overrides = ()) -> Description:
    """Reads and checks a document as ``check`` does, but not the files that it names.

    Warnings are in ``warnings`` of the result. Raises DescriptionError with all diagnostics if one
    of them is an error.
    """
    return require_valid(check(document, overrides))


def require_valid(checked: Checked) -> Description:
    description, diagnostics = checked
    if description is None:
        raise DescriptionError(diagnostics)
    return description


def check(
    document: str | Path | Mapping[str, Any],
    overrides: Overrides = (),
    *,
    check_files: CheckFiles | None = None,
) -> Checked:
    """Reads a document or a lock, applies ``overrides``, and checks the result.

    ``document`` is a path, or the document as a dict, whose file paths are relative to the working
    directory. Files that the document names are checked by ``check_files`` only. Returns the
    description, or ``None`` if there is an error, and all diagnostics in file order.
    """
    if isinstance(document, str) and document.lstrip().startswith("{"):
        problem = "the path of a file is needed, not JSON text"
        hint = "netdesc.loads reads a text"
        return None, [Diagnostic("ND001", "error", "<text>", problem, hint=hint)]
    if isinstance(document, Mapping):
        return check_value(json_text(document, indent=2), "<dict>", overrides, check_files)
    if not isinstance(document, str | Path):
        raise TypeError(f"a document is a path or a dict, not {type(document).__name__}")
    source = read_source(Path(document), str(document))
    if isinstance(source, Diagnostic):
        return None, [source]
    return check_text(source, Path(document), overrides, check_files=check_files)


def check_value(
    text: str, name: str, overrides: Overrides = (), check_files: CheckFiles | None = None
) -> Checked:
    """Checks a text from memory, as if it were a file ``name`` in the working directory."""
    source = decode_source(text.encode("utf-8", "surrogatepass"), name)
    if isinstance(source, Diagnostic):
        return None, [source]
    description, diagnostics = check_text(source, Path(name), overrides, check_files=check_files)
    if description is not None:
        description = replace(description, written_as="Python")
    # No file can be repaired.
    return description, [replace(diagnostic, fix=None) for diagnostic in diagnostics]


def check_text(
    source: Source, path: Path, overrides: Overrides = (), *, check_files: CheckFiles | None = None
) -> Checked:
    """Checks a text as ``check`` does, as if it were the content of the file ``path``."""
    arguments = override_arguments(overrides)
    root = parse(source)
    if isinstance(root, Diagnostic):
        return None, [root]
    source_map = SourceMap(source, root, root.value)
    description, diagnostics = _check(source_map, path.absolute(), arguments, check_files)
    if isinstance(member(root.value, "lock"), dict):
        # Resuming needs the lock of a run unchanged, so it gets no fixes.
        diagnostics = [replace(diagnostic, fix=None) for diagnostic in diagnostics]
    diagnostics.sort(key=lambda at: (at.line is None, at.line or 0, at.column or 0))
    if description is None or any(diagnostic.is_error for diagnostic in diagnostics):
        return None, diagnostics
    return replace(description, warnings=diagnostics), diagnostics


def check_changed(
    description: Description, overrides: Overrides, check_files: CheckFiles | None = None
) -> Checked:
    """Checks what a valid document becomes with further overrides, as ``check`` does.

    File paths in these overrides are relative to the document.
    """
    path, arguments = description.path, override_arguments(overrides)
    return _check(description.source_map, path, arguments, check_files, str(path.parent))


def _check(
    source_map: SourceMap,
    path: Path,
    overrides: Sequence[str],
    check_files: CheckFiles | None,
    folder: str = "",
) -> Checked:
    """Applies the overrides, whose file paths are relative to ``folder``, and checks the structure
    (models) and, if it is right, the meaning (rules) and the files. Returns all diagnostics, those
    of overrides first, and the description if the structure is right."""
    data, diagnostics = source_map.data, list[Diagnostic]()
    if isinstance(data, dict):
        written = cast("dict[str, Any]", data)
        version = written.get("format")
        if isinstance(version, int) and not isinstance(version, bool) and version != FORMAT:
            what = "written for" if version > FORMAT else "there is no"
            message = f"{what} format {version}; this netdesc reads {FORMAT}"
            return None, [source_map.diagnostic("ND110", ("format",), message)]
        name = source_map.source.name
        data, changed, diagnostics = apply_overrides(written, overrides, name, folder)
        overridden = {**source_map.overridden, **changed}
        source_map = replace(source_map, data=data, overridden=overridden)
    try:
        document = validate_document(source_map.data)
    except InvalidDocumentError as invalid:
        return None, diagnostics + diagnose(invalid, source_map)
    lock, unlocked = document.lock, document.model_copy(update={"lock": None})
    files = locked_files(lock, path.parent) if lock is not None else {}
    text = source_map.source.text
    description = Description(unlocked, path, text, source_map, lock=lock, files=files)
    diagnostics += check_rules(document, source_map)
    if check_files is not None:
        is_valid = not any(diagnostic.is_error for diagnostic in diagnostics)
        diagnostics += check_files(description, is_valid)
    return description, diagnostics
