"""Reading JSON: errors at their positions, and valid text as the standard library parses it."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.description_samples import UNHURRIED

from netdesc.description.json.collector import MAX_DIAGNOSTICS
from netdesc.description.json.reader import parse
from netdesc.description.json.scalars import MAX_IN_STRING
from netdesc.description.json.tree import MAX_DEPTH, Node
from netdesc.description.json_pointer import members
from netdesc.description.source import Source

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | FINITE
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@UNHURRIED
@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_valid_json_reads_as_the_standard_library_reads_it(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    parsed = parse(Source(text, "t"))
    assert parsed.diagnostics == []
    assert parsed.root is not None
    assert repr(parsed.root.value) == repr(json.loads(text))
    assert text[parsed.root.start : parsed.root.end] == text
    _check_places(parsed.root, text)


@UNHURRIED
@given(VALUES, st.sampled_from([None, 1]))
def test_repaired_text_keeps_the_positions_of_the_file(value, indent):
    """A comma too many sends the text through the repairs."""
    written = json.dumps({"é": value, "last": 1}, ensure_ascii=False, indent=indent)
    text = written[:-1] + "," + written[-1]
    parsed = parse(Source(text, "t"))
    assert [each.code for each in parsed.diagnostics] == ["ND008"]
    assert parsed.root is not None
    assert repr(parsed.root.value) == repr(json.loads(written))
    for key in parsed.root.value:
        _check_places(parsed.root.find((key,)), text)


def _check_places(node: Node, text: str) -> None:
    """Every value and every key stands where the tree says."""
    assert repr(json.loads(text[node.start : node.end])) == repr(node.value)
    for key in members(node.value):
        if isinstance(key, str):
            assert json.loads(text[slice(*node.key_span(key))]) == key
        _check_places(node.find((key,)), text)


@UNHURRIED
@given(st.text(alphabet="{}[]:,\"\\ \n\t01.eE+-truefalsn/*#'é\u2028\x00", max_size=40))
def test_any_text_parses_like_the_standard_library_or_has_diagnostics(text):
    parsed = parse(Source(text, "t"))
    try:
        expected = json.loads(text, parse_constant=lambda word: pytest.fail(word))
    except ValueError:
        assert parsed.diagnostics
        return
    if parsed.diagnostics:
        # Stricter than the standard library in these three ways only.
        assert {diagnostic.code for diagnostic in parsed.diagnostics} <= {"ND011", "ND012", "ND014"}
    else:
        assert parsed.root is not None
        assert parsed.root.value == expected


@UNHURRIED
@given(st.text())
@example("0/\x08")
def test_positions_of_diagnostics_are_inside_the_text(text):
    source = Source(text, "t")
    for diagnostic in parse(source).diagnostics:
        assert 0 <= diagnostic.start <= diagnostic.end <= len(text)
        line, column = source.place(diagnostic.start)
        assert line >= 1
        assert column >= 1


ERRORS = [
    ("", "ND002", 0, 0), ("\n \n", "ND002", 0, 1), ("[1,]", "ND008", 2, 3),
    ('{"a": [1, 2 , ], "b": 1}', "ND008", 12, 13), ("[1, // x\n2]", "ND009", 4, 8),
    ("[1, /* x\n */ 2]", "ND009", 4, 12), ("# x\n[]", "ND009", 0, 3), ("[/* x", "ND009", 1, 5),
    ("[NaN]", "ND010", 1, 4), ("[-Infinity]", "ND010", 1, 10), ('{"a": 1, "a": 2}', "ND011", 9, 12),
    ('{"a": 1, "\\u0061": 2}', "ND011", 9, 17), ('["a\tb"]', "ND012", 3, 4),
    ('["\x00"]', "ND012", 2, 3), ('["\\x"]', "ND012", 2, 4), ('["\\u12"]', "ND012", 2, 6),
    ('["\\ud800"]', "ND012", 2, 8), ('["\\udc00"]', "ND012", 2, 8),
    ('["\\ud83d\\ud83d\\ude00"]', "ND012", 2, 8), ('"\\', "ND012", 0, 2), ("['a']", "ND012", 1, 4),
    ('["a\n]', "ND012", 1, 3), ("[01]", "ND013", 1, 3), ("[.5]", "ND013", 1, 3),
    ("[1.]", "ND013", 1, 3), ("[+1]", "ND013", 1, 3), ("[0x1F]", "ND013", 1, 5),
    ("[1e]", "ND013", 1, 3), ("[-]", "ND013", 1, 2), ("[1-2]", "ND013", 1, 4),
    ("[1.2.3]", "ND013", 1, 6), ("[1e999]", "ND014", 1, 6), ("[-1e999]", "ND014", 1, 7),
    (f"[{'9' * 5000}]", "ND014", 1, 5001), ("[9223372036854775808]", "ND014", 1, 20),
    ('{"a" 1}', "ND007", 3, 4), ('{"a": 1 "b": 2}', "ND007", 6, 7), ("[1 2]", "ND007", 1, 2),
    ("[1,,2]", "ND007", 3, 4), ("[,]", "ND007", 1, 2), ("{,}", "ND007", 1, 2),
    ('{"a":}', "ND007", 5, 6), ('{"a"}', "ND007", 3, 4), ("[1", "ND007", 1, 2),
    ('{"a": [1}', "ND007", 7, 8), ('{"a": [1}, "b": 2}', "ND007", 8, 9),
    ('{"a": (1)}', "ND007", 6, 7), ('{"a": [1)}', "ND007", 8, 9),
    ("[1,\n<<<<<<< HEAD\n2,\n=======\n3\n>>>>>>> other\n]", "ND007", 4, 11),
    ("[1\r\n  >>>>>>> other\r\n]", "ND007", 6, 13), ('```json\n{"a": 1}\n```\n', "ND007", 0, 7),
    ('{"a": [1;2]}', "ND007", 8, 9), ('{"a" = 1}', "ND007", 5, 6), ('{"a": 0,5}', "ND013", 6, 9),
    ('{"a": 1_000}', "ND013", 6, 11), ("{'a': 1, 'b': [1, 2]}", "ND012", 1, 4),
    ("{“a”: 1}", "ND012", 1, 4), ('{"a": [1], 2}', "ND007", 11, 12),
    ('{"a": [1]} {"b": 2}', "ND007", 11, 12), ("x = [1]", "ND007", 0, 7),
    ('x = {"a": [1]}', "ND007", 0, 4), ("...", "ND007", 0, 3), ('["a" "b"]', "ND007", 3, 4),
    ("]", "ND007", 0, 1), ("[]]", "ND007", 2, 3), ("[] 1", "ND007", 3, 4),
    ("{a: 1}", "ND007", 1, 2), ("{1: 1}", "ND007", 1, 2), ("[True]", "ND007", 1, 5),
    ("[undefined]", "ND007", 1, 10), ('{"a": 1; "b": 2}', "ND007", 7, 8),
    ("[1]\x00", "ND007", 3, 4), ("[\xa01]", "ND007", 1, 2),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "start", "end"), ERRORS)
def test_one_error_at_its_position(text, code, start, end):
    (diagnostic,) = parse(Source(text, "t")).diagnostics
    assert (diagnostic.code, diagnostic.start, diagnostic.end) == (code, start, end)


def test_all_errors_are_reported_together():
    text = '{\'a\': [1,], "b": NaN, // no\n "c": 07}'
    parsed = parse(Source(text, "t"))
    assert {diagnostic.code for diagnostic in parsed.diagnostics} == {
        "ND012",
        "ND008",
        "ND010",
        "ND009",
        "ND013",
    }
    assert parsed.root is not None
    assert parsed.root.find(("a", 0)) is not None


@pytest.mark.parametrize("number", ["1e+5", "1E+05", "-1.5e+10", "1e-7", "-0", "0.0", "1e5"])
def test_numbers_that_the_grammar_would_refuse(number):
    parsed = parse(Source(f"[{number}]", "t"))
    assert parsed.diagnostics == []
    assert parsed.root is not None
    assert parsed.root.value == [json.loads(number)]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused_and_does_not_crash(opening):
    for depth in (MAX_DEPTH + 1, 200_000):
        parsed = parse(Source(opening * depth, "t"))
        assert [diagnostic.code for diagnostic in parsed.diagnostics] == ["ND006"]
    closing = {"[": "]", '{"a":': "}"}[opening]
    middle = "" if opening == "[" else "1"
    parsed = parse(Source(opening * MAX_DEPTH + middle + closing * MAX_DEPTH, "t"))
    assert parsed.diagnostics == []


def test_columns_count_characters():
    source = Source('{"é😀": 1,\n "日": NaN}', "t")
    (diagnostic,) = parse(source).diagnostics
    assert source.place(diagnostic.start) == (2, 7)
    assert source.line(2) == ' "日": NaN}'


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_kind_of_line_end_ends_a_line(newline):
    text = '{"a": "é", // one\n "b": 1\n "c": NaN}'.replace("\n", newline)
    source = Source(text, "t")
    places = [source.place(each.start) for each in parse(source).diagnostics]
    assert places == [(1, 12), (2, 7), (3, 7)]
    assert source.line(3) == ' "c": NaN}'
    assert [source.offset(*source.place(at)) for at in range(len(text))] == [*range(len(text))]


def test_strings_in_apostrophes_give_one_diagnostic():
    value = {f"key{n}": ["text", n, {"é": "b"}] for n in range(MAX_DIAGNOSTICS)}
    parsed = parse(Source(repr(value), "t"))
    (diagnostic,) = parsed.diagnostics
    assert (diagnostic.code, diagnostic.start, diagnostic.end) == ("ND012", 1, 7)
    assert diagnostic.message == f"a string in apostrophes, and {4 * MAX_DIAGNOSTICS - 1} more"
    assert parsed.root is not None
    assert parsed.root.value == value
    (diagnostic,) = parse(Source("['a']", "t")).diagnostics
    assert diagnostic.message == "a string in apostrophes"


def test_reading_stops_after_many_errors():
    found = parse(Source("[" + "NaN," * 100_000 + "1]", "t")).diagnostics
    assert len(found) == MAX_DIAGNOSTICS + 1
    assert "rest of the file" in found[-1].message
    assert len(parse(Source('["' + "\t" * 100_000 + '"]', "t")).diagnostics) == MAX_IN_STRING
    assert len(parse(Source('["' + "\\x" * 100_000 + '"]', "t")).diagnostics) == 1
