"""The suggestion for a misspelt name is the known name with the fewest edits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netdesc.description.spelling import closest_name, edit_distance, normalise_name

names = st.text("ab", min_size=7, max_size=9)
"""Names of two letters, which are often close to one another."""


def edits(left: str, right: str) -> int:
    return edit_distance(normalise_name(left), normalise_name(right), 9)


@given(names, st.lists(names, min_size=1, max_size=6))
def test_no_known_name_is_closer_than_the_suggestion(name: str, known: list[str]) -> None:
    suggestion = closest_name(name, known)
    if suggestion is not None:
        assert suggestion in known
        assert edits(name, suggestion) == min(edits(name, each) for each in known)


def test_a_name_that_resembles_none_gets_no_suggestion() -> None:
    assert closest_name("threshold", ["units", "neuron"]) is None
    assert closest_name("treshold", ["units", "threshold"]) == "threshold"
