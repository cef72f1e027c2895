"""Reading JSON: errors at their positions, and valid text as the standard library parses it."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.damaged_samples import DATA, DIGITS, swapped
from support.description_samples import UNHURRIED

from netdesc.description.json.reader import parse
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


def span(text, place):
    """The offsets of a diagnostic's start and end."""
    ends = (place.line, place.column), (place.end_line, place.end_column)
    return tuple(len("\n".join([*text.split("\n")[: a - 1], ""])) + b - 1 for a, b in ends)


@UNHURRIED
@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_valid_json_reads_as_the_standard_library_reads_it(value, ascii_only, indent):
    text = json.dumps([value], ensure_ascii=ascii_only, indent=indent)
    parsed = parse(Source(text, "t"))
    assert repr(parsed.value) == repr(json.loads(text))
    assert text[parsed.start : parsed.end] == text
    _check_places(parsed, text)


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
        assert not isinstance(parsed, Node)
        return
    if not isinstance(parsed, Node):
        # Stricter than the standard library: duplicate keys, control characters, large numbers,
        # and texts that are one scalar.
        is_scalar = not isinstance(expected, dict | list)
        assert is_scalar or parsed.code in {"ND011", "ND012", "ND014"}
    else:
        assert parsed.value == expected


@UNHURRIED
@given(st.text())
@example("0/\x08")
def test_positions_of_diagnostics_are_inside_the_text(text):
    error = parse(Source(text, "t"))
    if not isinstance(error, Node):
        start, end = span(text, error)
        assert 0 <= start <= end <= len(text)


ERRORS = [
    ("", "ND002", 0, 0), ("\n \n", "ND002", 0, 1), ("[1,]", "ND008", 2, 3),
    ('{"a": [1, 2 , ], "b": 1}', "ND008", 12, 13), ("[1, // x\n2]", "ND009", 4, 8),
    ("[1, /* x\n */ 2]", "ND009", 4, 12), ("# x\n[]", "ND009", 0, 3), ("[/* x", "ND009", 1, 5),
    ("[NaN]", "ND010", 1, 4), ("[-Infinity]", "ND010", 1, 10), ('{"a": 1, "a": 2}', "ND011", 9, 12),
    ('{"a": 1, "\\u0061": 2}', "ND011", 9, 17), ('["a\tb"]', "ND012", 3, 4),
    ('["\x00"]', "ND012", 2, 3), ('["\\x"]', "ND012", 2, 4), ('["\\u12"]', "ND012", 2, 6),
    ('["\\ud800"]', "ND012", 2, 8), ('["\\udc00"]', "ND012", 2, 8),
    ('["\\ud83d\\ud83d\\ude00"]', "ND012", 2, 8), ('"\\', "ND007", 0, 2), ("['a']", "ND012", 1, 4),
    ('["a\n]', "ND012", 1, 3), ("[01]", "ND013", 1, 3), ("[.5]", "ND013", 1, 3),
    ("[1.]", "ND013", 1, 3), ("[+1]", "ND013", 1, 3), ("[0x1F]", "ND013", 1, 5),
    ("[1e]", "ND013", 1, 3), ("[-]", "ND013", 1, 2), ("[1-2]", "ND013", 1, 4),
    ("[1.2.3]", "ND013", 1, 6), ("[1e999]", "ND014", 1, 6), ("[-1e999]", "ND014", 1, 7),
    (f"[{'9' * 5000}]", "ND014", 1, 5001), ("[9223372036854775808]", "ND014", 1, 20),
    ('{"a" 1}', "ND007", 3, 4), ('{"a": 1 "b": 2}', "ND007", 6, 7), ("[1 2]", "ND007", 1, 2),
    ("[1,,2]", "ND007", 3, 4), ("[,]", "ND007", 1, 2), ("{,}", "ND007", 1, 2),
    ('{"a":}', "ND007", 5, 6), ('{"a"}', "ND007", 3, 4), ("[1", "ND007", 1, 2),
    ('{"a": [1}', "ND007", 8, 9), ('{"a": [1}, "b": 2}', "ND007", 8, 9),
    ('{"a": (1)}', "ND007", 6, 7), ('{"a": [1)}', "ND007", 8, 9),
    ("[1,\n<<<<<<< HEAD\n2,\n=======\n3\n>>>>>>> other\n]", "ND007", 4, 11),
    ("[1\r\n  >>>>>>> other\r\n]", "ND007", 6, 13), ('```json\n{"a": 1}\n```\n', "ND007", 0, 7),
    ('{"a": [1;2]}', "ND007", 8, 9), ('{"a" = 1}', "ND007", 5, 6), ('{"a": 0,5}', "ND007", 8, 9),
    ('{"a": 1_000}', "ND013", 6, 11), ("{'a': 1, 'b': [1, 2]}", "ND012", 1, 4),
    ("{“a”: 1}", "ND012", 1, 2), ('{"a": [1], 2}', "ND007", 11, 12),
    ('{"a": [1]} {"b": 2}', "ND007", 11, 12), ("x = [1]", "ND007", 0, 7),
    ('x = {"a": [1]}', "ND007", 0, 3), ("...", "ND007", 0, 3), ('["a" "b"]', "ND007", 3, 4),
    ("]", "ND007", 0, 1), ("[]]", "ND007", 2, 3), ("[] 1", "ND007", 3, 4),
    ("{a: 1}", "ND007", 1, 2), ("{1: 1}", "ND007", 1, 2), ("[True]", "ND007", 1, 5),
    ("[undefined]", "ND007", 1, 10), ('{"a": 1; "b": 2}', "ND007", 7, 8),
    ("[1]\x00", "ND007", 3, 4), ("[\xa01]", "ND007", 1, 2),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "start", "end"), ERRORS)
