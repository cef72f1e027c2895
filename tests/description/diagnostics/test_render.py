"""Diagnostics as text and as JSON."""

import io
import json
import os
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.description_samples import UNHURRIED

from netdesc.cli.diagnostics_text import format_diagnostics
from netdesc.cli.output import Output
from netdesc.description import Diagnostic, render_text, to_json
from netdesc.description.diagnostics.diagnostic import Edit, Fix, Related
from netdesc.description.diagnostics.wording import cells


def _diagnostic(line: str, start: int, end: int, **more) -> Diagnostic:
    place = 7, start + 1, 7, end + 1
    return Diagnostic("ND101", "error", "a.json", "a message", "/a", *place, excerpt=line, **more)


def _columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def _carets(shown: str) -> tuple[str, str]:
    """What the carets mark, and the excerpt."""
    excerpt, carets = shown.splitlines()[3:5]
    excerpt, carets = excerpt[4:], carets[4:]
    start = len(carets) - len(carets.lstrip())
    width = carets.count("^")
    cells = ""
    for each in excerpt:
        cells += each + "\0" * (_columns(each) - 1)
    return cells[start : start + width].replace("\0", ""), excerpt


def test_carets_stand_under_the_place():
    assert _carets(render_text([_diagnostic('{"a": 1}', 1, 4)])) == ('"a"', '{"a": 1}')
    assert _carets(render_text([_diagnostic('\t{"a": 1}', 2, 5)]))[0] == '"a"'
    assert _carets(render_text([_diagnostic('{"日本": "é", "a": 1}', 12, 15)]))[0] == '"a"'
    assert _carets(render_text([_diagnostic("[1", 2, 2)]))[0] == ""


def test_long_lines_are_cut_around_the_place():
    line = '{"x": "' + "y" * 500 + '", "a": 1, "z": "' + "w" * 500 + '"}'
    start = line.index('"a"')
    shown = render_text([_diagnostic(line, start, start + 3)], width=60)
    marked, excerpt = _carets(shown)
    assert marked == '"a"'
    assert excerpt.startswith("…")
    assert excerpt.endswith("…")
    assert max(len(each) for each in shown.splitlines()) <= 60
    whole = render_text([_diagnostic(line, 6, 508)], width=60)
    assert max(len(each) for each in whole.splitlines()) <= 60


def test_terminals_are_not_controlled():
    diagnostic = _diagnostic("\x1b[31m", 0, 1, hint="\x1b[0m\r\n", notes=("\x07",))
    assert not any(ord(each) < 32 and each != "\n" for each in render_text([diagnostic]))
    assert len(render_text([diagnostic]).splitlines()) == 8


def test_colour_is_optional_and_changes_nothing_else():
    diagnostic = _diagnostic('{"a": 1}', 1, 4, hint="hint")
    plain, coloured = render_text([diagnostic]), render_text([diagnostic], colour=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in coloured
    stripped = coloured
    for code in ("\x1b[1;31m", "\x1b[1;33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"):
        stripped = stripped.replace(code, "")
    assert stripped == plain


def _second(line: str, number: int, start: int, end: int, message: str) -> Related:
    return Related(message, "a.json", "/b", number, start + 1, number, end + 1, line)


def test_second_places_follow_the_first_with_their_labels():
    line = '{"a": 1, "b": 2}'
    related = (
        _second(line, 7, 1, 4, "and this"),
        _second('"c": 3,', 8, 0, 3, "the next line"),
        _second('"d": 4,', 120, 5, 6, "far away"),
    )
    diagnostic = _diagnostic(line, 9, 12, hint="this one", related=related)
    assert render_text([diagnostic]).splitlines()[2:-2] == [
        "    |",
        '  7 | {"a": 1, "b": 2}',
        "    |          ^^^ this one",
        "    |  --- and this",
        '  8 | "c": 3,',
        "    | --- the next line",
        "...",
        '120 | "d": 4,',
        "    |      - far away",
    ]


@UNHURRIED
@given(
    st.integers(20, 80),
    st.text("ab 日é\u0301", max_size=200),
    st.text("ab 日", max_size=120),
    st.integers(0, 150),
)
@example(20, "aaaa", "a" * 17, 4)
def test_narrow_terminals_break_lines_at_spaces(width, line, words, start):
    start = min(start, len(line))
    second = _second(line, 9, start, start + 3, words)
    diagnostic = _diagnostic(line, start, start + 2, hint=words, notes=(words,), related=(second,))
    plain, shown = render_text([diagnostic]), render_text([diagnostic], width=width)
    longest = max(_columns(word) for word in ["netdesc", "warning[ND101]:", *words.split(" ")])
    for each in shown.splitlines():
        assert _columns(each) <= max(width, 20 + 4, longest + 7)
    # Nothing is lost of what is said.
    for text in (plain, shown):
        assert "".join(words.split()) in "".join(text.replace("|", "").split())


def test_what_can_be_fixed_is_marked_and_counted():
    fix = Fix("do it", (Edit(0, 1, "x"),))
    one, other = _diagnostic("", 0, 0, fix=fix), _diagnostic("", 0, 0)
    lines = render_text([one, other]).splitlines()
    assert lines[0] == "a.json:7:1: error[ND101]: a message [*]"
    assert lines[-1] == "a.json: 2 errors, 1 can be fixed with netdesc validate --fix"
    assert "[*]" not in "".join(render_text([other]).splitlines())


def test_many_samples_with_one_problem_are_counted():
    many = [Diagnostic("ND307", "warning", "a.json", "m", f"/data/train/{n}") for n in range(9)]
    other = Diagnostic("ND307", "warning", "a.json", "m", "/data/test/path")
    error = Diagnostic("ND307", "error", "a.json", "m", "/data/train/9")
    lines = render_text([*many, other, error]).splitlines()
    assert sum("warning[ND307]" in line for line in lines) == 4
    assert sum("error[ND307]" in line for line in lines) == 1
    assert "a.json: 6 more warnings ND307" in lines[-2]
    assert lines[-1] == "a.json: 1 error, 10 warnings"
    assert len(to_json(many, 1)["diagnostics"]) == 9


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_who_gets_colour(environment, on_terminal, elsewhere, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Output.has_colour(_Terminal()) is on_terminal
    assert Output.has_colour(io.StringIO()) is elsewhere


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_diagnostics_are_as_wide_as_their_own_terminal(monkeypatch):
    """Also if stdout, of which Python asks, is a file or another terminal."""
    import termios

    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    found = [_diagnostic("x" * 200, 0, 2, hint="many words " * 30)]
    master, slave = os.openpty()
    for columns in (57, 130):
        termios.tcsetwinsize(slave, (24, columns))
        with open(slave, "w", closefd=False) as stream:
            lines = str(format_diagnostics(found, stream)).splitlines()
        assert columns - 15 < max(map(cells, lines)) <= columns
    os.close(slave)
    os.close(master)


def test_json_has_the_fields_of_the_language():
    found = [_diagnostic("", 0, 2, hint="h"), Diagnostic("ND202", "warning", "b.json", "m")]
    record = json.loads(json.dumps(to_json(found, 3)))
    assert (record["files"], record["errors"], record["warnings"]) == (3, 1, 1)
    first = record["diagnostics"][0]
    assert first == {
        "code": "ND101",
        "severity": "error",
        "file": "a.json",
        "line": 7,
        "column": 1,
        "end_line": 7,
        "end_column": 3,
        "pointer": "/a",
        "message": "a message",
        "hint": "h",
        "notes": [],
        "override": None,
        "related": [],
        "fix": None,
    }
