"""Documents and overrides that are Python values: dicts, also with paths, numpy numbers or tensors.

They are written as JSON text, so that they go through the same checks as a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

Overrides = Mapping[str, Any] | Sequence[str]
"""Values by their paths in the document, or texts ``PATH=VALUE`` as of ``--set``."""

_EXACT = 2**53
"""Floats below this value hold each whole number."""


def json_text(value: object, indent: int | None = None) -> str:
    """Returns the JSON text of a value.

    TypeError if a part of it has no form in JSON, ValueError if it contains itself or is nested
    more deeply than Python's functions may be.
    """
    try:
        return json.dumps(_plain(value), ensure_ascii=False, indent=indent)
    except RecursionError:
        raise ValueError("this value contains itself, or is nested too deeply") from None


def _plain(value: object) -> object:
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[object]", value)]
    to_list = getattr(value, "tolist", None)  # of numpy's numbers and arrays, and of tensors
    if to_list is not None:
        return _with_integers(to_list())
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a document holds JSON values, and {type(value).__name__} is none")


def _with_integers(value: Any) -> Any:
    """Converts whole floats to integers, because a number of numpy is often a float by chance."""
    if isinstance(value, list):
        return [_with_integers(each) for each in cast("list[object]", value)]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
    return int(value) if is_whole else value


def override_arguments(overrides: Overrides) -> Sequence[str]:
    """Returns overrides as texts ``PATH=VALUE``. TypeError if a value has no form in JSON."""
    if isinstance(overrides, str):
        return [overrides]
    if not isinstance(overrides, Mapping):
        return overrides
    return [f"{path}={json_text(value)}" for path, value in overrides.items()]
