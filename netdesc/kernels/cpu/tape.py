"""What kernels a pass comes down to, for who wants to make the same calls again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Call = tuple[Any, tuple[Any, ...]]
"""A kernel and its arguments."""

_now = threading.local()
"""``calls``: where this Python thread's calls are noted, if they are."""


def run(kernel: Any, *arguments: Any) -> Any:
    """Calls a kernel that passes through a chain consist of."""
    result = kernel(*arguments)
    calls: list[Call] | None = getattr(_now, "calls", None)
    if calls is not None:
        calls.append((kernel, arguments))
    return result


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """The calls that this Python thread makes by ``run`` from now on, as they come."""
    calls: list[Call] = []
    _now.calls = calls
    try:
        yield calls
    finally:
        _now.calls = None
