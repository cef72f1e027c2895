"""Large documents: sound, damaged and hostile ones take seconds, not minutes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from netdesc.description import check
from netdesc.description.source import MAX_BYTES, MOST_MARKS

OXFORD = json.loads((Path(__file__).parent.parent / "examples/oxford.json").read_text("utf-8"))
SECONDS = 20
"""Ten times what they take on an idle machine: what is not linear takes longer by far."""


@pytest.fixture
def timed(tmp_path):
    def run(text: str):
        path = tmp_path / "network.json"
        path.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        found = check(path, with_files=False)[1]
        assert time.perf_counter() - start < SECONDS
        return found

    return run


def _large(indent: int | None = None) -> str:
    count = 50_000
    pairs = [
        {"input": {"path": f"input{n}.bs1"}, "target": {"path": f"target{n}.bs1"}}
        for n in range(count)
    ]
    return json.dumps({**OXFORD, "data": {**OXFORD["data"], "train": pairs}}, indent=indent)


def test_sound_documents(timed):
    assert timed(_large()) == []
    assert timed(json.dumps({**OXFORD, "description": "é\n" * 2_000_000})) == []


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(("mark", "code"), [(",", "ND007"), ('"', "ND012"), (":", "ND007")])
def test_damaged_documents(timed, mark, code, indent):
    text = _large(indent)
    at = text.index(mark, len(text) // 2)
    (finding,) = timed(text[:at] + text[at + 1 :])
    assert finding.code == code
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    assert finding.line == line
    assert abs(finding.column - column) < 30


def test_the_place_of_a_finding_far_behind(timed):
    text = _large(1)
    at = text.rindex('"target"')
    (finding,) = timed(text[:at] + '"tarjet"' + text[at + 8 :])
    assert (finding.code, finding.line) == ("ND101", text.count("\n", 0, at) + 1)


HOSTILE = {
    "lists": "[" * 1_000_000,
    "lists in a list": "[" + "[]," * 600_000 + "]",
    "numbers": "[" + "1," * 1_900_000 + "]",
    "digits": "[" + "1" * 8_000_000 + "a]",
    "quotes": '"' * 8_000_000,
    "apostrophes": "'a'," * 1_900_000,
    "escapes": '["' + "\\x" * 4_000_000 + '"]',
    "comments": "[1 " + "/**/" * 2_000_000,
    "conflicts": "<<<<<<< a\n=======\n" * 400_000,
    "same names": "{" + '"a":1,' * 1_000_000 + "}",
    "open strings": '["a\n' * 600_000,
    "spaces": '["a" ' + " " * 8_000_000 + "b",
    "closing brackets": "[" + "}" * 8_000_000,
    "deep and damaged": "[" * 60 + "1," * 1_500_000 + ";" + "]" * 60,
    "objects of objects": '{"a":[' * 30 + '{"b":1},' * 500_000 + "x" + "]}" * 30,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents(timed, name):
    found = timed(HOSTILE[name])
    assert 0 < len(found) < 300
    assert found[0].is_error


@pytest.mark.parametrize("text", [" " * (MAX_BYTES + 1), "[" + "1," * MOST_MARKS, "\n" * MAX_BYTES])
def test_what_is_too_large_is_refused_at_once(timed, text):
    (finding,) = timed(text)
    assert finding.code == "ND005"
