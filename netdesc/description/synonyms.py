"""Explains names of other tools: "learning_rate" for "lr", and what netdesc has no word for.

The names are in ``synonyms.toml``.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from netdesc.description.spelling import closest_name, did_you_mean, normalise_name
from netdesc.neurons.models import NEURONS


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The field (``name``) that another tool's name or a misspelt name probably means.

    ``value`` says what to write as the field's value, as a formula or in words. It is empty if the
    value of the other tool can be used unchanged.
    """

    name: str
    value: str = ""

    @property
    def question(self) -> str:
        value = f" (= {self.value})" if self.value else ""
        return f'did you mean "{self.name}"{value}?'


_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

FIELDS: dict[str, list[Suggestion]] = {}
"""Maps a name of another tool, in lower case, to the fields that it may mean.

The first field that the object may have is suggested. ``{}`` in a formula stands for the key, which
is the other tool's name.
"""
for _field, _formula, _names in _TABLES["fields"]:
    for _name in _names.split():
        FIELDS.setdefault(_name, []).append(Suggestion(_field, _formula))


def _by_name(table: str) -> dict[str, str]:
    """Maps each name of a table, whose names are joined by spaces, to what it means."""
    return {name: meaning for meaning, names in _TABLES[table].items() for name in names.split()}


VALUES = _by_name("values")
"""Maps another tool's name of a value, in lower case, to the nearest value of netdesc."""

TYPES = _by_name("types")
"""Maps a type of another tool, in lower case, to the type of netdesc that means the same."""

DEVICES = _by_name("devices")
"""Maps a device of another tool, in lower case, to the device of netdesc."""

UNSUPPORTED_FIELDS = _by_name("unsupported_fields")
"""Maps a field that only other tools have, in lower case, to a hint."""

UNSUPPORTED_TYPES = _by_name("unsupported_types")
"""Maps a type that only other tools have, in lower case, to a hint."""

EXPLANATIONS = _by_name("explanations")
"""Maps a further word of other tools, in lower case, to what to write in its place."""


def explain_foreign(word: str) -> list[str]:
    """Returns what to write for a word of other tools, a line for each of its meanings."""
    name = normalise_name(word)
    lines = [
        f'"{field.name}"{f": {field.value.format(word)}" if field.value else ", of the same value"}'
        for field in FIELDS.get(name, ())
    ]
    for form, table in (('"type": "{}"', TYPES), ('the value "{}"', VALUES)):
        lines += [form.format(table[name])] if name in table else []
    hints = (EXPLANATIONS, UNSUPPORTED_FIELDS, UNSUPPORTED_TYPES)
    return [*lines, *dict.fromkeys(table[name] for table in hints if name in table)]


def suggest_field(name: str, known: Iterable[str]) -> Suggestion | None:
    """Suggests the known field for another tool's name or a misspelt name; ``None`` if unclear."""
    known = list(known)
    for suggestion in FIELDS.get(normalise_name(name), ()):
        if suggestion.name in known:
            return Suggestion(suggestion.name, suggestion.value.format(name))
    best = closest_name(name, known) if not hint_for_unsupported(name) else None
    return Suggestion(best) if best is not None else None


def hint_for_unsupported(name: str) -> str:
    """Returns the hint for a field that only other tools have; empty for other names."""
    return UNSUPPORTED_FIELDS.get(normalise_name(name), "")


def names_in_netdesc(name: str) -> list[str]:
    """Returns the fields that other tools call ``name`` and that take their value unchanged."""
    return [each.name for each in FIELDS.get(normalise_name(name), ()) if not each.value]


def hint_for_type(name: str, known: Iterable[str]) -> str:
    """Returns the hint for an unknown ``type``: the type to write, or that netdesc lacks it.

    ``known`` are the allowed types. The hint is empty if nothing is known about the name.
    """
    known = list(known)
    other = _our_type(name)
    if other in known:
        return f'did you mean "{other}"?'
    if other in NEURONS:
        return f'"{other}" is a type of neurons: they are in the field "neuron" of a dense layer'
    return UNSUPPORTED_TYPES.get(normalise_name(name), "") or did_you_mean(name, known)


def hint_for_neuron(name: str) -> str:
    """Returns the hint for a name that is not in "neurons", but a type of neurons somewhere."""
    other = _our_type(name)
    if other in NEURONS:
        return f'add it to "neurons": "{name}": {{"type": "{other}", …}}'
    return UNSUPPORTED_TYPES.get(normalise_name(name), "")


def _our_type(name: str) -> str:
    name = normalise_name(name)
    return TYPES.get(name, name)
