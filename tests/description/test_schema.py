"""The JSON Schema: complete, documented, up to date, and one error for one typo."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import (
    BASE,
    LABELLED,
    UNHURRIED,
    all_models,
    base_of,
    codes,
    findings,
    with_text,
    write_files,
)

from netdesc.api.load import load
from netdesc.description import json_schema, lock_text, schema_text
from netdesc.description.codes import ENTRIES
from netdesc.description.json_pointer import lookup, members
from netdesc.description.model_structure import alternatives, fields

FILE = Path(__file__).parents[2] / "schemas" / "network.schema.json"
VALIDATOR = jsonschema.Draft7Validator(json_schema())


def _errors(document) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_the_committed_schema_is_up_to_date():
    assert FILE.read_text(encoding="utf-8") == schema_text()


def test_it_is_a_draft_7_schema():
    jsonschema.Draft7Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert json_schema()["$id"].endswith("/schemas/network.schema.json")
    assert '"oneOf"' not in schema_text()


def _is_number(annotation) -> bool:
    return any(each in (int, float) for each in alternatives(annotation))


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)
def test_every_field_is_described_with_its_unit_and_default(model):
    for name, info in fields(model).items():
        assert info.description, name
        assert info.is_required() == ("Required." in info.description), name
        assert info.is_required() != ("Default: " in info.description), name
        if _is_number(info.annotation) and name not in ("seed", "format"):
            assert "Unit: " in info.description or "Dimensionless." in info.description, name


def _keys(value, parts=()):
    """Every place of a document that has a key."""
    for key, member in members(value).items():
        if isinstance(key, str):
            yield (*parts, key)
        yield from _keys(member, (*parts, key))


CLASSIFYING = json.loads(LABELLED) | {"classifier": {"type": "moving_window", "window_steps": 5}}
TYPO_PLACES = [
    (document, parts)
    for document in (json.loads(BASE), CLASSIFYING)
    for parts in _keys(document)
    if parts != ("neurons", "cuba")  # a free name
]


@pytest.mark.parametrize(
    ("whole", "parts"), TYPO_PLACES, ids=lambda value: ".".join(map(str, value))[:30]
)
def test_one_typo_in_a_key_is_one_error_in_the_editor_and_here(whole, parts, tmp_path):
    document = copy.deepcopy(whole)
    parent = lookup(document, parts[:-1])
    parent[f"{parts[-1]}x"] = parent.pop(parts[-1])
    assert len(_errors(document)) == 1
    found = findings(tmp_path, json.dumps(document, indent=1))
    (diagnostic,) = found
    assert diagnostic.code == "ND101"
    assert diagnostic.hint == f'did you mean "{parts[-1]}"?'


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        (("layers", 0, "from"), []),
        (("neurons", "cuba", "voltage_decay"), [0.1]),
        (("neurons", "cuba", "tau_grad"), {"type": "linear", "start": 1}),
        (("data",), {"type": "array"}),
        (("data",), {"type": "arrays", "path": "a.npz", "encoding": {"type": "rate", "x": 1}}),
    ],
)
def test_one_wrong_value_is_one_error(parts, value):
    document = json.loads(BASE)
    lookup(document, parts[:-1])[parts[-1]] = value
    assert len(_errors(document)) == 1


def test_locks_pass_too(tmp_path):
    write_files(tmp_path)
    (tmp_path / "network.json").write_text(BASE)
    text = lock_text(load(tmp_path / "network.json"), tmp_path, {"netdesc": "1"})
    assert _errors(json.loads(text)) == []


EXAMPLES = [
    entry
    for entry in ENTRIES.values()
    if entry.at not in ("--set", "command") and entry.code[:3] in ("ND1", "ND2", "ND3")
]
"""What stands in a document and can be read as JSON."""


def _whole(entry, text: str) -> str:
    return with_text(entry.at, text, base_of(entry)) if entry.at else text


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: entry.code)
def test_the_examples_of_codes_fail_where_their_shape_is_wrong_and_pass_elsewhere(entry):
    assert _errors(json.loads(_whole(entry, entry.right))) == []
    wrong = _errors(json.loads(_whole(entry, entry.wrong)))
    assert len(wrong) == (1 if entry.code.startswith("ND1") else 0)


JUNK = st.none() | st.booleans() | st.integers(-2, 300) | st.floats(-2, 2) | st.text(max_size=3)


@UNHURRIED
@given(st.data(), st.sampled_from([json.loads(BASE), CLASSIFYING]))
def test_the_schema_and_the_models_agree(tmp_path_factory, data, whole):
    """What the models refuse (ND1xx) the schema refuses, and the other way round."""
    document = copy.deepcopy(whole)
    parts = data.draw(st.sampled_from(list(_keys(document))))
    value = data.draw(JUNK | st.lists(JUNK, max_size=3) | st.just({}))
    lookup(document, parts[:-1])[parts[-1]] = value
    if isinstance(value, float) and value.is_integer():
        return  # JSON Schema takes 2.0 for an integer
    found = findings(tmp_path_factory.getbasetemp(), json.dumps(document))
    refused = any(code.startswith("ND1") for code in codes(found))
    assert refused == bool(_errors(document))
