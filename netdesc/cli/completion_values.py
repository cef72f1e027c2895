"""Completes ``--set KEY=VALUE`` in the shell."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from click.shell_completion import CompletionItem

from netdesc.description import model_structure as structure
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, member, members
from netdesc.description.overrides import indices_by_name
from netdesc.description.source import Source, read_source

_HIDDEN_FIELDS = {"$schema", "format", "lock"}
"""Fields of a document that users do not set on the command line."""


def complete_override(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Returns the completions of an incomplete ``KEY=VALUE``.

    Names and types of layers and neurons come from the document on the command line.
    """
    # As long as --set has no complete value, click leaves the other arguments in ``ctx.args``.
    words = map(str, [*ctx.params.values(), *ctx.args])
    data = _read_document(next((word for word in words if word.endswith(".json")), None))
    key, equals, _ = incomplete.partition("=")
    *path, name = key.split(".")
    parts = _resolve_items(path, data)
    if equals:
        texts = {f"{key}={value}": "" for value in _list_values(parts, name, data)}
    else:
        texts = _list_keys(parts, "".join(f"{part}." for part in path), data)
    return [
        CompletionItem(text, help=description)
        for text, description in texts.items()
        if text.startswith(incomplete) and text.isprintable()  # a name can come from any file
    ]


def _read_document(name: str | None) -> Any:
    # read_source reads neither pipes, which may not end, nor huge files.
    source = None if name is None else read_source(Path(name), name)
    try:
        return json.loads(source.text) if isinstance(source, Source) else None
    except (ValueError, RecursionError):
        return None


def _resolve_items(path: Sequence[str], data: Any) -> Parts:
    """Converts the parts of a dotted key to a path. Names and numbers of items become indices."""
    parts: list[str | int] = []
    for part in path:
        index = indices_by_name(data).get(part) if isinstance(data, list) else None
        if index is None and isinstance(data, list) and part.isascii() and part.isdecimal():
            index = int(part)
        parts.append(part if index is None else index)
        data = member(data, parts[-1])
    return tuple(parts)


def _describe_members(parts: Parts, data: Any) -> dict[str, tuple[list[Any], str]]:
    """Maps each member that the value at ``parts`` may have to (its types, its description)."""
    value = lookup(data, parts)
    annotations = structure.annotations_at(parts, data)
    members_by_name: dict[str, tuple[list[Any], str]] = {}
    for each in (kind for annotation in annotations for kind in structure.alternatives(annotation)):
        if get_origin(each) is dict and isinstance(value, dict):
            members_by_name |= {name: ([get_args(each)[1]], "") for name in value}
        elif _is_list_of_sections(each) and isinstance(value, list):
            names = indices_by_name(value) or map(str, members(value))
            members_by_name |= {name: ([get_args(each)[0]], "") for name in names}
    candidates = structure.models_at(parts, data)
    chosen = structure.choose_model(candidates, value)
    for model in candidates if chosen is None else [chosen]:
        for name, info in structure.fields(model).items():
            before, about = members_by_name.get(name, ([], info.description or ""))
            first_sentence = re.split(r"\. |\.$", about)[0]
            members_by_name[name] = ([*before, info.annotation], first_sentence)
    return {name: each for name, each in members_by_name.items() if name not in _HIDDEN_FIELDS}


def _is_list_of_sections(annotation: Any) -> bool:
    arguments = get_args(annotation)
    is_list = get_origin(annotation) is tuple and arguments[-1] is Ellipsis
    return is_list and bool(structure.models(arguments[0]))


def _list_keys(parts: Parts, prefix: str, data: Any) -> dict[str, str]:
    """Returns key -> description for each member of the section at ``parts``.

    Keys begin with ``prefix`` and end in ``=`` (a value comes next) or ``.`` (a key comes next).
    """
    section = lookup(data, parts)
    keys: dict[str, str] = {}
    for name, (hints, description) in _describe_members(parts, data).items():
        kinds = [each for hint in hints for each in structure.alternatives(hint)]
        has_parts = [
            get_origin(kind) is dict or _is_list_of_sections(kind) or bool(structure.models(kind))
            for kind in kinds
        ]
        if not all(has_parts):
            keys[f"{prefix}{name}="] = description
        value = member(section, *_resolve_items([name], section))
        if any(has_parts) and (value is None or isinstance(value, dict | list)):
            keys[f"{prefix}{name}."] = description
    return keys


def _list_values(parts: Parts, name: str, data: Any) -> list[str]:
    """Returns the values that a field may have: its words, true, false, null or neuron names."""
    if name == "type":
        models = structure.models_at(parts, data)
        return [each for model in models for each in structure.type_names(model)]
    hints, _ = _describe_members(parts, data).get(name, ([], ""))
    kinds = [each for hint in hints for each in structure.alternatives(hint)]
    values = [value for kind in kinds for value in structure.literals(kind)]
    values += ["true", "false"] if bool in kinds else []
    values += ["null"] if type(None) in kinds else []
    neurons = members(lookup(data, ("neurons",))) if name == "neuron" else ()
    return [*values, *map(str, neurons)]
