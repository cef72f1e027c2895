"""Turns pydantic's errors into diagnostics at the wrong key or value.

``synonyms.suggest_field`` suggests the field for a misspelt key. It first looks among the names of
other tools, then calls ``spelling.closest_name``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.expected_value import hint_for_missing_field, hint_for_wrong_form
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted, lookup, members
from netdesc.description.models import Document
from netdesc.description.pydantic_errors import LocatedError, known_fields
from netdesc.description.source_map import RelatedPath, SourceMap
from netdesc.description.spelling import allowed_note, closest_name, did_you_mean
from netdesc.description.synonyms import hint_for_type, suggest_field
from netdesc.description.unsupported import hint_for_unsupported
from netdesc.description.wrong_type import find_wrong_types, types_with_field
from netdesc.sections import NAME_PATTERN

_KINDS = {
    "int_type": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "tuple_type": "a list",
    "list_type": "a list",
}
_LIMITS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_PATTERNS = {
    NAME_PATTERN: "a name: letters, digits, _ and -, starting with a letter or _",
    r"^[0-9a-f]{64}$": "64 lower-case hexadecimal digits",
    r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$": "a file name: letters, digits, _, . and -",
}

_MIN_DEVICE_DECAY = 32
"""An integer decay of at least this size is probably the device's value, in 1/4096."""

SPLIT_HINT = (
    "training.validation_split takes a share; data.split names an array with 0 train, "
    "1 validation, 2 test"
)


def diagnose(errors: Sequence[LocatedError], source_map: SourceMap) -> list[Diagnostic]:
    """Returns a diagnostic for each error, but only one for an object that has a wrong ``type``."""
    wrong_types = find_wrong_types(errors, source_map.data)
    diagnostics = [each.diagnostic(source_map) for each in wrong_types]
    for error in errors:
        tag = (*error.parts, "type") if error.kind.startswith("union_tag") else error.parts
        if source_map.is_guessed(error.parts) or source_map.is_guessed(tag):
            continue
        if any(each.explains(error) for each in wrong_types):
            continue
        diagnostic = _DIAGNOSE.get(error.kind, _wrong_form)(error, source_map)
        if error.fix is not None:
            diagnostic = replace(diagnostic, hint=diagnostic.hint or error.fix.title)
            diagnostic = source_map.add_fix(diagnostic, error.fix)
        diagnostics.append(diagnostic)
    return diagnostics


def _unknown_field(error: LocatedError, source_map: SourceMap) -> Diagnostic:
    parent, key = error.parts[:-1], str(error.parts[-1])
    subject = source_map.subject(parent)
    known = known_fields(parent, source_map.data)
    other_types = types_with_field(error, source_map.data)
    best = error.suggestion
    notes = (allowed_note(structure.required_first(known)),)
    if other_types and best is None:
        kind = lookup(source_map.data, (*parent, "type"))
        message = (
            f'field "{key}" belongs to type "{other_types[0]}", and {subject} has type "{kind}"'
        )
        return source_map.diagnostic(
            "ND105",
            error.parts,
            message,
            hint=f'leave it out, or use the type "{other_types[0]}"',
            notes=notes,
            on="key",
            related=(RelatedPath((*parent, "type"), "the type"),),
        )
    hint = best.question if best is not None else ""
    if error.home is not None:
        (*path, name), home = error.home, source_map.subject(error.home[:-1])
        exists = name in members(lookup(source_map.data, tuple(path)))
        it, renamed = ("it", "") if name == key else (f'"{name}"', f' as "{name}"')
        hint = f"{home} has {it} already" if exists else f"it belongs in {home}{renamed}"
    present = suggest_field(key, known)
    if not hint and present is not None:
        hint = f'leave it out: {subject} has "{present.name}" already'
    hint = hint or hint_for_unsupported(key)
    return source_map.diagnostic(
        "ND101",
        error.parts,
        f'unknown field "{_cut(key)}" in {subject}',
        hint=hint,
        notes=notes,
        on="key",
    )


def _missing_field(error: LocatedError, source_map: SourceMap) -> Diagnostic:
    parent, key = error.parts[:-1], error.parts[-1]
    subject = source_map.subject(parent)
    if isinstance(key, int):
        return source_map.diagnostic("ND108", parent, f"{subject} needs at least {key + 1} values")
    annotations = structure.annotations_at(Document, error.parts, source_map.data)
    values = [value for each in annotations for value in structure.literals(each)]
    notes = (_choices(values),) if len(values) > 1 else ()
    message = f'"{key}" is missing in {subject}'
    hint, about = hint_for_missing_field(key, known_fields(parent, source_map.data)[key])
    hint = (_hint_for_neuron(source_map.data) if key == "neuron" else "") or hint
    return source_map.diagnostic("ND102", error.parts, message, hint=hint, notes=(*notes, *about))


