"""Large valid, damaged and malicious documents are checked in seconds."""

import json
import time
from pathlib import Path

import pytest
from support.grids import grid

from netdesc.api.load import check
from netdesc.description.model_validation import MAX_ERRORS, InvalidDocumentError, validate_document
from netdesc.description.source import MAX_BYTES, MAX_MARKS

OXFORD = json.loads((Path(__file__).parents[2] / "examples/oxford.json").read_text("utf-8"))
SECONDS = 5
"""Of the processor: some ten times what they take, and what is not linear takes longer by far."""


@pytest.fixture
def timed(tmp_path):
    def run(text: str):
        path = tmp_path / "network.json"
        path.write_text(text, encoding="utf-8")
        start = time.process_time()
        found = check(path, with_files=False)[1]
        assert time.process_time() - start < SECONDS
        return found

    return run


def _large(indent: int | None = None) -> str:
    count = 12_000
    pairs = [
        {"input": {"path": f"input{n}.bs1"}, "target": {"path": f"target{n}.bs1"}}
        for n in range(count)
    ]
    return json.dumps({**OXFORD, "data": {**OXFORD["data"], "train": pairs}}, indent=indent)


def test_sound_documents(timed):
    assert timed(_large()) == []
    assert timed(json.dumps({**OXFORD, "description": "é\n" * 500_000})) == []


MARKS = [(",", "ND007"), ('"input', "ND007"), (":", "ND007")]


@pytest.mark.parametrize("indent", grid([None, 1], [None]))
@pytest.mark.parametrize("removed", grid(MARKS, MARKS[1:2]))
def test_damaged_documents(timed, removed, indent):
    mark, code = removed
    text = _large(indent)
    at = text.index(mark, len(text) // 2)
    (diagnostic,) = timed(text[:at] + text[at + 1 :])
    assert diagnostic.code == code
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    assert diagnostic.line == line
    assert abs(diagnostic.column - column) < 30


def test_the_position_of_a_late_diagnostic(timed):
    text = _large(1)
    at = text.rindex('"target"')
    (diagnostic,) = timed(text[:at] + '"tarjet"' + text[at + 8 :])
    assert (diagnostic.code, diagnostic.line) == ("ND101", text.count("\n", 0, at) + 1)


HOSTILE = {
    "lists": "[" * 300_000,
    "numbers": "[" + "1," * 1_900_000 + "]",
    "digits": "[" + "1" * 2_000_000 + "a]",
    "same names": "{" + '"a":1,' * 300_000 + "}",
    "spaces": '["a" ' + " " * 2_000_000 + "b",
    "closing brackets": "[" + "}" * 8_000_000,
}


@pytest.mark.parametrize("name", grid(HOSTILE, ["lists", "digits", "same names", "spaces"]))
def test_hostile_documents(timed, name):
    found = timed(HOSTILE[name])
    assert 0 < len(found) < 300
    assert found[0].is_error


@pytest.mark.parametrize("text", [" " * (MAX_BYTES + 1), "[" + "1," * MAX_MARKS, "\n" * MAX_BYTES])
def test_too_large_texts_are_refused_quickly(timed, text):
    (diagnostic,) = timed(text)
    assert diagnostic.code == "ND005"


def _with_train(samples: list) -> dict:
    return {**OXFORD, "data": {**OXFORD["data"], "train": samples}}


WRONG = {"input": {"path": 1}, "lable": 2}
MILLIONS = {
    "keys": {f"a{n}": n for n in range(30_000)} | OXFORD,
    "samples": _with_train([WRONG] * 15_000),
    "sizes": {**OXFORD, "input": {"shape": [0.5] * 100_000}},
}


@pytest.mark.parametrize("name", MILLIONS)
def test_only_a_few_of_many_errors_are_reported(name, timed):
    with pytest.raises(InvalidDocumentError) as invalid:
        validate_document(MILLIONS[name])
    assert len(invalid.value.errors) <= MAX_ERRORS
    found = timed(json.dumps(MILLIONS[name]))
    assert 0 < len(found) <= MAX_ERRORS
    (note,) = [each for diagnostic in found for each in diagnostic.notes if "not shown" in each]
    assert note.startswith(f"{invalid.value.hidden:,} more")
    assert not [each for each in found if each.code == "ND102"]
