"""Suggested names are known and close; a fix writes only a name that differs by one slip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.description.spelling import certain_name, closest_name

names = st.text("ab", min_size=4, max_size=9)
"""Names of two letters, which are often close to one another."""


@given(names, st.lists(names, max_size=6))
def test_only_a_known_name_is_suggested_and_itself_first(name: str, known: list[str]) -> None:
    assert closest_name(name, known) in (None, *known)
    assert certain_name(name, known) in (None, *known)
    assert closest_name(name, [*known, name]) == name


def test_a_name_that_resembles_none_gets_no_suggestion() -> None:
    assert closest_name("threshold", ["units", "neuron"]) is None
    assert closest_name("treshold", ["units", "threshold"]) == "threshold"


@pytest.mark.parametrize(
    ("name", "known", "certain"),
    [
        ("treshold", ["units", "threshold"], "threshold"),
        ("tpye", ["type"], "type"),
        ("unitss", ["units"], "units"),
        ("learningRate", ["learning_rate"], "learning_rate"),
        ("min_rate", ["max_rate"], None),
        ("mix_rate", ["max_rate", "min_rate"], None),
        ("hidden2", ["hidden1"], None),
        ("rg", ["rf"], None),
    ],
)
def test_a_name_is_certain_if_one_slip_explains_it(name, known, certain) -> None:
    assert certain_name(name, known) == certain
