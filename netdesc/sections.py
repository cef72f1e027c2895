"""What all models of the document share: strictness, field documentation, unions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]*$"
"""Names of neurons and layers: they become parts of parameter names and of file paths."""

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]

REQUIRED: Any = ...


class Section(BaseModel):
    """A JSON object of the document. Strict: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=False,
        protected_namespaces=(),
    )


def field(
    text: str,
    *,
    unit: str = "",
    default: Any = REQUIRED,
    standin: Any = None,
    example: Any = None,
    is_path: bool = False,
    **limits: Any,
) -> Any:
    """A documented field: the one place from which its description, unit and default come.

    ``unit`` is ``"1"`` for a number without dimension and empty for what is not a quantity.
    ``standin`` is a harmless value with which checking goes on where the given one is wrong.
    ``example`` is what a user may write; it is ``standin`` or the default unless there is a better
    one. ``is_path`` marks the name of a file that the document refers to.
    """
    units = {"": "", "1": " Dimensionless."}
    described = text + units.get(unit, f" Unit: {unit}.")
    extra: dict[str, Any] = {"x-text": text}
    if unit:
        extra["x-unit"] = unit
    if standin is not None:
        extra["x-standin"] = standin
    if example is not None or standin is not None:
        extra["x-example"] = standin if example is None else example
    if is_path:
        extra["x-path"] = True
    if default is REQUIRED:
        return Field(description=described + " Required.", json_schema_extra=extra, **limits)
    shown = default.model_dump() if isinstance(default, BaseModel) else default
    described += f" Default: {json.dumps(shown)}."
    return Field(default=default, description=described, json_schema_extra=extra, **limits)


def type_tag(value: object) -> str | None:
    """Discriminator of every union of objects: the value's ``type``, in angle brackets."""
    if isinstance(value, Mapping):
        kind = cast("Mapping[str, object]", value).get("type")
    else:
        kind = getattr(value, "type", None)
    return f"<{kind}>" if isinstance(kind, str) else None


def form_tag(value: object) -> str:
    """Discriminator of the unions that differ in JSON's own types: a list, an object or neither."""
    if isinstance(value, list | tuple):
        return "<list>"
    if isinstance(value, Mapping | BaseModel):
        return "<object>"
    return "<plain>"
