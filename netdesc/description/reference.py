"""Generates the reference of the language in Markdown from the models and codes.

It has a section for each object of a document, with a row for each field, and then a section for
each code.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import jinja2
from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description.codes import ENTRIES
from netdesc.description.diagnostics.wording import code, code_block, prose
from netdesc.description.model_structure import Model
from netdesc.description.models.document import FORMAT
from netdesc.sections import Section

_PLAIN = {
    str: "text",
    bool: "true or false",
    int: "integer",
    float: "number",
    type(None): "null",
    Any: "any value",
}
_LIMITS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


def reference_text() -> str:
    """Returns the content of ``schemas/reference.md``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("reference.md.j2").render(
        format=FORMAT,
        paths=structure.model_paths(),
        anchor=_anchor,
        title=_title,
        doc_line=structure.doc_line,
        fields=structure.fields,
        row=_row,
        prose=prose,
        code_block=code_block,
        entries=ENTRIES.values(),
    )
    return text.rstrip("\n") + "\n"


def _anchor(model: Model) -> str:
    return model.__name__.lower()


def _title(model: Model, where: list[str]) -> str:
    kinds = " or ".join(f"`{name}`" for name in structure.type_names(model))
    names = " and ".join(f"`{each}`" for each in where if each)
    return f"{names or 'The document'}{' of type ' if kinds else ''}{kinds}"


def _row(name: str, info: FieldInfo) -> str:
    extra = structure.extra(info)
    example = structure.example(info)
    limits = [*_limits(info.metadata, info.annotation), *_inner_limits(info.annotation)]
    cells = [
        code(name),
        _type(info.annotation),
        prose(extra.get("x-unit", "")),
        ", ".join(dict.fromkeys(limits)),
        "required" if info.is_required() else _json(structure.default(info)),
        "" if example is None else _json(example),
        prose(extra["x-text"]),
    ]
    return f"| {' | '.join(cells)} |"


def _json(value: Any) -> str:
    return code(json.dumps(value, ensure_ascii=False))


def _type(annotation: Any) -> str:
    """Describes the type of a field in Markdown: words, and links to the sections of objects."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(each) for each in structure.branches(annotation)))
    if origin is Literal:
        return " or ".join(_json(each) for each in arguments)
    if origin is dict:
        return f"object of names, each {_type(arguments[1])}"
    if origin is tuple:
        inner = _type(arguments[0])
        return f"list of {inner}" if arguments[-1] is Ellipsis else rf"\[{inner}, {inner}\]"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        kinds = " or ".join(structure.type_names(annotation)) or "object"
        return f"[{prose(kinds)}](#{_anchor(annotation)})"
    return _PLAIN[annotation]


def _inner_limits(annotation: Any) -> Iterator[str]:
    """Yields the limits of the items, names and union members of an annotation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _limits(arguments[1:], arguments[0])
        yield from _inner_limits(arguments[0])
    elif origin in (Union, UnionType):
        for each in arguments:
            yield from _inner_limits(each)
    elif origin is tuple:
        yield from (f"each {limit}" for limit in _inner_limits(arguments[0]))
    elif origin is dict:
        yield from (f"names {limit}" for limit in _inner_limits(arguments[0]))


def _limits(metadata: Sequence[Any], annotation: Any) -> Iterator[str]:
    things = {tuple: "items", dict: "entries"}.get(get_origin(annotation), "characters")
    for name, value in structure.limits(metadata):
        if name == "pattern":
            yield code(str(value))
        elif name in ("min_length", "max_length"):
            yield f"{'≥' if name == 'min_length' else '≤'} {value} {things}"
        else:
            value = int(value) if float(value).is_integer() else value
            yield prose(f"{_LIMITS[name]} {value:,}")
