"""Sums of sums, which may be in several others: each is made once, for some numbers at a time.

Floats are added up in the order in which they stand there, as anybody else would. Gone through term
by term, a sum that is added to itself ten times over has a thousand of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar, cast

import numpy as np

_ROOM = 1 << 18
"""Numbers of all that is added up that are there at a time: 1 MB."""

_LEAST = 1 << 12
"""Or so many of each."""

Item = TypeVar("Item", bound=Hashable)


class Added(Generic[Item]):
    """What its ``parts`` add up to, from the first to the last: items, and sums of such."""

    def __init__(self, parts: Sequence[Item | Added[Item]]) -> None:
        self.parts = tuple(parts)

    @property
    def order(self) -> list[Added[Item]]:
        """All sums in it, each after those that it is of; itself is the last one."""
        return [*self._before, self]

    @cached_property
    def _before(self) -> list[Added[Item]]:
        """All others: if it held itself, it would live until Python next looks for such rings."""
        order: dict[Added[Item], None] = {}
        asked: list[Added[Item]] = [self]
        while asked:
            missing = [p for p in asked[-1].parts if isinstance(p, Added) and p not in order]
            if missing:
                asked.append(missing[0])
            else:
                order[asked.pop()] = None
        del order[self]
        return [*order]

    @cached_property
    def times(self) -> dict[Item, int]:
        """How often each item is added up, in the order in which they are needed."""
        found: Counter[Item | Added[Item]] = Counter({self: 1})
        for each in reversed(self.order):
            for part in each.parts:
                found[part] += found[each]
        items = (part for each in self.order for part in each.parts)
        return {item: found[item] for item in items if not isinstance(item, Added)}

    @property
    def is_plain(self) -> bool:
        """Whether it is of items alone, of which the first is there once."""
        return len(self.order) == 1 and self.parts.count(self.parts[0]) == 1


def added_up(total: Added[Item], value_of: Callable[[Item], np.ndarray]) -> np.ndarray:
    """The sum; each item's value is asked for once and may be written to."""
    values: dict[Item | Added[Item], np.ndarray] = {}
    uses = Counter(part for each in total.order for part in each.parts)
    for each in total.order:
        summands: list[np.ndarray] = []
        for part in each.parts:
            if part not in values:
                values[part] = value_of(cast(Item, part))
            summands.append(values[part])
            uses[part] -= 1
            if not uses[part]:
                del values[part]
        first, *others = summands
        if each.parts[0] in values or each.parts.count(each.parts[0]) > 1:
            first = first.copy()  # it is needed as it is
        for other in others:
            first += other
        values[each] = first
    return values[total]


def add_up(total: Added[Item], values: Mapping[Item, np.ndarray]) -> np.ndarray:
    """The same in the memory of the first item's values; all are contiguous and as many."""
    (home, *_) = (values[item] for item in total.times)
    assert home.flags.c_contiguous, "a sum would be made in a copy"
    if total.is_plain:
        return added_up(total, lambda item: values[item].reshape(home.shape))
    flat = {item: values[item].reshape(-1) for item in total.times}
    length = max(_LEAST, _ROOM // (len(total.order) + len(flat)))
    for first in range(0, home.size, length):
        block = slice(first, first + length)
        home.reshape(-1)[block] = added_up(total, lambda item, of=block: flat[item][of])
    return home