def _hint_for_neuron(data: Any) -> str:
    """Returns a hint that suggests the document's first neuron; empty if it has no neuron."""
    neurons = members(lookup(data, ("neurons",)))
    return f'write "neuron": {json.dumps(next(iter(neurons)))}' if neurons else ""


def _unknown_type(error: LocatedError, source_map: SourceMap) -> Diagnostic:
    candidates = structure.models_at(Document, error.parts, source_map.data)
    names = [name for model in candidates for name in structure.type_names(model)]
    subject = source_map.subject(error.parts)
    notes = (allowed_note(sorted(names)),)
    value: dict[str, Any] = error.value
    if error.context["discriminator"] == "form_tag()":
        return _wrong_form(error, source_map)
    if not isinstance(error.value, dict):
        return _must_be(error.parts, "an object", error.value, source_map)
    at = (*error.parts, "type")
    if "type" not in value:
        for key in value:
            if closest_name(key, ["type"]) is not None:
                return source_map.diagnostic(
                    "ND101",
                    (*error.parts, key),
                    f'unknown field "{_cut(key)}" in {subject}',
                    hint='did you mean "type"?',
                    on="key",
                )
        meant = [each for each in candidates if _has_the_fields_of(value, each)]
        names = [name for model in meant for name in structure.type_names(model)]
        hint = f'write "type": "{names[0]}"' if len(names) == 1 else ""
        message = f'"type" is missing in {subject}'
        return source_map.diagnostic("ND102", at, message, hint=hint, notes=notes)
    kind = value["type"]
    if not isinstance(kind, str):
        return _must_be(at, "a string", kind, source_map, notes)
    message = f'unknown type "{_cut(kind)}" of {subject}'
    hint = hint_for_type(kind, names)
    return source_map.diagnostic("ND104", at, message, hint=hint, notes=notes)


def _has_the_fields_of(value: dict[str, Any], model: structure.Model) -> bool:
    """Whether an object without ``type`` has all fields that the model needs, and no others."""
    known = structure.fields(model)
    required = {name for name, info in known.items() if info.is_required()} - {"type"}
    return required <= value.keys() <= known.keys()


def _unknown_choice(error: LocatedError, source_map: SourceMap) -> Diagnostic:
    annotations = structure.annotations_at(Document, error.parts, source_map.data)
    values = [value for each in annotations for value in structure.literals(each)]
    texts = [value for value in values if isinstance(value, str)]
    actual = error.value
    is_type = error.parts[-1:] == ("type",)
    ask = hint_for_type if is_type else did_you_mean
    hint = ask(actual, texts) if isinstance(actual, str) else ""
    if is_type and isinstance(actual, str):
        message = f'unknown type "{_cut(actual)}" of {source_map.subject(error.parts[:-1])}'
        return source_map.diagnostic(
            "ND104", error.parts, message, hint=hint, notes=(_choices(values),)
        )
    if not any(type(actual) is type(value) for value in values):
        return _must_be(
            error.parts, _forms(error, source_map), actual, source_map, (_choices(values),)
        )
    message = f"{dotted(error.parts)} cannot be {_show(actual)}"
    return source_map.diagnostic(
        "ND107", error.parts, message, hint=hint, notes=(_choices(values),)
    )


def _limit(error: LocatedError, source_map: SourceMap) -> Diagnostic:
    name = dotted(error.parts)
    if error.kind == "finite_number":
        return source_map.diagnostic("ND106", error.parts, f"{name} must be a finite number")
    key, words = _LIMITS[error.kind]
    limit = error.context[key]
    shown = f"{limit:g}" if isinstance(limit, float) and limit < 1e6 else f"{limit}"
    message = f"{name} must be {words} {shown}, not {_show(error.value)}"
    is_decay = str(error.parts[-1]).endswith("_decay") and isinstance(error.value, int)
    of_4096 = f"write {error.value / 4096:g} for {error.value} of 4096"
    hint = of_4096 if is_decay and _MIN_DEVICE_DECAY <= error.value <= 4096 else ""
    return source_map.diagnostic("ND106", error.parts, message, hint=hint)


