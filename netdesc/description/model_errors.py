"""Turns what pydantic finds wrong into diagnostics at the key or value that is at fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.expected_value import to_write_instead
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted, lookup, members
from netdesc.description.models import Document
from netdesc.description.pydantic_errors import Fault, known_fields
from netdesc.description.required import to_write
from netdesc.description.source_map import RelatedPath, SourceMap
from netdesc.description.spelling import allowed_note, closest_name, did_you_mean
from netdesc.description.synonyms import did_you_mean_type, hint_for_unsupported, suggest_field
from netdesc.description.wrong_type import mistyped, owners
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


_LEAST_OF_4096 = 32
"""From here on a decay is taken for the integer that a device holds."""

SPLIT_HINT = (
    "training.validation_split takes a share; data.split names an array with 0 train, "
    "1 validation, 2 test"
)


def diagnose(found: Iterable[Fault], source_map: SourceMap) -> list[Diagnostic]:
    """Each fault as a finding."""
    found = list(found)
    of_types = mistyped(found, source_map.data)
    listed = [each.diagnostic(source_map) for each in of_types]
    for fault in found:
        tag = (*fault.parts, "type") if fault.kind.startswith("union_tag") else fault.parts
        if source_map.is_guessed(fault.parts) or source_map.is_guessed(tag):
            continue
        if any(each.explains(fault) for each in of_types):
            continue
        finding = _diagnose(fault, source_map)
        if fault.remedy is not None:
            finding = replace(finding, hint=finding.hint or fault.remedy.title)
            finding = source_map.add_fix(finding, fault.remedy)
        listed.append(finding)
    return listed


def _diagnose(fault: Fault, source_map: SourceMap) -> Diagnostic:
    if fault.kind == "extra_forbidden":
        return _unknown_field(fault, source_map)
    if fault.kind == "missing":
        return _missing(fault, source_map)
    if fault.kind in ("union_tag_invalid", "union_tag_not_found"):
        return _union(fault, source_map)
    if fault.kind == "literal_error":
        return _literal(fault, source_map)
    if fault.kind in _LIMITS or fault.kind == "finite_number":
        return _limit(fault, source_map)
    if fault.kind in ("too_short", "too_long", "string_too_short", "string_too_long"):
        return _length(fault, source_map)
    if fault.kind == "string_pattern_mismatch":
        return _pattern(fault, source_map)
    return _kind(fault, source_map)


def _unknown_field(fault: Fault, source_map: SourceMap) -> Diagnostic:
    parent, key = fault.parts[:-1], str(fault.parts[-1])
    subject = source_map.subject(parent)
    known = known_fields(parent, source_map.data)
    of_types = owners(fault, source_map.data)
    best = fault.meaning
    notes = (allowed_note(structure.required_first(known)),)
    if of_types and best is None:
        kind = lookup(source_map.data, (*parent, "type"))
        message = f'field "{key}" belongs to type "{of_types[0]}", and {subject} has type "{kind}"'
        second = RelatedPath((*parent, "type"), "the type")
        return source_map.diagnostic(
            "ND105",
            fault.parts,
            message,
            hint=f'leave it out, or use the type "{of_types[0]}"',
            notes=notes,
            on="key",
            related=(second,),
        )
    hint = best.question if best is not None else ""
    if fault.home is not None:
        (*of_home, name), home = fault.home, source_map.subject(fault.home[:-1])
        is_there = name in members(lookup(source_map.data, tuple(of_home)))
        it, under = ("it", "") if name == key else (f'"{name}"', f' as "{name}"')
        hint = f"{home} has {it} already" if is_there else f"it belongs into {home}{under}"
    twin = suggest_field(key, known)
    if not hint and twin is not None:
        hint = f'leave it out: "{twin.name}" is there already'
    hint = hint or hint_for_unsupported(key)
    return source_map.diagnostic(
        "ND101",
        fault.parts,
        f'unknown field "{_cut(key)}" in {subject}',
        hint=hint,
        notes=notes,
        on="key",
    )


def _missing(fault: Fault, source_map: SourceMap) -> Diagnostic:
    parent, key = fault.parts[:-1], fault.parts[-1]
    subject = source_map.subject(parent)
    if isinstance(key, int):
        wanted = key + 1
        return source_map.diagnostic("ND108", parent, f"{subject} needs at least {wanted} values")
    annotations = structure.annotations_at(Document, fault.parts, source_map.data)
    values = [value for each in annotations for value in structure.literals(each)]
    notes = (_choices(values),) if len(values) > 1 else ()
    message = f'"{key}" is missing in {subject}'
    hint, about = to_write(key, known_fields(parent, source_map.data)[key])
    neurons = members(lookup(source_map.data, ("neurons",)))
    if key == "neuron" and neurons:
        hint = f'write "neuron": {json.dumps(next(iter(neurons)))}'
    return source_map.diagnostic("ND102", fault.parts, message, hint=hint, notes=(*notes, *about))


def _union(fault: Fault, source_map: SourceMap) -> Diagnostic:
    candidates = structure.models_at(Document, fault.parts, source_map.data)
    names = [name for model in candidates for name in structure.type_names(model)]
    subject = source_map.subject(fault.parts)
    notes = (allowed_note(sorted(names)),)
    value: dict[str, Any] = fault.value
    if fault.context["discriminator"] == "form_tag()":
        return _kind(fault, source_map)
    if not isinstance(fault.value, dict):
        return _kind_of(fault.parts, "an object", fault.value, source_map)
    at = (*fault.parts, "type")
    if "type" not in value:
        for key in value:
            if closest_name(key, ["type"]) is not None:
                return source_map.diagnostic(
                    "ND101",
                    (*fault.parts, key),
                    f'unknown field "{_cut(key)}" in {subject}',
                    hint='did you mean "type"?',
                    on="key",
                )
        return source_map.diagnostic("ND102", at, f'"type" is missing in {subject}', notes=notes)
    kind = value["type"]
    if not isinstance(kind, str):
        return _kind_of(at, "a string", kind, source_map, notes)
    message = f'unknown type "{_cut(kind)}" of {subject}'
    hint = did_you_mean_type(kind, names)
    return source_map.diagnostic("ND104", at, message, hint=hint, notes=notes)


def _literal(fault: Fault, source_map: SourceMap) -> Diagnostic:
    annotations = structure.annotations_at(Document, fault.parts, source_map.data)
    values = [value for each in annotations for value in structure.literals(each)]
    texts = [value for value in values if isinstance(value, str)]
    given = fault.value
    is_type = fault.parts[-1:] == ("type",)
    ask = did_you_mean_type if is_type else did_you_mean
    hint = ask(given, texts) if isinstance(given, str) else ""
    if is_type and isinstance(given, str):
        message = f'unknown type "{_cut(given)}" of {source_map.subject(fault.parts[:-1])}'
        return source_map.diagnostic(
            "ND104", fault.parts, message, hint=hint, notes=(_choices(values),)
        )
    if not any(type(given) is type(value) for value in values):
        return _kind_of(
            fault.parts, _forms(fault, source_map), given, source_map, (_choices(values),)
        )
    message = f"{dotted(fault.parts)} cannot be {_show(given)}"
    return source_map.diagnostic(
        "ND107", fault.parts, message, hint=hint, notes=(_choices(values),)
    )


def _limit(fault: Fault, source_map: SourceMap) -> Diagnostic:
    name = dotted(fault.parts)
    if fault.kind == "finite_number":
        return source_map.diagnostic("ND106", fault.parts, f"{name} must be a finite number")
    key, words = _LIMITS[fault.kind]
    limit = fault.context[key]
    shown = f"{limit:g}" if isinstance(limit, float) and limit < 1e6 else f"{limit}"
    message = f"{name} must be {words} {shown}, not {_show(fault.value)}"
    is_decay = str(fault.parts[-1]).endswith("_decay") and isinstance(fault.value, int)
    of_4096 = f"write {fault.value / 4096:g} for {fault.value} of 4096"
    hint = of_4096 if is_decay and _LEAST_OF_4096 <= fault.value <= 4096 else ""
    return source_map.diagnostic("ND106", fault.parts, message, hint=hint)


def _length(fault: Fault, source_map: SourceMap) -> Diagnostic:
    name = source_map.subject(fault.parts)
    of_text = fault.kind.startswith("string")
    if fault.kind.endswith("short"):
        least = fault.context["min_length"]
        if of_text or least == 1:
            return source_map.diagnostic("ND108", fault.parts, f"{name} is empty")
        message = f"{name} needs at least {least} values, not {len(fault.value)}"
    else:
        most = fault.context["max_length"]
        things = "characters" if of_text else "values"
        message = f"{name} may have at most {most} {things}, not {len(fault.value)}"
    return source_map.diagnostic("ND108", fault.parts, message)


def _pattern(fault: Fault, source_map: SourceMap) -> Diagnostic:
    pattern = fault.context["pattern"]
    wanted = _PATTERNS[pattern]
    message = f"{_show(fault.value)} is not {wanted}"
    on = "key" if fault.on_key else "value"
    name = re.sub("[^A-Za-z0-9_-]+", "_", fault.value.strip())
    is_better = pattern == NAME_PATTERN and re.search(NAME_PATTERN, name) is not None
    hint = f'write "{_cut(name)}"' if is_better and name.strip("_") else ""
    return source_map.diagnostic("ND109", fault.parts, message, hint=hint, on=on)


def _kind(fault: Fault, source_map: SourceMap) -> Diagnostic:
    expected = _KINDS.get(fault.kind, "another kind of value")
    forms = _forms(fault, source_map)
    return _kind_of(fault.parts, forms or expected, fault.value, source_map)


def _forms(fault: Fault, source_map: SourceMap) -> str:
    """All forms that the place takes, such as "a number or an object"."""
    names: dict[Any, str] = {
        int: "an integer",
        float: "a number",
        str: "a string",
        bool: "true or false",
    }
    words: list[str] = []
    for annotation in structure.annotations_at(Document, fault.parts, source_map.data):
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


def _kind_of(
    parts: Parts, expected: str, given: Any, source_map: SourceMap, notes: tuple[str, ...] = ()
) -> Diagnostic:
    hint = ""
    if parts == ("data", "split") and _is_number(str(given)):
        hint = SPLIT_HINT
    elif isinstance(given, float) and "an integer" in expected and given.is_integer():
        hint = f"write {int(given)}"
    elif isinstance(given, str) and _is_number(given) and re.search("number|integer", expected):
        hint = "write it without quotes"
    elif given is None:
        hint = _instead_of_null(parts, source_map.data)
    else:
        hint = to_write_instead(parts, expected, given, source_map.data)
    message = f"{dotted(parts) or 'the document'} must be {expected}, not {_describe(given)}"
    return source_map.diagnostic("ND103", parts, message, hint=hint, notes=notes)


def _instead_of_null(parts: Parts, data: Any) -> str:
    """A field that must be given cannot be left out."""
    info = known_fields(parts[:-1], data).get(str(parts[-1])) if parts else None
    if info is None:
        return "give a value"
    if info.is_required():
        return to_write(str(parts[-1]), info)[0] or "give a value"
    default = structure.default(info)
    then = f" (it is {_show(default)} then)" if isinstance(default, bool | int | float) else ""
    return f"leave the field out{then}, or give a value"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text) is not None


def _describe(value: Any) -> str:
    """A value in words: what it is and, if it is short, what it says."""
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
