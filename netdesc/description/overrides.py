"""Puts values from the command line, ``--set PATH=VALUE``, or from Python into the document."""

import copy
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.reader import parse
from netdesc.description.json.tree import Node, Parts
from netdesc.description.json_pointer import dotted, lookup, member, members
from netdesc.description.models import Document
from netdesc.description.models.document import FORMAT
from netdesc.description.source import Source
from netdesc.description.spelling import allowed_note, did_you_mean, normalise_name
from netdesc.description.synonyms import FIELDS, hint_for_unsupported, suggest_field

Overrides = Mapping[str, Any] | Sequence[str]
"""Values by their paths in the document, or texts ``PATH=VALUE`` as of ``--set``."""

_EXACT = 2**53  # floats below this value hold each whole number

_MAX_SUGGESTIONS = 3  # largest number of paths that are suggested for a field's name


class OverrideError(ValueError):
    """An override that cannot be applied. ``apply_overrides`` turns it into a diagnostic."""

    def __init__(self, code: str, message: str, hint: str = "", *notes: str) -> None:
        super().__init__(message)
        self.code, self.hint, self.notes = code, hint, notes


def apply_overrides(
    data: dict[str, Any], arguments: Sequence[str], file: str, folder: str
) -> tuple[dict[str, Any], dict[Parts, str], list[Diagnostic]]:
    """Applies ``--set`` arguments to a copy of the data.

    Returns the changed data, a mapping of each changed path to its argument, and the diagnostics of
    arguments that cannot be applied. ``file`` is the document's name in diagnostics. File paths in
    arguments are relative to ``folder``; "" is the working directory.
    """
    changed: dict[Parts, str] = {}
    diagnostics: list[Diagnostic] = []
    for argument in arguments:
        attempt = copy.deepcopy(data)
        try:
            parts = _set_value(attempt, *_parse_argument(argument))
        except OverrideError as error:
            refusal = Diagnostic(error.code, "error", file, str(error), hint=error.hint)
            diagnostics.append(replace(refusal, notes=error.notes, override=argument))
            continue
        # An override of an object or list replaces the earlier overrides inside it.
        changed = {old: by for old, by in changed.items() if old[: len(parts)] != parts}
        changed[parts] = argument
        data = attempt
    if changed:
        _make_paths_absolute(data, changed, folder)
    return data, changed, diagnostics


def _parse_argument(argument: str) -> tuple[list[str], Any]:
    path, equals, text = argument.partition("=")
    path = path.strip()
    if not equals or path in ("", "/"):
        raise OverrideError("ND111", "an override is PATH=VALUE, such as training.epochs=50")
    if path.startswith("/"):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    else:
        parts = path.split(".")
        dotted_path = re.sub(r"\.*[\[\]'\"/]+\.*", ".", path).strip(".")
        if dotted_path != path.strip("."):
            message = "a path has dots between its parts, not brackets or slashes"
            raise OverrideError("ND111", message, f"write {dotted_path}=…")
    if "" in parts:
        raise OverrideError("ND111", f"{path} has an empty part")
    return parts, _parse_value(text)


def _parse_value(text: str) -> Any:
    """Returns the value of a JSON text, or else the text itself. OverrideError for damaged JSON."""
    parsed = parse(Source(f"[{text}]", "--set"))
    if isinstance(parsed, Node):
        if len(parsed.value) == 1:
            return parsed.value[0]
    elif parsed.code == "ND014":  # a number that is too large
        raise OverrideError("ND111", parsed.message, parsed.hint)
    elif text.lstrip()[:1] in ("{", "[", '"'):
        character = (parsed.column or 1) - 1  # without the bracket
        message = f"the value is damaged JSON at character {character}: {parsed.message}"
        raise OverrideError("ND111", message, parsed.hint, "quoted for the shell: --set 'name={…}'")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise OverrideError("ND111", "the value is not UTF-8 text")
    return text


def _set_value(data: dict[str, Any], path: list[str], value: Any) -> Parts:
    """Sets a value, creating missing sections. Returns its path with indices, or OverrideError."""
    holder: Any = data
    parts: Parts = ()
    for part in path[:-1]:
        key = _resolve_part(holder, part, parts, data, path)
        if isinstance(key, str) and holder.get(key) is None:
            holder[key] = _default(data, (*parts, key))
        holder = holder[key]
        parts = (*parts, key)
    if path == ["format"] and value != FORMAT:
        message = f"--set cannot change the format of a document; this netdesc reads {FORMAT}"
        raise OverrideError("ND112", message)
    last = _resolve_part(holder, path[-1], parts, data, path)
    holder[last] = value
    return (*parts, last)


