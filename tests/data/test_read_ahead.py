"""A thread computes the next items, with the order and the errors of a plain iteration."""

import threading
from collections.abc import Iterator

import pytest

from netdesc.data.read_ahead import AHEAD, read_ahead


class Items:
    """Items from 0, of which ``counts`` is told; the one with number ``bad`` is an error."""

    def __init__(self, count: int, bad: int | None = None) -> None:
        self.count, self.bad = count, bad
        self.last, self.threads = -1, set[int]()
        self.is_ahead = threading.Event()

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.threads.add(threading.get_ident())
            if number == self.bad:
                raise ValueError(f"item {number} is damaged")
            self.last = number
            if number == AHEAD:
                self.is_ahead.set()
            yield number


def reader_threads() -> int:
    return sum("reader" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize("count", [0, 1, AHEAD, 7])
def test_items_come_in_order_and_the_thread_ends(count: int) -> None:
    items = Items(count)
    assert list(read_ahead(iter(items))) == list(range(count))
    assert threading.get_ident() not in items.threads
    assert not reader_threads()


def test_two_items_are_ready_before_they_are_needed() -> None:
    items = Items(9)
    ahead = read_ahead(iter(items))
    assert next(ahead) == 0
    assert items.is_ahead.wait(timeout=20)
    ahead.close()
    assert items.last == AHEAD
    assert not reader_threads()


def test_an_error_is_raised_where_its_item_is_needed() -> None:
    seen, ahead = [], read_ahead(iter(Items(9, bad=3)))
    with pytest.raises(ValueError, match="item 3 is damaged"):
        seen.extend(ahead)
    with pytest.raises(StopIteration):
        next(ahead)
    assert not reader_threads()
    for number in read_ahead(iter(Items(9, bad=3))):
        seen.append(number)
        if number == 1:
            break  # the error of an item that is never needed is not raised
    assert seen == [0, 1, 2, 0, 1]
