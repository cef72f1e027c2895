"""Generates the reference of the language in Markdown from the models and codes.

It has a section for each object of a document, with a row for each field, and then a section for
each code.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description.codes import ENTRIES, explain_in_markdown
from netdesc.description.diagnostics.wording import code, prose, row
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
_KINDS = {
    "ND0": "ND0xx: the text, before it is a document",
    "ND1": "ND1xx: the shape of the document",
    "ND2": "ND2xx: what the document means",
    "ND3": "ND3xx: the files that it names",
    "ND4": "ND4xx: results of training, and files of other programs",
}
_HEAD = f"""\
# The description language, format {FORMAT}

This page is generated from the models and codes by which netdesc checks documents:
`netdesc schema --format markdown --write`. Do not edit it.

A document is JSON in UTF-8. Types are not converted: `"3"` is not a number and `3.0` not an
integer, but `3` is also the number 3.0. An unknown or repeated key is an error. A field with a
default may be left out. Names of quantities contain their unit; a dimensionless one has the unit 1.
"""
_DEFAULTS = """\
<a id="defaults"></a>

## What the defaults reach

Small tasks whose documents state no surrogate gradient, scale of weights, optimizer or learning
rate, beside the best setting that a grid of these finds (chosen on validation samples), and beside
snnTorch with its own defaults where it has the network. The defaults were decided on the marked
tasks. The others were seen meanwhile, so they confirm less. In the worst seed of `yin_yang`, a
class is always below the 0 at which its output starts: its largest step then has no gradient.
Documents, samples and grid are in `tests/support/tasks`.

"""
_CLUSTERS = """\
<a id="clusters"></a>

## Clusters

"""
_CODES = """\
`netdesc explain CODE` prints these texts as well. An example is the text at a JSON pointer of an
otherwise valid document, or the whole document if there is no pointer. `netdesc` is tested with all
examples: each wrong one gives its code, and no right one gives a diagnostic.
"""


def reference_text() -> str:
    """Returns the content of ``schemas/reference.md``."""
    paths = structure.model_paths()
    contents = [f"- [{_title(model, where)}](#{_anchor(model)})" for model, where in paths.items()]
    contents += ["- [What the defaults reach](#defaults)", "- [Clusters](#clusters)"]
    contents += [f"- [Codes {heading}](#{kind.lower()})" for kind, heading in _KINDS.items()]
    parts = [_HEAD, "## Contents\n", "\n".join(contents) + "\n"]
    parts += [_section(model, where) for model, where in paths.items()]
    for head, name in ((_DEFAULTS, "defaults.md"), (_CLUSTERS, "clusters.md")):
        parts.append(head + Path(__file__).with_name(name).read_text("utf-8"))
    for kind, heading in _KINDS.items():
        parts += [f'<a id="{kind.lower()}"></a>\n\n## Codes {heading}\n', _CODES]
        for entry in (entry for entry in ENTRIES.values() if entry.code.startswith(kind)):
            suffix = " (a warning)" if entry.severity == "warning" else ""
            title = f"### {entry.code}: {prose(entry.title)}{suffix}"
            parts.append(f"{title}\n\n{explain_in_markdown(entry)}")
    return "\n".join(parts)


def _anchor(model: Model) -> str:
    return model.__name__.lower()


def _title(model: Model, where: list[str]) -> str:
    kinds = " or ".join(f"`{name}`" for name in structure.type_names(model))
    names = " and ".join(f"`{each}`" for each in where if each)
    return f"{names or 'The document'}{' of type ' if kinds else ''}{kinds}"


def _section(model: Model, where: list[str]) -> str:
    rows = [
        row(["field", "type", "unit", "range", "default", "example", "meaning"]),
        row(["---"] * 7),
        *(row(_cells(name, info)) for name, info in structure.fields(model).items()),
    ]
    return (
        f'<a id="{_anchor(model)}"></a>\n\n## {_title(model, where)}\n\n'
        f"{prose(structure.doc_line(model))}\n\n" + "\n".join(rows) + "\n"
    )


def _cells(name: str, info: FieldInfo) -> list[str]:
    extra = structure.extra(info)
    example = structure.example(info)
    limits = [*_limits(info.metadata, info.annotation), *_inner_limits(info.annotation)]
    return [
        code(name),
        _type(info.annotation),
        prose(extra.get("x-unit", "")),
        ", ".join(dict.fromkeys(limits)),
        "required" if info.is_required() else _json(structure.default(info)),
        "" if example is None else _json(example),
        prose(extra["x-text"]),
    ]


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
