"""Mistakes in the equations of a neuron, with their places in its texts."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from netdesc.caller import UserError

Part = Literal["parameters", "inputs", "step", "spike", "reset", "output"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Characters of one text of a definition: from ``column`` up to ``end_column``, from 0.

    In ``parameters`` and ``inputs`` the text is a name, in ``step`` and ``reset`` an equation;
    ``index`` is its place in that list. It is 0 for ``spike`` and ``output``.
    """

    part: Part
    index: int
    column: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong at a place, and what may be meant instead."""

    place: Place
    message: str
    suggestion: str | None = None
    """A text that may replace the place."""


class EquationError(UserError):
    """A definition has mistakes. They are sorted by place, at least one."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted({*mistakes}, key=lambda each: (each.place, each.message)))
        assert self.mistakes
        super().__init__("; ".join(each.message for each in self.mistakes))


def closest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that is most like ``name``, None if none is."""
    # With less, sin would be like min.
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.7)), None)
