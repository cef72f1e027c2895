"""Finds the pydantic model and the type annotations that apply at a path of a document.

The document is plain data, which may have errors.
"""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import Tag
from pydantic.fields import FieldInfo

from netdesc.description.json.tree import Parts
from netdesc.description.json_pointer import lookup, member, members
from netdesc.description.models import Document
from netdesc.sections import Section, extra

Model = type[Section]

_MAX_SEARCH_DEPTH = 2
_MAX_SEARCHED_NEURONS = 3  # limits of the search for a field by its name alone


@functools.cache
def alternatives(annotation: Any) -> tuple[Any, ...]:
    """Returns the types of an annotation: unions are flattened, ``Annotated`` is removed."""
    return tuple(
        get_args(each)[0] if get_origin(each) is Annotated else each
        for each in branches(annotation)
    )


def branches(annotation: Any) -> Iterator[Any]:
    """Yields the members of a union, nested unions included, with their ``Annotated`` metadata."""
    members = _union_members(annotation)
    for each in members:
        yield from branches(each)
    if not members:
        yield annotation


def _union_members(annotation: Any) -> tuple[Any, ...]:
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return get_args(inner) if get_origin(inner) in (Union, UnionType) else ()


def tagged_members(annotation: Any) -> dict[str | int, Any]:
    """Maps the tags of a union, which pydantic adds to locations of errors, to its members."""
    found: dict[str | int, Any] = {}
    for inner in _union_members(annotation):
        tags = [each.tag for each in get_args(inner) if isinstance(each, Tag)]
        tags += type_names(inner) if inner in models(annotation) else ()
        found |= dict.fromkeys(tags, inner) or tagged_members(inner)
    return found


@functools.cache
def models(annotation: Any) -> tuple[Model, ...]:
    """Returns the models that an annotation allows."""
    classes = (each for each in alternatives(annotation) if isinstance(each, type))
    return tuple(each for each in classes if issubclass(each, Section))


@functools.cache
def fields(model: Model) -> Mapping[str, FieldInfo]:
    """Returns a model's fields by their names in the document."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def required_first(known: Mapping[str, FieldInfo]) -> list[str]:
    """Returns required fields in the model's order, then optional fields in alphabetical order."""
    required = [name for name, info in known.items() if info.is_required()]
    return required + sorted(name for name in known if name not in required)


def type_names(model: Model) -> tuple[str, ...]:
    """Returns the allowed values of ``type`` in a model; empty if it has no ``type``."""
    info = model.model_fields.get("type")
    return tuple(get_args(info.annotation)) if info is not None else ()


def example(info: FieldInfo) -> Any:
    """Returns an example of a field's value, as plain data; ``None`` if no example is known."""
    if "x-example" in extra(info):
        return extra(info)["x-example"]
    return next(iter(literals(info.annotation)), None) if info.is_required() else default(info)


def default(info: FieldInfo) -> Any:
    """Returns the default of a field, as plain data."""
    value: Any = info.default
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value


def doc_line(documented: object) -> str:
    """Returns the docstring of a model or function on one line."""
    return " ".join((documented.__doc__ or "").split())


@functools.cache
def model_paths() -> dict[Model, list[str]]:
    """Maps each model, outer ones first, to the paths where it may occur. Never change it."""
    found: dict[Model, list[str]] = {}

    def visit(model: Model, where: str) -> None:
        if model in found:
            if where not in found[model]:
                found[model].append(where)
            return
        found[model] = [where]
        for name, info in fields(model).items():
            inner = f"{where}.{name}" if where else name
            for each, more in _objects(info.annotation):
                visit(each, inner + more)

    visit(Document, "")
    return found


def _objects(annotation: Any) -> Iterator[tuple[Model, str]]:
    """Yields the models in an annotation, each with the path to it, such as ``.NAME`` or ``[]``."""
    for each in alternatives(annotation):
        origin, arguments = get_origin(each), get_args(each)
        yield from ((model, "") for model in models(each))
        if origin is dict:
            yield from ((model, f".NAME{more}") for model, more in _objects(arguments[1]))
        elif origin is tuple:
            yield from ((model, f"[]{more}") for model, more in _objects(arguments[0]))


