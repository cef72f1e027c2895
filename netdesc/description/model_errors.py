"""Turns pydantic's errors into diagnostics at the wrong key or value."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, cast, get_origin

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description import model_validation
from netdesc.description.diagnostics.diagnostic import Diagnostic, end_search
from netdesc.description.fixes import rewrite_value
from netdesc.description.json.literals import cut
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted, lookup, members
from netdesc.description.source_map import On, RelatedPath, SourceMap
from netdesc.description.spelling import allowed_note, closest_name, did_you_mean, normalise_name
from netdesc.description.synonyms import VALUES, hint_for_type, hint_for_unsupported, suggest_field
from netdesc.neurons.models.equations import IDENTIFIER_PATTERN
from netdesc.sections import NAME_PATTERN

_FORMS: dict[Any, str] = {
    int: "an integer",
    float: "a number",
    str: "a string",
    Literal: "a string",
    bool: "true or false",
    type(None): "null",
    tuple: "a list",
    dict: "an object",
}
"""Maps the type of an annotation to its name in messages."""
_LIMITS = {
    "greater_than": "greater than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}
_PATTERNS = {
    NAME_PATTERN: "a name: letters, digits, _ and -, starting with a letter or _",
    IDENTIFIER_PATTERN: "a name: letters, digits and _, starting with a letter or _",
    r"^[A-Za-z][A-Za-z0-9_]*$": "a name: letters, digits and _, starting with a letter",
    r"^[0-9a-f]{64}$": "64 lower-case hexadecimal digits",
    r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$": "a file name: letters, digits, _, . and -",
}

_MIN_DEVICE_DECAY = 32  # integer decays from this size on are probably the device's, in 1/4096

_MAX_QUOTED_CHARACTERS = 60  # values with more characters are not quoted in a hint

_SPLIT_HINT = (
    "training.validation_split takes a share; data.split names an array with 0 train, "
    "1 validation, 2 test"
)
_HINTS: dict[tuple[Parts, type], str] = {
    (("neurons",), list): 'write {"NAME": {…}}: its name stands before each neuron',
    (("layers",), dict): 'write [{"name": "NAME", …}, …]: a layer holds its name',
    (("loss", "weight"), list): 'the weights of classes are the field "class_weights"',
    (("data", "split"), int): _SPLIT_HINT,
    (("data", "split"), float): _SPLIT_HINT,
}
"""Hints by the path and the type of the wrong value."""


def diagnose(
    invalid: model_validation.InvalidDocumentError, source_map: SourceMap
) -> list[Diagnostic]:
    """Returns a diagnostic for each error, but one for all fields of the same other ``type``.

    They are in the order of the file. The last one says how many errors are not shown.
    """
    diagnostics: list[Diagnostic] = []
    foreign: dict[tuple[Parts, str], list[str]] = {}
    for error in invalid.errors:
        if error.kind == "extra_forbidden" and error.suggestion is None:
            parent, key = error.parts[:-1], str(error.parts[-1])
            models = structure.models_at(parent, source_map.data)
            having = [model for model in models if key in structure.fields(model)]
            if types := [name for model in having for name in structure.type_names(model)]:
                foreign.setdefault((parent, types[0]), []).append(key)
            else:
                diagnostics.append(_unknown_field(error, source_map))
            continue
        diagnostic = _DIAGNOSE.get(error.kind, _wrong_form)(error, source_map)
        if error.fix is not None:
            diagnostic = replace(diagnostic, hint=diagnostic.hint or error.fix.title)
            diagnostic = source_map.add_fix(diagnostic, error.fix)
        diagnostics.append(diagnostic)
    diagnostics += [_fields_of_other_type(*at, keys, source_map) for at, keys in foreign.items()]
    diagnostics.sort(key=lambda shown: (shown.line or 0, shown.column or 0))
    if invalid.hidden:
        noun = "error is" if invalid.hidden == 1 else "errors are"
        diagnostics[-1] = end_search(diagnostics[-1], f"{invalid.hidden:,} more {noun} not shown")
    return diagnostics


def _fields_of_other_type(
    parent: Parts, other: str, names: Sequence[str], source_map: SourceMap
) -> Diagnostic:
    """Returns ND105 at the first of some fields that belong to the type ``other``."""
    kind, subject = lookup(source_map.data, (*parent, "type")), source_map.subject(parent)
    *before, last = [f'"{name}"' for name in names]
    belong, them = (f"field {last} belongs", "it")
    if before:
        belong, them = (f"fields {', '.join(before)} and {last} belong", "them")
    related = [RelatedPath((*parent, "type"), "the type")]
    related += [RelatedPath((*parent, name), f'of "{other}", too', "key") for name in names[1:]]
    message = f'{belong} to type "{other}", and {subject} has type "{kind}"'
    at, notes = (*parent, names[0]), _known_names(parent, source_map)
    hint = _hint_for_parameter(at, source_map) or f'leave {them} out, or use the type "{other}"'
    return source_map.diagnostic(
        "ND105", at, message, hint=hint, notes=notes, on="key", related=tuple(related)
    )


def _known_names(parent: Parts, source_map: SourceMap) -> tuple[str, ...]:
    return (allowed_note(structure.required_first(structure.fields_at(parent, source_map.data))),)


def _unknown_field(error: model_validation.LocatedError, source_map: SourceMap) -> Diagnostic:
    parent, key = error.parts[:-1], str(error.parts[-1])
    subject = source_map.subject(parent)
    hint = error.suggestion.question if error.suggestion is not None else ""
    if error.home is not None:
        (*path, name), home = error.home, source_map.subject(error.home[:-1])
        exists = name in members(lookup(source_map.data, tuple(path)))
        it, renamed = ("it", "") if name == key else (f'"{name}"', f' as "{name}"')
        hint = f"{home} has {it} already" if exists else f"it belongs in {home}{renamed}"
    present = suggest_field(key, structure.fields_at(parent, source_map.data))
    if not hint and present is not None:
        hint = f'leave it out: {subject} has "{present.name}" already'
    hint = hint or hint_for_unsupported(key) or _hint_for_parameter(error.parts, source_map)
    message, notes = f'unknown field "{cut(key)}" in {subject}', _known_names(parent, source_map)
    return source_map.diagnostic("ND101", error.parts, message, hint=hint, notes=notes, on="key")


def _hint_for_parameter(parts: Parts, source_map: SourceMap) -> str:
    kind, value = (lookup(source_map.data, (*parts[:-1], name)) for name in ("type", parts[-1]))
    if kind != "equations" or type(value) not in (int, float):
        return ""
    entry = f'"{cut(str(parts[-1]))}": {{"kind": …, "value": {_show(value)}}}'
    return f'equations read their numbers from "parameters": {{{entry}}}'


def _missing_field(error: model_validation.LocatedError, source_map: SourceMap) -> Diagnostic:
    parent, key, data = error.parts[:-1], error.parts[-1], source_map.data
    subject = source_map.subject(parent)
    if isinstance(key, int):
        return source_map.diagnostic("ND108", parent, f"{subject} needs at least {key + 1} values")
    values = structure.literals_at(error.parts, data)
    notes = (allowed_note(sorted(values)),) if len(values) > 1 else ()
    hint, about = _hint_for_missing(key, structure.fields_at(parent, data)[key])
    if key == "neuron" and (neurons := members(lookup(data, ("neurons",)))):
        hint = f'write "neuron": {json.dumps(next(iter(neurons)))}'
    message = f'"{key}" is missing in {subject}'
    return source_map.diagnostic("ND102", error.parts, message, hint=hint, notes=(*notes, *about))


def _hint_for_missing(name: str, info: FieldInfo) -> tuple[str, tuple[str, ...]]:
    values = structure.literals(info.annotation)
    example = structure.extra(info).get("x-example", values[0] if len(values) == 1 else None)
    hint = f'write "{name}": {json.dumps(example)}' if example is not None else ""
    if values:
        return hint, ()
    sentence = (info.description or "").partition(". ")[0].rstrip(".")
    unit = structure.extra(info).get("x-unit", "1")
    return hint, (f"{name}: {sentence}" + (f"; unit: {unit}" if unit != "1" else ""),)


def _no_type(error: model_validation.LocatedError, source_map: SourceMap) -> Diagnostic:
    """Returns the diagnostic of a value for which no ``type`` chooses a model."""
    if error.context.get("discriminator") == "form_tag()":
        return _wrong_form(error, source_map)
    value: Any = error.value
    if not isinstance(value, dict):
        return _must_be(error.parts, "an object", value, source_map)
    at, subject = (*error.parts, "type"), source_map.subject(error.parts)
    candidates = structure.models_at(error.parts, source_map.data)
    names = [name for model in candidates for name in structure.type_names(model)]
    notes = (allowed_note(sorted(names)),)
    fields = cast("dict[str, Any]", value)
    kind = fields.get("type")
    if isinstance(kind, str):
        message, hint = f'unknown type "{cut(kind)}" of {subject}', hint_for_type(kind, names)
        return source_map.diagnostic("ND104", at, message, hint=hint, notes=notes)
    if "type" in fields:
        return _must_be(at, "a string", kind, source_map, notes)
    for key in fields:
        if closest_name(key, ["type"]) is not None:
            message = f'unknown field "{cut(key)}" in {subject}'
            hint = 'did you mean "type"?'
            return source_map.diagnostic("ND101", (*error.parts, key), message, hint=hint, on="key")
    meant = [model for model in candidates if _has_the_fields_of(fields, model)]
    names = [name for model in meant for name in structure.type_names(model)]
    hint = f'write "type": "{names[0]}"' if len(names) == 1 else ""
    message = f'"type" is missing in {subject}'
    return source_map.diagnostic("ND102", at, message, hint=hint, notes=notes)


def _has_the_fields_of(value: dict[str, Any], model: structure.Model) -> bool:
    """Whether an object without ``type`` has all fields that the model needs, and no others."""
    fields = structure.fields(model)
    required = {name for name, info in fields.items() if info.is_required()} - {"type"}
    return required <= value.keys() <= fields.keys()


def _unknown_choice(error: model_validation.LocatedError, source_map: SourceMap) -> Diagnostic:
    names, actual = structure.literals_at(error.parts, source_map.data), error.value
    notes = (allowed_note(sorted(names)),)
    if not isinstance(actual, str):
        return _must_be(error.parts, _forms(error, source_map), actual, source_map, notes)
    if error.parts[-1:] == ("type",):
        code, hint = "ND104", hint_for_type(actual, names)
        message = f'unknown type "{cut(actual)}" of {source_map.subject(error.parts[:-1])}'
    else:
        code, message = "ND107", f"{dotted(error.parts)} cannot be {_show(actual)}"
        meant = VALUES.get(normalise_name(actual))
        hint = f'did you mean "{meant}"?' if meant in names else did_you_mean(actual, names)
    return source_map.diagnostic(code, error.parts, message, hint=hint, notes=notes)


def _limit(error: model_validation.LocatedError, source_map: SourceMap) -> Diagnostic:
    name, hint = dotted(error.parts), ""
    (limit,) = error.context.values()
    shown = f"{limit:g}" if isinstance(limit, float) and limit < 1e6 else f"{limit}"
    message = f"{name} must be {_LIMITS[error.kind]} {shown}, not {_show(error.value)}"
    is_decay = str(error.parts[-1]).endswith("_decay") and isinstance(error.value, int)
    if is_decay and _MIN_DEVICE_DECAY <= error.value <= 4096:
        hint = f"write {error.value / 4096:g} for {error.value} of 4096"
    return source_map.diagnostic("ND106", error.parts, message, hint=hint)


def _length(error: model_validation.LocatedError, source_map: SourceMap) -> Diagnostic:
    name, size = source_map.subject(error.parts), len(error.value)
    on: On = "key" if error.on_key else "value"
    if size == 0:
        message = f"{name} is empty"
    elif error.kind.endswith("short"):
        message = f"{name} needs at least {error.context['min_length']} values, not {size}"
    else:
        most, is_text = error.context["max_length"], error.kind.startswith("string")
        things = "characters" if is_text else "values"
        message = f"{name} may have at most {most} {things}, not {size}"
        if is_text and not error.on_key:
            on = most, size
    return source_map.diagnostic("ND108", error.parts, message, on=on)


def _pattern(error: model_validation.LocatedError, source_map: SourceMap) -> Diagnostic:
    pattern = error.context["pattern"]
    message = f"{_show(error.value)} is not {_PATTERNS[pattern]}"
    names = [re.sub(part, "_", error.value.strip()) for part in ("[^A-Za-z0-9_-]+", r"\W+|-+")]
    name = next((text for text in names if re.search(pattern, text) and text.strip("_")), "")
    hint = f'write "{cut(name)}"' if name else ""
    on = "key" if error.on_key else "value"
    return source_map.diagnostic("ND109", error.parts, message, hint=hint, on=on)


def _wrong_form(error: model_validation.LocatedError, source_map: SourceMap) -> Diagnostic:
    return _must_be(error.parts, _forms(error, source_map), error.value, source_map)


def _forms(error: model_validation.LocatedError, source_map: SourceMap) -> str:
    """Names all JSON types that the field may have, such as "a number or an object"."""
    words: list[str] = []
    for annotation in structure.annotations_at(error.parts, source_map.data):
        for form in structure.alternatives(annotation):
            words += [_FORMS[kind] for kind in (form, get_origin(form)) if kind in _FORMS]
            words += ["an object"] if structure.models(form) else []
    return " or ".join(dict.fromkeys(words)) or "another kind of value"


def _must_be(
    parts: Parts, expected: str, actual: Any, source_map: SourceMap, notes: tuple[str, ...] = ()
) -> Diagnostic:
    hint = _HINTS.get((parts, type(cast("object", actual))))
    hint = hint or _hint_for_form(parts, expected, actual, source_map.data)
    message = f"{dotted(parts) or 'the document'} must be {expected}, not {_describe(actual)}"
    return source_map.diagnostic("ND103", parts, message, hint=hint, notes=notes)


def _hint_for_form(parts: Parts, expected: str, actual: Any, data: Any) -> str:
    """Returns a hint with the value in the expected form, or else with an example of the field."""
    if actual is None:
        return _hint_for_null(parts, data)
    if len(json.dumps(actual)) > _MAX_QUOTED_CHARACTERS:
        return ""
    text = rewrite_value(parts, expected, actual, data)
    if text is not None:
        return f"write {text}"
    if parts[-1:] == ("spike",) and isinstance(actual, list):
        return 'write one, as "max(v - 1, -1 - v) > 0" for "v > 1" or "v < -1"'
    info = structure.field_at(parts, data)
    example = structure.extra(info).get("x-example") if info is not None else None
    return f"such as {json.dumps(example)}" if isinstance(example, dict | list) else ""


def _hint_for_null(parts: Parts, data: Any) -> str:
    info = structure.field_at(parts, data)
    if info is None:
        return "give a value"
    if info.is_required():
        return _hint_for_missing(str(parts[-1]), info)[0] or "give a value"
    default = structure.default(info)
    then = f" (its default is {_show(default)})" if isinstance(default, bool | int | float) else ""
    return f"leave the field out{then}, or give a value"


def _describe(value: Any) -> str:
    """Describes a value for a message: an object or list by its JSON type, others by their text."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return f"the string {_show(value)}" if isinstance(value, str) else _show(value)


def _show(value: Any) -> str:
    return cut(json.dumps(value, ensure_ascii=False))


_DIAGNOSE = {
    "extra_forbidden": _unknown_field,
    "missing": _missing_field,
    "union_tag_invalid": _no_type,
    "union_tag_not_found": _no_type,
    "dict_type": _no_type,
    "literal_error": _unknown_choice,
    **dict.fromkeys(_LIMITS, _limit),
    **dict.fromkeys(("too_short", "too_long", "string_too_short", "string_too_long"), _length),
    "string_pattern_mismatch": _pattern,
}
"""Pydantic's error type -> what makes its diagnostic. All others are made by ``_wrong_form``."""
