"""The whole comparison: one list of differences a section, all of one form."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from netdesc.comparing import facts, files
from netdesc.comparing.normal_form import NormalForm
from netdesc.comparing.operand import Operand
from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import dotted, member, members

VARYING_RESULTS = {"seconds", "seconds_an_epoch"}
"""Results that no two runs share. They are shown, and count as no difference."""
_ABSENT = object()


class Difference(NamedTuple):
    """What two operands have at a place; None for one that has nothing there.

    In the section ``document`` both are objects with ``pointer``, ``value`` and ``origin``, and in
    ``files`` with ``pointer``, ``path`` and ``sha256``. Elsewhere they are the values themselves.
    """

    place: str
    a: Any
    b: Any


class Comparison(NamedTuple):
    """``differences`` are by section; those of ``results`` also hold what is equal in both runs."""

    a: Operand
    b: Operand
    differences: dict[str, list[Difference]]

    @property
    def is_equal(self) -> bool:
        return not any(
            each.a != each.b and not (section == "results" and each.place in VARYING_RESULTS)
            for section, found in self.differences.items()
            for each in found
        )


def compare(a: Operand, b: Operand) -> Comparison:
    """Compares two operands. Files that both name are read only if their paths do not tell."""
    documents = NormalForm(a, b), NormalForm(b, a)
    named = files.named_files(a), files.named_files(b)
    skipped = {(*section, key) for each in named for section in each for key in ("path", "sha256")}
    places = list(_walk((), documents, (documents[0].data, documents[1].data), skipped))
    told = {parts for parts, _ in places}
    both_ran = a.record is not None and b.record is not None
    versions = _differing(facts.versions(a), facts.versions(b))
    differences = {
        "document": [Difference(dotted(parts), *both) for parts, both in places],
        "layers": _differing(facts.layers(a), facts.layers(b)),
        "network": _differing(facts.network(a, b), facts.network(b, a)),
        "files": [
            Difference(dotted(section), one and one.describe(), other and other.describe())
            for section, one, other in files.differing_files(*named)
            if not any(section[:length] in told for length in range(1, len(section) + 1))
        ],
        "versions": [each for each in versions if each.a is not None and each.b is not None],
        "results": list(_pairs(facts.results(a), facts.results(b))) if both_ran else [],
    }
    return Comparison(a, b, differences)


def _walk(
    parts: Parts,
    documents: tuple[NormalForm, NormalForm],
    values: tuple[Any, Any],
    skipped: Collection[Parts],
) -> Iterator[tuple[Parts, list[Any]]]:
    """The places whose values differ, in the order of the documents, with what each side has."""
    if not all(map(_is_compared_by_parts, values)):
        if values[0] != values[1]:
            yield (
                parts,
                [
                    None if value is _ABSENT else document.describe(parts, value)
                    for document, value in zip(documents, values, strict=True)
                ],
            )
        return
    is_other_type = member(values[0], "type") != member(values[1], "type")
    for key in dict.fromkeys([*members(values[0]), *members(values[1])]):
        inner = (*parts, key)
        held = member(values[0], key, _ABSENT), member(values[1], key, _ABSENT)
        if inner in skipped or (parts == ("layers",) and _ABSENT in held):
            continue  # other sections show files, and the layers that only one document has
        found = _walk(inner, documents, held, skipped)
        if is_other_type and _ABSENT in held:
            # Another type has other fields; their defaults are no difference of their own.
            found = (each for each in found if (each[1][0] or each[1][1])["origin"] != "default")
        yield from found


def _is_compared_by_parts(value: Any) -> bool:
    """True for objects and for lists of such; a list of numbers or words is compared whole."""
    if isinstance(value, list):
        return not value or any(map(_is_compared_by_parts, members(value).values()))
    return isinstance(value, dict)


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    return [each for each in _pairs(a, b) if each.a != each.b]


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any], place: str = "") -> Iterator[Difference]:
    """The facts of two operands side by side. Objects that both have are taken apart."""
    for key in dict.fromkeys([*a, *b]):
        one, other = a.get(key), b.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _pairs(one, other, f"{place}{key}.")
        else:
            yield Difference(f"{place}{key}", one, other)
