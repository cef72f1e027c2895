"""Which model describes which object of a document: read off the models' annotations."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import Tag
from pydantic.fields import FieldInfo

from netdesc.description.json_pointer import member
from netdesc.sections import Section

Model = type[Section]


@functools.cache
def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The members of an annotation, through unions and annotations."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return alternatives(arguments[0])
    if origin in (Union, UnionType):
        return tuple(each for member in arguments for each in alternatives(member))
    return (annotation,)


def branches(annotation: Any) -> Iterator[Any]:
    """The members of a union, through nested unions, with what annotations say of each."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        for member in arguments:
            yield from branches(member)
    elif origin is Annotated and get_origin(arguments[0]) in (Union, UnionType):
        yield from branches(arguments[0])
    else:
        yield annotation


def has_tags(annotation: Any) -> bool:
    """True for a union whose branch pydantic names in the place of an error."""
    return any(
        isinstance(each, Tag) for branch in branches(annotation) for each in get_args(branch)[1:]
    )


@functools.cache
def models(annotation: Any) -> tuple[Model, ...]:
    """The models that an annotation allows."""
    return tuple(
        each
        for each in alternatives(annotation)
        if isinstance(each, type) and issubclass(each, Section)
    )


@functools.cache
def fields(model: Model) -> Mapping[str, FieldInfo]:
    """A model's fields under the names that the document uses."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def required_first(known: Mapping[str, FieldInfo]) -> list[str]:
    """The names of fields: those that must be given as the model lists them, then the others."""
    required = [name for name, info in known.items() if info.is_required()]
    return required + sorted(name for name in known if name not in required)


def type_names(model: Model) -> tuple[str, ...]:
    """What ``type`` may be in this model; empty for a model without one."""
    info = model.model_fields.get("type")
    return tuple(get_args(info.annotation)) if info is not None else ()


def example(info: FieldInfo) -> Any:
    """A value that a user may write into a field, as plain data; ``None`` if nothing is known."""
    extra = cast("dict[str, Any]", info.json_schema_extra or {})
    if "x-example" in extra:
        return extra["x-example"]
    if info.is_required():
        return next(iter(literals(info.annotation)), None)
    return default(info)


def default(info: FieldInfo) -> Any:
    """The value of a field that is left out, as plain data."""
    value: Any = info.default
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value


def sentence(model: Model) -> str:
    """What a model says of itself, on one line."""
    return " ".join((model.__doc__ or "").split())


def step(annotation: Any, part: str | int, value: Any) -> list[Any]:
    """The annotations of a member of a value: a field, an entry or an item."""
    found: list[Any] = []
    for each in alternatives(annotation):
        origin, arguments = get_origin(each), get_args(each)
        if isinstance(part, str) and origin is dict:
            found.append(arguments[1])
        elif isinstance(part, int) and origin is tuple:
            fixed = len(arguments) < 2 or arguments[1] is not Ellipsis
            position = part if fixed else 0
            if position < len(arguments):
                found.append(arguments[position])
    model = choose(models(annotation), value) if isinstance(part, str) else None
    if model is not None and isinstance(part, str) and part in fields(model):
        found.append(fields(model)[part].annotation)
    return found


def choose(candidates: Sequence[Model], value: Any) -> Model | None:
    """The model that fits a value: the only one there is, or the one of its ``type``."""
    if len(candidates) == 1:
        return candidates[0]
    kind: Any = cast("dict[str, Any]", value).get("type") if isinstance(value, dict) else None
    for model in candidates:
        if kind in type_names(model):
            return model
    return None


def annotations_at(root: Model, parts: tuple[str | int, ...], data: Any) -> list[Any]:
    """The annotations that hold at a path of a document's plain data."""
    current: list[Any] = [root]
    for part in parts:
        current = [found for each in current for found in step(each, part, data)]
        data = member(data, part)
    return current


def models_at(root: Model, parts: tuple[str | int, ...], data: Any) -> list[Model]:
    """The models that a path's object may follow (several in a union)."""
    return [model for each in annotations_at(root, parts, data) for model in models(each)]


def literals(annotation: Any) -> list[Any]:
    """The values that an annotation lists."""
    return [
        value
        for each in alternatives(annotation)
        if get_origin(each) is Literal
        for value in get_args(each)
    ]


def limits(metadata: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """What annotations and field options say beside the type: ``gt``, ``ge``, ``lt``, ``le``,
    ``min_length``, ``max_length`` or ``pattern``, and the value."""
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from limits(each.metadata)
        for name in ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern"):
            if not isinstance(each, FieldInfo) and (value := getattr(each, name, None)) is not None:
                yield name, value


def path_places(
    annotation: Any, value: Any, parts: tuple[str | int, ...] = ()
) -> Iterator[tuple[str | int, ...]]:
    """Where in plain data the names of files stand."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        model = choose(models(annotation), members)
        known = fields(model) if model is not None else dict[str, FieldInfo]()
        for key, member in members.items():
            if isinstance(member, str):
                if key in known and "x-path" in cast("Any", known[key].json_schema_extra or {}):
                    yield (*parts, key)
            elif isinstance(member, dict | list):
                for each in step(annotation, key, members):
                    yield from path_places(each, member, (*parts, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            if isinstance(item, dict | list):
                for each in step(annotation, index, cast("Any", item)):
                    yield from path_places(each, item, (*parts, index))