def _length(error: LocatedError, source_map: SourceMap) -> Diagnostic:
    name = source_map.subject(error.parts)
    of_text = error.kind.startswith("string")
    if error.kind.endswith("short"):
        least = error.context["min_length"]
        if of_text or least == 1:
            return source_map.diagnostic("ND108", error.parts, f"{name} is empty")
        message = f"{name} needs at least {least} values, not {len(error.value)}"
    else:
        most = error.context["max_length"]
        things = "characters" if of_text else "values"
        message = f"{name} may have at most {most} {things}, not {len(error.value)}"
    return source_map.diagnostic("ND108", error.parts, message)


def _pattern(error: LocatedError, source_map: SourceMap) -> Diagnostic:
    pattern = error.context["pattern"]
    form = _PATTERNS[pattern]
    message = f"{_show(error.value)} is not {form}"
    on = "key" if error.on_key else "value"
    name = re.sub("[^A-Za-z0-9_-]+", "_", error.value.strip())
    is_better = pattern == NAME_PATTERN and re.search(NAME_PATTERN, name) is not None
    hint = f'write "{_cut(name)}"' if is_better and name.strip("_") else ""
    return source_map.diagnostic("ND109", error.parts, message, hint=hint, on=on)


def _wrong_form(error: LocatedError, source_map: SourceMap) -> Diagnostic:
    expected = _KINDS.get(error.kind, "another kind of value")
    forms = _forms(error, source_map)
    return _must_be(error.parts, forms or expected, error.value, source_map)


def _forms(error: LocatedError, source_map: SourceMap) -> str:
    """Names all JSON types that the field may have, such as "a number or an object"."""
    names: dict[Any, str] = {
        int: "an integer",
        float: "a number",
        str: "a string",
        bool: "true or false",
    }
    words: list[str] = []
    for annotation in structure.annotations_at(Document, error.parts, source_map.data):
        for each in structure.alternatives(annotation):
            origin = get_origin(each)
            if each is type(None):
                words.append("null")
            elif each in names:
                words.append(names[each])
            elif origin is Literal:
                words.extend(names[type(value)] for value in get_args(each))
            elif origin is tuple:
                words.append("a list")
            elif origin is dict or structure.models(each):
                words.append("an object")
    return " or ".join(dict.fromkeys(words))


def _must_be(
    parts: Parts, expected: str, actual: Any, source_map: SourceMap, notes: tuple[str, ...] = ()
) -> Diagnostic:
    hint = ""
    if parts == ("data", "split") and _is_number(str(actual)):
        hint = SPLIT_HINT
    elif isinstance(actual, float) and "an integer" in expected and actual.is_integer():
        hint = f"write {int(actual)}"
    elif isinstance(actual, str) and _is_number(actual) and re.search("number|integer", expected):
        hint = "write it without quotes"
    elif actual is None:
        hint = _hint_for_null(parts, source_map.data)
    else:
        hint = hint_for_wrong_form(parts, expected, actual, source_map.data)
    message = f"{dotted(parts) or 'the document'} must be {expected}, not {_describe(actual)}"
    return source_map.diagnostic("ND103", parts, message, hint=hint, notes=notes)


def _hint_for_null(parts: Parts, data: Any) -> str:
    """Returns the hint for a null that is not allowed: give a value or leave the field out."""
    info = known_fields(parts[:-1], data).get(str(parts[-1])) if parts else None
    if info is None:
        return "give a value"
    if parts[-1] == "neuron" and (hint := _hint_for_neuron(data)):
        return f"{hint}; a layer without neurons is not in this version"
    if info.is_required():
        return hint_for_missing_field(str(parts[-1]), info)[0] or "give a value"
    default = structure.default(info)
    then = f" (its default is {_show(default)})" if isinstance(default, bool | int | float) else ""
    return f"leave the field out{then}, or give a value"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text) is not None


def _describe(value: Any) -> str:
    """Describes a value for a message: an object or list by its JSON type, others by their text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return f"the string {_show(value)}" if isinstance(value, str) else _show(value)


def _show(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _choices(values: Iterable[Any]) -> str:
    names = (value if isinstance(value, str) else json.dumps(value) for value in values)
    return allowed_note(sorted(names))


_DIAGNOSE = {
    "extra_forbidden": _unknown_field,
    "missing": _missing_field,
    "union_tag_invalid": _unknown_type,
    "union_tag_not_found": _unknown_type,
    "literal_error": _unknown_choice,
    **dict.fromkeys((*_LIMITS, "finite_number"), _limit),
    **dict.fromkeys(("too_short", "too_long", "string_too_short", "string_too_long"), _length),
    "string_pattern_mismatch": _pattern,
}
"""Maps a pydantic error type to the function that makes its diagnostic.

``_wrong_form`` makes the diagnostics of all other errors.
"""
