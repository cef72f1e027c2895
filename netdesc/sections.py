"""Base class of a document's pydantic models, their fields, and the tags of their unions."""

import inspect
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.fields import FieldInfo

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]*$"
"""Pattern of the names of neurons and layers. Parameter names and file paths contain them."""

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]

REQUIRED: Any = ...


class Section(BaseModel):
    """A JSON object of the document. It allows no unknown keys, conversions of types or changes.

    If it has a type, its docstring describes the type. The type and the name are its first fields;
    those that a base class with ``is_shared`` declares are the last ones.
    """

    is_shared: ClassVar[bool] = False
    """Whether this class, not a subclass, is a base that holds the common fields of others."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=False,
        protected_namespaces=(),
        defer_build=True,  # so that validators have the order of fields
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Describes the type of a section that has one, and orders its fields."""
        bases = [base for base in cls.__mro__ if base.__dict__.get("is_shared")]
        shared = {name for base in bases for name in inspect.get_annotations(base)}
        fields = cls.__pydantic_fields__
        if "type" not in fields:
            return
        kind = fields["type"]
        if kind.description is None:
            text = " ".join((cls.__doc__ or "").split())
            kind.description, kind.json_schema_extra = f"{text} Required.", {"x-text": text}
        first = {"name": -2, "type": -1}
        names = sorted(fields, key=lambda name: first.get(name, int(name in shared)))
        cls.__pydantic_fields__ = {name: fields[name] for name in names}

    def idle_reasons(self) -> dict[str, str]:
        """Maps fields that have no effect beside the values of others to the reason."""
        return {}

    def idle_fields(self) -> dict[str, str]:
        """Returns those of ``idle_reasons`` that do not have their default value."""
        fields, reasons = type(self).model_fields, self.idle_reasons()
        return {
            name: reason
            for name, reason in reasons.items()
            if getattr(self, name) != fields[name].default
        }

    def missing_fields(self) -> dict[str, str]:
        """Maps fields that are missing because of the values of others to the reason."""
        return {}

    @classmethod
    def type_name(cls) -> str:
        """Returns the value of the field ``type``."""
        return get_args(cls.model_fields["type"].annotation)[0]


def field(
    text: str, *, unit: str = "", default: Any = REQUIRED, example: Any = None, **limits: Any
) -> Any:
    """Returns a pydantic field. The schema and the reference show its text, unit and default.

    ``unit`` is ``"1"`` for a dimensionless number and empty if the field is not a quantity.
    ``example`` is a value that a user may write; by default the default value.
    ``limits`` are pydantic's constraints, such as ``ge``.
    """
    units = {"": "", "1": " Dimensionless."}
    described = text + units.get(unit, f" Unit: {unit}.")
    extra: dict[str, Any] = {"x-text": text}
    if unit:
        extra["x-unit"] = unit
    if example is not None:
        extra["x-example"] = example
    if default is REQUIRED:
        return Field(description=described + " Required.", json_schema_extra=extra, **limits)
    shown = default.model_dump() if isinstance(default, BaseModel) else default
    described += f" Default: {json.dumps(shown)}."
    return Field(default=default, description=described, json_schema_extra=extra, **limits)


def extra(info: FieldInfo) -> dict[str, Any]:
    """Returns what ``field`` notes of a field: ``x-text``, ``x-unit``, ``x-example``, …"""
    return cast("dict[str, Any]", info.json_schema_extra or {})


def form_tag(value: object) -> str:
    """Returns the tag by which pydantic chooses a union's member: <list>, <object> or <plain>."""
    if isinstance(value, list | tuple):
        return "<list>"
    if isinstance(value, Mapping | BaseModel):
        return "<object>"
    return "<plain>"


N = TypeVar("N", int, float)
OrPair = Annotated[
    Annotated[N, Tag("<plain>")] | Annotated[tuple[N, N], Tag("<list>")], Discriminator(form_tag)
]
"""A number of the type N, or two of them: the range [low, high] or [height, width]."""


def both(value: N | tuple[N, N]) -> tuple[N, N]:
    """Returns the two numbers of an ``OrPair``, of which one stands for both."""
    return value if isinstance(value, tuple) else (value, value)