def test_one_error_at_its_position(text, code, start, end):
    error = parse(Source(text, "t"))
    assert not isinstance(error, Node)
    assert (error.code, *span(text, error)) == (code, start, end)


SLIPS = [
    # text, line, column, part of the hint
    (swapped(('"loss":', "loss")), 28, 3, 'write "loss":'),
    (swapped(('"hidden"', '"hidden""')), 25, 21, "a quote is missing or too many"),
    (swapped(('"hidden",', '"hidden,')), 25, 23, "a quote is missing or too many"),
    (swapped(('"hidden",', 'hidden",')), 25, 14, 'write "hidden"'),
    (swapped(("handwritten", '"handwritten"')), 5, 24, 'write \\" for a quote'),
    (swapped(("apart: a", "apart:\n  a")), 5, 18, 'put a " after it'),
    (swapped(('"seed": 0,', '"seed": 0, -- none')), 31, 16, "no comments"),
    (swapped(('"type": "cuba"', '"type": cuba')), 17, 15, 'write "cuba"'),
    (swapped(('"seed": 0', '"seed"')), 31, 10, 'add ":" and a value'),
    (swapped(('"step_ms": 1.0', '"step_ms": 1ms')), 6, 36, "the names of fields state the units"),
    (swapped(('"seed": 0', '"seed": 007')), 31, 13, "write 7"),
    (swapped(('"seed": 0', '"seed": True')), 31, 13, "write true, false and null"),
    (swapped(("0.03", "NaN")), 21, 19, "finite"),
    (swapped(("../data/digits/digits", r"..\data\digits\digits")), 9, 16, "on every system"),
    (swapped(('2}\n  ]', '2},\n  ]')), 26, 90, "remove the comma"),
    (DIGITS + DIGITS, 37, 1, "a file holds one document"),
    (DIGITS[:880], 30, 18, "add }}"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "hint"), SLIPS)
def test_slips_have_a_way_out(text: str, line: int, column: int, hint: str) -> None:
    error = parse(Source(text, "t"))
    assert not isinstance(error, Node)
    assert (error.line, error.column, hint in error.hint) == (line, column, True)


@pytest.mark.parametrize("number", ["1e+5", "1E+05", "-1.5e+10", "1e-7", "-0", "0.0", "1e5"])
def test_numbers_that_the_grammar_would_refuse(number):
    parsed = parse(Source(f"[{number}]", "t"))
    assert parsed.value == [json.loads(number)]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused_and_does_not_crash(opening):
    for depth in (MAX_DEPTH + 1, 200_000):
        parsed = parse(Source(opening * depth, "t"))
        assert not isinstance(parsed, Node)
        assert parsed.code == "ND006"
    closing = {"[": "]", '{"a":': "}"}[opening]
    middle = "" if opening == "[" else "1"
    parsed = parse(Source(opening * MAX_DEPTH + middle + closing * MAX_DEPTH, "t"))
    assert isinstance(parsed, Node)


def test_columns_count_characters():
    source = Source('{"é😀": 1,\n "日": NaN}', "t")
    error = parse(source)
    assert not isinstance(error, Node)
    assert (error.line, error.column) == (2, 7)
    assert source.line(2) == ' "日": NaN}'


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_kind_of_line_end_ends_a_line(newline):
    text = '{"a": "é",\n "b": 1,\n "c": NaN}'.replace("\n", newline)
    source = Source(text, "t")
    error = parse(source)
    assert not isinstance(error, Node)
    assert (error.line, error.column) == (3, 7)
    assert source.line(3) == ' "c": NaN}'
    places = [source.place(at) for at in range(len(text))]
    assert places == sorted({*places})


def test_the_first_of_two_equal_keys_is_named():
    error = parse(Source('{"a": 1,\n "b": {"a": 2},\n "a": 3}', "t"))
    assert not isinstance(error, Node)
    assert (error.code, error.line, error.column, error.hint) == ("ND011", 3, 2, "first in line 1")
    assert [(each.line, each.column, each.end_column) for each in error.related] == [(1, 2, 5)]


@pytest.mark.parametrize("end", ["\n}", ',\n "b": 3}', ""])
def test_the_bracket_that_is_not_closed_is_named(end):
    error = parse(Source('{"a": [1, 2' + end, "t"))
    assert not isinstance(error, Node)
    (place,) = error.related
    assert (place.column, "line 1" in error.message) == (7, True)


def test_the_bracket_that_is_not_closed_is_told_by_indentation():
    lines = json.dumps(DATA, indent=2).split("\n")
    named = 0
    for at, line in enumerate(lines):
        if not line.endswith(("{", "[")):
            continue
        inner = " " * (len(line) - len(line.lstrip()) + 1)
        end = next(n for n in range(at + 1, len(lines)) if not lines[n].startswith(inner))
        source = Source("\n".join(lines[:end] + lines[end + 1 :]), "t")
        error = parse(source)
        assert not isinstance(error, Node)
        named += len(error.related)
        assert all((each.line, each.column) == (at + 1, len(line)) for each in error.related)
    assert named > 5
