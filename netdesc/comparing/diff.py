"""Compares two operands (documents, locks or runs), section by section."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from netdesc.comparing import facts, files
from netdesc.comparing.normal_form import NormalForm
from netdesc.comparing.operand import Operand
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import ABSENT, dotted, member, members

VARYING_RESULTS = {"seconds", "seconds_an_epoch"}
"""Results that always differ between runs. They are shown, but do not count as differences."""


class Difference(NamedTuple):
    """The values ``a`` and ``b`` of the two operands at ``place``; None if an operand has no value.

    In the section ``document`` of a comparison, ``a`` and ``b`` are objects with ``pointer``,
    ``value`` and ``origin``; in ``files``, objects with ``pointer``, ``path`` and ``sha256``.
    """

    place: str
    a: Any
    b: Any


class Comparison(NamedTuple):
    """The result of a comparison: a list of ``differences`` for each section.

    The list of the section ``results`` also has equal values.
    """

    a: Operand
    b: Operand
    differences: dict[str, list[Difference]]

    @property
    def is_equal(self) -> bool:
        return not any(
            each.a != each.b and not (section == "results" and each.place in VARYING_RESULTS)
            for section, differences in self.differences.items()
            for each in differences
        )


def compare(a: Operand, b: Operand) -> Comparison:
    """Compares two operands. A data file is read only if its SHA-256 is needed and not recorded."""
    documents = NormalForm(a, b), NormalForm(b, a)
    named = files.named_files(a), files.named_files(b)
    skipped = {(*section, key) for each in named for section in each for key in ("path", "sha256")}
    places = list(_walk((), documents, (documents[0].data, documents[1].data), skipped))
    differing = {parts for parts, _ in places}
    are_runs = a.kind == b.kind == "run"
    versions = _differing(facts.versions(a), facts.versions(b))
    differences = {
        "document": [Difference(dotted(parts), *both) for parts, both in places],
        "layers": _differing(facts.layers(a), facts.layers(b)),
        "network": _differing(facts.network(a, b), facts.network(b, a)),
        "files": [
            Difference(dotted(section), one and one.describe(), other and other.describe())
            for section, one, other in files.differing_files(*named)
            if not any(section[:length] in differing for length in range(1, len(section) + 1))
        ],
        "versions": [each for each in versions if each.a is not None and each.b is not None],
        "results": list(_pairs(facts.results(a), facts.results(b))) if are_runs else [],
    }
    return Comparison(a, b, differences)


def _walk(
    parts: Parts,
    documents: tuple[NormalForm, NormalForm],
    values: tuple[Any, Any],
    skipped: Collection[Parts],
) -> Iterator[tuple[Parts, list[Any]]]:
    """Yields the path of each differing value, and its two descriptions (``NormalForm.describe``).

    ``values`` are the values at ``parts``. The paths ``skipped`` are not compared. A value that one
    document lacks is described as None.
    """
    if not all(map(_is_compared_by_parts, values)):
        if values[0] != values[1]:
            yield (
                parts,
                [
                    None if value is ABSENT else document.describe(parts, value)
                    for document, value in zip(documents, values, strict=True)
                ],
            )
        return
    has_other_type = member(values[0], "type") != member(values[1], "type")
    for key in dict.fromkeys([*members(values[0]), *members(values[1])]):
        inner = (*parts, key)
        pair = member(values[0], key, ABSENT), member(values[1], key, ABSENT)
        if inner in skipped or (parts == ("layers",) and ABSENT in pair):
            continue  # other sections show files, and layers that only one document has
        places = _walk(inner, documents, pair, skipped)
        if has_other_type and ABSENT in pair:
            # Another type has other fields. Their defaults do not count as differences.
            places = (each for each in places if (each[1][0] or each[1][1])["origin"] != "default")
        yield from places


def _is_compared_by_parts(value: Any) -> bool:
    """Returns True for objects and for lists of objects. Other lists are compared as one value."""
    if isinstance(value, list):
        return not value or any(map(_is_compared_by_parts, members(value).values()))
    return isinstance(value, dict)


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    return [each for each in _pairs(a, b) if each.a != each.b]


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any], place: str = "") -> Iterator[Difference]:
    """Yields a Difference for each key of ``a`` or ``b``, even if the values are equal.

    If both values are objects, their keys are compared in the same way.
    """
    for key in dict.fromkeys([*a, *b]):
        one, other = a.get(key), b.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _pairs(one, other, f"{place}{key}.")
        else:
            yield Difference(f"{place}{key}", one, other)
