"""Sums of sums are what adding up term by term gives, though each is made but once."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdesc.kernels.cpu import folds
from netdesc.kernels.cpu.folds import Added, add_up, added_up

ITEMS = "abc"


@st.composite
def sums(draw: st.DrawFn) -> Added[str]:
    """Each of up to four parts, which are items or sums that were made before."""
    made: list[str | Added[str]] = [*ITEMS]
    for _ in range(draw(st.integers(1, 6))):
        parts = draw(st.lists(st.integers(0, len(made) - 1), min_size=1, max_size=4))
        made.append(Added([made[part] for part in parts]))
    total = made[-1]
    assert isinstance(total, Added)
    return total


def one_by_one(total: Added[str], values: dict[str, np.ndarray]) -> np.ndarray:
    first, *others = [
        one_by_one(part, values) if isinstance(part, Added) else values[part].copy()
        for part in total.parts
    ]
    for other in others:
        first = first + other
    return first


def items_in(total: Added[str]) -> list[str]:
    return [
        item
        for part in total.parts
        for item in (items_in(part) if isinstance(part, Added) else [part])
    ]


def values_of(size: int, seed: int) -> dict[str, np.ndarray]:
    """Of very different sizes, so that it matters which are added first."""
    rng = np.random.default_rng(seed)
    return {
        item: (rng.normal(size=size) * 10.0 ** rng.integers(-6, 6, size)).astype(np.float32)
        for item in ITEMS
    }


@given(total=sums(), size=st.integers(1, 40), seed=st.integers(0, 99))
@settings(deadline=None)
def test_they_are_what_adding_up_one_by_one_gives(total: Added[str], size: int, seed: int) -> None:
    values = values_of(size, seed)
    expected = one_by_one(total, values)
    asked: list[str] = []

    def value_of(item: str) -> np.ndarray:
        asked.append(item)
        return values[item].copy()

    np.testing.assert_array_equal(added_up(total, value_of), expected)
    assert sorted(asked) == sorted(total.times)
    assert total.times == Counter(items_in(total))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "_LEAST", 1)
        patch.setattr(folds, "_ROOM", 20)
        found = add_up(total, {item: values[item] for item in total.times})
    np.testing.assert_array_equal(found, expected)
    assert np.shares_memory(found, values[next(iter(total.times))])


def test_a_sum_that_is_doubled_again_and_again_is_made_step_by_step() -> None:
    total: Added[str] = Added(["a", "a"])
    for _ in range(1_999):
        total = Added([total, total])
    assert total.times == {"a": 1 << 2_000}
    assert added_up(total, lambda _: np.zeros(3, np.float32)).tolist() == [0, 0, 0]


def test_what_a_sum_holds_is_free_as_soon_as_nobody_holds_the_sum() -> None:
    """And not when Python next looks for objects that hold each other."""

    class Item:
        pass

    item = Item()
    total = Added([Added([item, item]), item])
    assert total.times == {item: 3}
    held = weakref.ref(item)
    gc.disable()
    try:
        del item, total
        assert held() is None
    finally:
        gc.enable()
