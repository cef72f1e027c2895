"""The user's functions that are called after each epoch, and what they may return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

Callback = Callable[[dict[str, Any]], object]
"""Called after an epoch with its metrics, losses per sample and epochs from 1. Returns True to end
training, or else False or None."""


def ends_training(callback: Callback, metrics: dict[str, Any]) -> bool:
    """Calls a callback. Returns whether training ends.

    TypeError unless the callback returns None or a boolean of Python, numpy or torch.
    """
    answer = callback(metrics)
    if getattr(answer, "ndim", None) == 0:  # a number of numpy or torch
        answer = cast("Any", answer).item()
    if answer is None or isinstance(answer, bool):
        return bool(answer)
    name = getattr(callback, "__name__", type(callback).__name__)
    raise TypeError(
        f"the callback {name} returned {answer!r}; it must return True to end training, or else "
        "False or None"
    )
