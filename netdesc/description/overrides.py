"""``--set PATH=VALUE``: values from the command line, as if they stood in the file."""

from __future__ import annotations

import copy
import itertools
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from netdesc.description import model_structure as structure
from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.json.reader import parse
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted, lookup, members
from netdesc.description.models import Document
from netdesc.description.models.document import FORMAT
from netdesc.description.pydantic_errors import known_fields
from netdesc.description.source import Source
from netdesc.description.spelling import allowed_note, certain_name, did_you_mean, normalise_name
from netdesc.description.synonyms import FIELDS, suggest_field

_DEEPEST = 2
_MOST_NEURONS = 3
_MOST_PLACES = 3
"""Bounds of the search for a field whose path was left out."""
NUMBER_TOO_LARGE = "ND014"


@dataclass(frozen=True, slots=True)
class Override:
    """A path, the value to put there and the argument as the user wrote it."""

    parts: tuple[str, ...]
    value: Any
    text: str


class OverrideFault(ValueError):
    """An override that cannot be applied; turned into a diagnostic at once."""

    def __init__(self, code: str, message: str, hint: str = "", note: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.note = code, message, hint, note


def apply(
    data: dict[str, Any], arguments: Sequence[str], file: str
) -> tuple[dict[str, Any], dict[Parts, str], list[Diagnostic]]:
    """The data with the overrides in it, which paths changed by which argument, and the faults.

    A text by itself is one argument.
    """
    arguments = [arguments] if isinstance(arguments, str) else arguments
    changed: dict[Parts, str] = {}
    faults: list[Diagnostic] = []
    for argument in arguments:
        attempt = copy.deepcopy(data)
        try:
            parts = _put(attempt, _parse(argument))
        except OverrideFault as fault:
            faults.append(
                Diagnostic(
                    fault.code,
                    "error",
                    file,
                    fault.message,
                    hint=fault.hint,
                    notes=(fault.note,) if fault.note else (),
                    override=argument,
                )
            )
            continue
        # A later override of an enclosing value hides earlier ones inside it.
        changed = {old: by for old, by in changed.items() if old[: len(parts)] != parts}
        changed[parts] = argument
        data = attempt
    if changed:
        _make_paths_absolute(data, changed)
    return data, changed, faults


def _parse(argument: str) -> Override:
    path, equals, text = argument.partition("=")
    path = path.strip()
    if not equals or path in ("", "/"):
        raise OverrideFault("ND111", "an override is PATH=VALUE, such as training.epochs=50")
    if path.startswith("/"):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    else:
        parts = path.split(".")
        _refuse_other_paths(path)
    if "" in parts:
        raise OverrideFault("ND111", f"{path} has an empty part")
    return Override(tuple(parts), _value(text), argument)


def _refuse_other_paths(path: str) -> None:
    """Paths as other tools write them; no name of the language has their signs."""
    dots = re.sub(r"\[['\"]?([^\[\]'\"]*)['\"]?\]", r".\1", path)
    if dots != path:
        message = "a path has no brackets, but a dot before each part"
        raise OverrideFault("ND111", message, f"write {dots}=…")
    if "/" in path and "." not in path:
        message = 'a path has dots between its parts, or "/" before each'
        raise OverrideFault("ND111", message, f"write {path.replace('/', '.')}=…")


def _value(text: str) -> Any:
    """JSON, or else the text itself. What looks like JSON and is broken is an error."""
    parsed = parse(Source(text, "--set"))
    if parsed.root is not None and not parsed.diagnostics:
        return parsed.root.value
    if text.lstrip()[:1] in ("{", "[", '"') or parsed.diagnostics[0].code == NUMBER_TOO_LARGE:
        first = parsed.diagnostics[0]
        message = f"the value is broken JSON at character {first.start + 1}: {first.message}"
        raise OverrideFault("ND111", message, first.hint, "quoted for the shell: --set 'name={…}'")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise OverrideFault("ND111", "the value is not UTF-8 text")
    return text


def _put(data: dict[str, Any], override: Override) -> Parts:
    """Set one value, creating the optional sections on the way to it."""
    holder: Any = data
    parts: Parts = ()
    for part in override.parts[:-1]:
        key = _key(holder, part, parts, data, override)
        if isinstance(holder, dict):
            section = cast("dict[str, Any]", holder)
            if section.get(str(key)) is None:
                _refuse_misspelt(str(key), parts, section)
                section[str(key)] = _default(data, (*parts, key))
        holder = cast("Any", holder)[key]
        parts = (*parts, key)
    if override.parts == ("format",) and override.value != FORMAT:
        message = f"--set cannot change the format of a document; this netdesc reads {FORMAT}"
        hint = "netdesc migrate writes one of an older format in the present one"
        raise OverrideFault("ND112", message, hint)
    last = _key(holder, override.parts[-1], parts, data, override)
    parts = (*parts, last)
    holder[last] = override.value
    return parts


def _refuse_misspelt(name: str, parts: Parts, neurons: dict[str, Any]) -> None:
    """A path may begin a neuron, but not one whose name is a misspelt one of another."""
    best = certain_name(name, neurons) if parts == ("neurons",) else None
    if best is not None:
        message, hint = f'there is no neuron "{name}"', f'did you mean "{best}"?'
        raise OverrideFault("ND112", message, hint, allowed_note(neurons))


def _key(holder: Any, part: str, parts: Parts, data: Any, override: Override) -> str | int:
    """The key or index that a part names in a value, if the language has it."""
    where = dotted(parts) or "the document"
    if isinstance(holder, list):
        items = cast("list[Any]", holder)
        size, names = len(items), indices_by_name(items)
        if part in names:
            return names[part]
        if not re.fullmatch("0|[1-9][0-9]{0,8}", part, re.ASCII) or int(part) >= size:
            message = f"{where} has no item {part}"
            note = f"items are counted from 0 to {size - 1}" if size else "the list is empty"
            note += f"; their names are {', '.join(names)}" if names else ""
            hint = did_you_mean(part, names) or _ways(part, parts, items, override)
            raise OverrideFault("ND112", message, hint, note)
        return int(part)
    if not isinstance(holder, dict):
        raise OverrideFault("ND112", f"{where} has no parts: it is {json.dumps(holder)}")
    if structure.annotations_at(Document, (*parts, part), data):
        return part
    present = cast("dict[str, Any]", holder)
    if part in present and part != override.parts[-1]:
        return part
    candidates = structure.models_at(Document, parts, data)
    if structure.choose(candidates, holder) is None and any(
        part in structure.fields(model) for model in candidates
    ):
        return part  # what the section is, its "type" will say
    known = {name: info for model in candidates for name, info in structure.fields(model).items()}
    best = suggest_field(part, known)
    hint = best.question if best is not None else _elsewhere(part, data)
    raise OverrideFault(
        "ND112",
        f'there is no field "{part}" in {where}',
        hint,
        allowed_note(structure.required_first(known)) if known else "",
    )


def _ways(part: str, parts: Parts, items: Sequence[Any], override: Override) -> str:
    """How to write the path to an item: the one with this number, or else the first."""
    if not items:
        return ""
    meant = int(part) if re.fullmatch("0[0-9]{1,8}", part, re.ASCII) else 0
    meant = meant if meant < len(items) else 0
    named = [name for name, index in indices_by_name(items).items() if index == meant]
    rest = override.parts[len(parts) + 1 :]
    return "write " + " or ".join(dotted((*parts, each, *rest)) for each in (meant, *named))


def _elsewhere(name: str, data: Any) -> str:
    """``did you mean …?`` for a field that other objects of the document have."""
    found = find_keys(name, data)
    return f"did you mean {' or '.join(found)}?" if found else ""


def find_keys(name: str, data: Any) -> list[str]:
    """Keys of the fields that have a name, or that other tools call so, in a document like this."""
    found: list[str] = []
    near: list[Parts] = [()]
    for place in near:
        known = known_fields(place, data)
        best = name if name in known else None
        if best is None and normalise_name(name) in FIELDS:
            meant = suggest_field(name, known)
            best = meant.name if meant is not None else None
        found += [dotted((*place, best))] if best is not None else []
        if len(place) < _DEEPEST:
            near += [(*place, key) for key in known if key != "lock"]
            inner = members(lookup(data, place)) if place == ("neurons",) else {}
            near += [(*place, key) for key in itertools.islice(inner, _MOST_NEURONS)]
    return found[:_MOST_PLACES]


def indices_by_name(items: Sequence[Any]) -> dict[str, int]:
    """Where in a list each name is; of several with one name, the first. Layers have names."""
    found: dict[str, int] = {}
    for index, item in enumerate(items):
        name = cast("dict[str, Any]", item).get("name") if isinstance(item, dict) else None
        if isinstance(name, str):
            found.setdefault(name, index)
    return found


def _default(data: Any, parts: Parts) -> Any:
    """What an absent section or list starts from: its default, or an empty object."""
    parent = structure.choose(
        structure.models_at(Document, parts[:-1], data), lookup(data, parts[:-1])
    )
    info = structure.fields(parent).get(str(parts[-1])) if parent is not None else None
    default = info.default if info is not None else None
    if isinstance(default, tuple):
        return list(cast("tuple[Any, ...]", default))
    return default.model_dump(mode="json") if isinstance(default, structure.Section) else {}


def _make_paths_absolute(data: dict[str, Any], changed: dict[Parts, str]) -> None:
    """Paths on the command line start at the working directory: make that last."""
    if not changed:
        return
    for parts in structure.path_places(Document, data):
        if any(parts[:length] in changed for length in range(1, len(parts) + 1)):
            holder = lookup(data, parts[:-1])
            holder[parts[-1]] = os.path.abspath(holder[parts[-1]])
