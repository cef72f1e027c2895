"""The reference in Markdown: up to date and complete, with valid examples and links."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from markdown_it import MarkdownIt
from support.description_samples import all_models
from support.tasks.suite import TASKS

from netdesc.description import json_schema
from netdesc.description.codes import ENTRIES
from netdesc.description.model_structure import doc_line, example, fields
from netdesc.description.models import Document
from netdesc.description.reference import reference_text

FILE = Path(__file__).parents[2] / "schemas" / "reference.md"
SCHEMA = json_schema()
TEXT = reference_text()
HEADINGS = ["field", "type", "unit", "range", "default", "example", "meaning"]


def _tables() -> dict[str, list[list[str]]]:
    """The rows of every section's table, by the section's anchor."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(TEXT)
    found: dict[str, list[list[str]]] = {}
    anchor = ""
    for token in tokens:
        for child in token.children or ():
            if child.content.startswith("<a id="):
                anchor = child.content.split('"')[1]
        if token.type == "tr_open":
            found.setdefault(anchor, []).append([])
        elif token.type == "inline" and anchor in found and token.level > 3:
            kinds = ("text", "code_inline", "text_special")
            text = "".join(each.content for each in token.children if each.type in kinds)
            found[anchor][-1].append(text)
    return found


TABLES = _tables()
assert len(TABLES.pop("defaults")) == 1 + len(TASKS)
SECTIONS = all_models()


def test_the_committed_page_is_up_to_date_in_any_process():
    assert FILE.read_text(encoding="utf-8") == TEXT
    code = "from netdesc.description.reference import reference_text as t; print(t(), end='')"
    for seed in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code],
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(FILE.parents[1])},
            check=True,
        )
        assert result.stdout.decode() == TEXT


def test_every_object_of_the_language_has_a_section():
    assert {model.__name__.lower() for model in SECTIONS} == set(TABLES)
    assert {name.lower() for name in SCHEMA["definitions"]} | {"document"} == set(TABLES)


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_every_field_has_a_row_with_all_that_is_known(model):
    heading, *rows = TABLES[model.__name__.lower()]
    assert heading == HEADINGS
    assert [row[0] for row in rows] == list(fields(model))
    for row, (name, info) in zip(rows, fields(model).items(), strict=True):
        extra = info.json_schema_extra
        cells = dict(zip(HEADINGS, row, strict=True))
        assert cells["meaning"] == extra["x-text"]
        assert cells["unit"] == extra.get("x-unit", "")
        assert cells["type"]
        assert (cells["default"] == "required") == info.is_required()
        if not info.is_required():
            assert json.loads(cells["default"]) == _schema(model)["properties"][name]["default"]
        assert cells["example"] or name == "lock"
    assert doc_line(model) in re.sub(r"\\(.)", r"\1", TEXT).replace("&gt;", ">")


def _schema(model):
    return SCHEMA if model is Document else SCHEMA["definitions"][model.__name__]


FIELDS = [(model, name) for model in SECTIONS for name in fields(model)]


@pytest.mark.parametrize(
    ("model", "name"), FIELDS, ids=[f"{model.__name__}.{name}" for model, name in FIELDS]
)
def test_every_example_is_valid(model, name):
    own = _schema(model)["properties"][name] | {"definitions": SCHEMA["definitions"]}
    found = jsonschema.Draft7Validator(own).iter_errors(example(fields(model)[name]))
    assert [error.message for error in found] == []


def test_limits_are_listed():
    rows = {row[0]: dict(zip(HEADINGS, row, strict=True)) for row in TABLES["cuba"][1:]}
    assert rows["scale_grad"]["range"] == "> 0"
    assert rows["dropout"]["range"] == "≥ 0, < 1"
    assert rows["current_decay"]["type"] == "number or [number, number]"
    (shape,) = (row for row in TABLES["input"] if row[0] == "shape")
    assert shape[3] == "≥ 1 items, ≤ 8 items, each ≥ 1, each ≤ 1,048,576"
    (neurons,) = (row for row in TABLES["document"] if row[0] == "neurons")
    assert "names ≤ 100 characters" in neurons[3]


def test_every_link_leads_somewhere():
    anchors = re.findall(r'<a id="([^"]+)"></a>', TEXT)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) == set(anchors)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_every_code_has_cause_and_both_examples(entry):
    start = TEXT.index(f"### {entry.code}: ")
    part = TEXT[start : TEXT.find("\n### ", start + 1)]
    plain = re.sub(r"\\(.)", r"\1", part).replace("&amp;", "&").replace("&lt;", "<")
    for said in (entry.cause, entry.fix):
        assert said.replace("\\", "") in plain.replace("\\", "").replace("&gt;", ">")
    for shown in (entry.wrong_text, entry.right):
        assert f"```\n{shown}\n```" in part
    assert ("(a warning)" in part.splitlines()[0]) == (entry.severity == "warning")


def test_a_stale_or_missing_page_fails(netdesc, tmp_path):
    assert netdesc("schema", "--format", "markdown", "--check").code == 1
    (tmp_path / "schemas").mkdir()
    assert netdesc("schema", "--format", "markdown", "--write").code == 0
    assert netdesc("schema", "--format", "markdown", "--check").code == 0
    page = tmp_path / "schemas/reference.md"
    page.write_bytes(page.read_bytes().replace(b"\n", b"\r\n"))
    assert netdesc("schema", "--format", "markdown", "--check").code == 0
    page.write_bytes(b"\xff" + page.read_bytes())
    ended = netdesc("schema", "--format", "markdown", "--check")
    assert ended.code == 1
    assert "netdesc schema --format markdown --write" in ended.err
    ended = netdesc("schema", "--format", "markdown", "--check", "other.md")
    assert "--write other.md" in ended.err
    assert netdesc("schema", "--format", "markdown").out == TEXT
