"""Tests that run a few cases by default, and all of their cases with ``-m slow``."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings

slow = pytest.mark.slow


def grid(cases: Iterable[Any], default: Iterable[Any]) -> list[Any]:
    """The cases as parameters of a test; those that are not in ``default`` are slow."""
    quick = list(default)
    return [case if case in quick else pytest.param(case, marks=slow) for case in cases]


def examples(few: int, many: int) -> pytest.MarkDecorator:
    """Parametrizes ``number`` with ``few`` random examples by default and ``many`` if slow."""
    return pytest.mark.parametrize("number", [few, pytest.param(many, marks=slow)])


def check_examples(number: int, check: Callable[..., None], *strategies: Any) -> None:
    """Calls ``check`` with ``number`` examples of the strategies."""
    settings(max_examples=number)(given(*strategies)(check))()