def _resolve_part(holder: Any, part: str, parts: Parts, data: Any, path: list[str]) -> str | int:
    """Returns the key or index of ``part`` in ``holder``, at ``parts``. Raises OverrideError."""
    where = dotted(parts) or "the document"
    if isinstance(holder, list):
        items = cast("list[Any]", holder)
        size, names = len(items), [member(item, "name") for item in items]
        if part in names:
            return names.index(part)
        if not re.fullmatch("0|[1-9][0-9]{0,8}", part, re.ASCII) or int(part) >= size:
            message = f"{where} has no item {part}"
            known = dict.fromkeys(name for name in names if isinstance(name, str))
            note = f"items are numbered from 0 to {size - 1}" if size else "the list is empty"
            note += f"; their names are {', '.join(known)}" if known else ""
            raise OverrideError("ND112", message, did_you_mean(part, known), note)
        return int(part)
    if not isinstance(holder, dict):
        raise OverrideError("ND112", f"{where} has no parts: it is {json.dumps(holder)}")
    is_written = part in members(holder) and part != path[-1]
    if is_written or structure.annotations_at((*parts, part), data):
        return part
    candidates = structure.models_at(parts, data)
    chosen = structure.choose_model(candidates, holder)
    if chosen is None and any(part in structure.fields(model) for model in candidates):
        return part  # "type" decides later which of the models applies
    shown = candidates if chosen is None else [chosen]
    fields = {name: info for model in shown for name, info in structure.fields(model).items()}
    best = suggest_field(part, fields)
    hint = "" if best is None else best.question
    if not hint and (paths := find_keys(part, data)):
        hint = f"did you mean {' or '.join(paths)}?"
    hint = hint or hint_for_unsupported(part)
    notes = [allowed_note(structure.required_first(fields))] if fields else []
    raise OverrideError("ND112", f'there is no field "{part}" in {where}', hint, *notes)


def find_keys(name: str, data: Any) -> list[str]:
    """Returns at most three dotted paths of fields that netdesc or another tool calls ``name``."""
    names = [name, *(meant.name for meant in FIELDS.get(normalise_name(name), ()))]
    return [dotted(parts) for parts in structure.find_fields(names, data)][:_MAX_SUGGESTIONS]


def _default(data: Any, parts: Parts) -> Any:
    """Returns the initial value of a missing section: its default, or an empty object."""
    info = structure.field_at(parts, data)
    default: Any = structure.default(info) if info is not None else None
    if "type" in members(default):
        return {"type": default["type"]}  # another type may have other fields and defaults
    return copy.deepcopy(default) if type(default) in (dict, list) else {}


def _make_paths_absolute(data: dict[str, Any], changed: dict[Parts, str], folder: str) -> None:
    """Makes file paths from ``--set`` absolute. They are relative to ``folder``. A SHA-256 that is
    not from ``--set`` as well is that of the replaced file, and is dropped."""
    for parts in [*structure.file_path_locations(Document, data)]:
        if any(parts[:length] in changed for length in range(1, len(parts) + 1)):
            holder = lookup(data, parts[:-1])
            holder[parts[-1]] = os.path.abspath(os.path.join(folder, holder[parts[-1]]))
            if parts in changed and (*parts[:-1], "sha256") not in changed:
                holder.pop("sha256", None)


def override_arguments(overrides: Overrides) -> Sequence[str]:
    """Returns overrides as texts ``PATH=VALUE``. TypeError if a value has no form in JSON."""
    if isinstance(overrides, str):
        return [overrides]
    if not isinstance(overrides, Mapping):
        return overrides
    return [f"{path}={json_text(value)}" for path, value in overrides.items()]


def json_text(value: object, indent: int | None = None) -> str:
    """Returns the JSON text of a value.

    TypeError if a part of it has no form in JSON, ValueError if it contains itself or is nested
    more deeply than Python's functions may be.
    """
    try:
        return json.dumps(_plain(value), ensure_ascii=False, indent=indent)
    except RecursionError:
        raise ValueError("this value contains itself, or is nested too deeply") from None


def _plain(value: object) -> object:
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[object]", value)]
    to_list = getattr(value, "tolist", None)  # of numpy's numbers and arrays, and of tensors
    if to_list is not None:
        return _with_integers(to_list())
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a document holds JSON values, and {type(value).__name__} is none")


def _with_integers(value: Any) -> Any:
    """Converts whole floats to integers, because a number of numpy is often a float by chance."""
    if isinstance(value, list):
        return [_with_integers(item) for item in cast("list[object]", value)]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
    return int(value) if is_whole else value
