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


def json_text(value: object, indent: int | None = None) -> str:
    """Returns the JSON text of a value. TypeError if a part of it has no form in JSON."""
    return json.dumps(value, default=_simplify, ensure_ascii=False, indent=indent)


def _simplify(value: object) -> object:
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    to_list = getattr(value, "tolist", None)  # of numpy's numbers and arrays, and of tensors
    if to_list is None:
        raise TypeError(f"a document holds JSON values, and {type(value).__name__} is none")
    return to_list()


def override_arguments(overrides: Overrides) -> Sequence[str]:
    """Returns overrides as texts ``PATH=VALUE``. TypeError if a value has no form in JSON."""
    if isinstance(overrides, str):
        return [overrides]
    if not isinstance(overrides, Mapping):
        return overrides
    return [f"{path}={json_text(value)}" for path, value in overrides.items()]
