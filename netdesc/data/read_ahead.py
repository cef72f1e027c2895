"""Builds the next batches in a thread while the current one is computed."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

AHEAD = 2
"""Number of items that are computed before they are needed."""

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yields ``items``, of which a thread computes up to ``AHEAD`` before they are needed.

    An error in computing an item is raised when the item is needed. The thread ends after the last
    item; after an error or ``close``, it ends with the item that it is computing.
    """
    end: Any = object()
    with ThreadPoolExecutor(1, thread_name_prefix="netdesc reader") as reader:
        try:
            futures = deque(reader.submit(next, items, end) for _ in range(AHEAD))
            while True:
                item = futures.popleft().result()
                if item is end:
                    return
                futures.append(reader.submit(next, items, end))
                yield item
                del item  # before the next one is awaited
        finally:
            reader.shutdown(wait=False, cancel_futures=True)