def member_annotations(annotation: Any, part: str | int, value: Any) -> list[Any]:
    """Returns the annotations of a part of ``value`` that ``annotation`` allows, or none."""
    members: list[Any] = []
    for alternative in alternatives(annotation):
        origin, arguments = get_origin(alternative), get_args(alternative)
        if isinstance(part, str) and origin is dict:
            members.append(arguments[1])
        elif isinstance(part, int) and origin is tuple:
            # All items have the same type, also in a list of fixed length.
            members += arguments[:1] if arguments[-1] is Ellipsis or part < len(arguments) else ()
    model = choose_model(models(annotation), value)
    if model is not None and part in fields(model):
        members.append(fields(model)[str(part)].annotation)
    return members


def choose_model(candidates: Sequence[Model], value: Any) -> Model | None:
    """Returns the only candidate, or else the first that allows the ``type`` of ``value``."""
    if len(candidates) == 1:
        return candidates[0]
    kind = member(value, "type")
    return next((model for model in candidates if kind in type_names(model)), None)


def annotations_at(parts: Parts, data: Any) -> list[Any]:
    """Returns the annotations at a path of a document."""
    current: list[Any] = [Document]
    for part in parts:
        current = [found for each in current for found in member_annotations(each, part, data)]
        data = member(data, part)
    return current


def models_at(parts: Parts, data: Any) -> list[Model]:
    """Returns the models at a path of a document; a union allows several."""
    return [model for each in annotations_at(parts, data) for model in models(each)]


def literals_at(parts: Parts, data: Any) -> list[str]:
    """Returns the values of the ``Literal`` types at a path of a document."""
    return [value for each in annotations_at(parts, data) for value in literals(each)]


def fields_at(parts: Parts, data: Any) -> Mapping[str, FieldInfo]:
    """Returns the fields that the object at a path may have; empty if its type is not known."""
    model = choose_model(models_at(parts, data), lookup(data, parts))
    return fields(model) if model is not None else dict[str, FieldInfo]()


def field_at(parts: Parts, data: Any) -> FieldInfo | None:
    """Returns the field at a path of a document, or ``None`` if there is no such field."""
    return fields_at(parts[:-1], data).get(str(parts[-1])) if parts else None


def find_fields(names: Sequence[str], data: Any) -> Iterator[Parts]:
    """Yields the path of the first of some names in each object that has one, outer objects first.

    Items of lists, objects more than two levels deep, and all but the first neurons are left out.
    """
    places: list[Parts] = [()]
    for place in places:
        known = fields_at(place, data)
        yield from [(*place, name) for name in names if name in known][:1]
        if len(place) < _MAX_SEARCH_DEPTH:
            places += [(*place, key) for key in known if key != "lock"]
            inner = members(lookup(data, place)) if place == ("neurons",) else {}
            places += [(*place, key) for key in itertools.islice(inner, _MAX_SEARCHED_NEURONS)]


def literals(annotation: Any) -> list[str]:
    """Returns the values of the ``Literal`` types of an annotation, which are texts."""
    texts = (each for each in alternatives(annotation) if get_origin(each) is Literal)
    return [value for each in texts for value in get_args(each)]


def limits(metadata: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yields the constraints in the metadata of an annotation or field as (name, value).

    Names are ``gt``, ``ge``, ``lt``, ``le``, ``min_length``, ``max_length`` and ``pattern``.
    """
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from limits(each.metadata)
        for name in ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern"):
            if (value := getattr(each, name, None)) is not None:
                yield name, value


def file_path_locations(annotation: Any, value: Any, parts: Parts = ()) -> Iterator[Parts]:
    """Yields the place of each file path in ``value``, which is at ``parts`` of the document."""
    model = choose_model(models(annotation), value)
    known = fields(model) if model is not None else dict[str, FieldInfo]()
    for part, inner in members(value).items():
        if isinstance(inner, dict | list):
            for each in member_annotations(annotation, part, value):
                yield from file_path_locations(each, inner, (*parts, part))
        elif isinstance(inner, str) and part in known and "x-path" in extra(known[str(part)]):
            yield (*parts, part)
