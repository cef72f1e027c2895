"""``netdesc format``: the canonical layout, and files that are replaced whole or left alone."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import Netdesc

from netdesc.cli import rewrite
from netdesc.description.canonical_layout import WIDTH, formatted
from netdesc.description.json.reader import parse
from netdesc.description.source import MAX_BYTES, Source

ROOT = Path(__file__).parents[2]
SHIPPED = [*sorted(ROOT.glob("examples/*.json")), *sorted(ROOT.glob("netdesc/templates/*.json"))]

UGLY = '{"name":"a",\r\n\t"time" : {"steps":100 }}'
NEAT = '{\n  "name": "a",\n  "time": {"steps": 100}\n}\n'


def laid_out(text: str) -> str:
    made = formatted(Source(text, "test"))
    assert isinstance(made, str)
    return made


# The layout


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_comes_with_netdesc_is_laid_out_so(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert laid_out(text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{}", "{}\n"),
        (" [ ] ", "[]\n"),
        ("1e-5", "1e-5\n"),
        ('{"a":[],"b":{ }}', '{\n  "a": [],\n  "b": {}\n}\n'),
        ('[1.0,1e-5,1E+05,-0,0.10,"\\u00e9\\/",null,true]',
         '[\n  1.0,\n  1e-5,\n  1E+05,\n  -0,\n  0.10,\n  "\\u00e9\\/",\n  null,\n  true\n]\n'),
        ("\ufeff[[1,2]]\r\n", "[\n  [1, 2]\n]\n"),
        (UGLY, NEAT),
    ],
)  # fmt: skip
def test_layout(text: str, wanted: str) -> None:
    assert laid_out(text) == wanted


@pytest.mark.parametrize("comma", ["", ', "b": 1'])
def test_a_line_holds_so_many_characters_with_its_comma(comma: str) -> None:
    room = WIDTH - len('  "a": [""]') - len(comma[:1])
    fits = laid_out(f'{{"a": ["{"ü" * room}"]{comma}}}').splitlines()[1]
    assert len(fits) == WIDTH
    assert laid_out(f'{{"a": ["{"ü" * (room + 1)}"]{comma}}}').splitlines()[1] == '  "a": ['


# Spelt as nobody's encoder would, so that nothing passes by being written anew.
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).flatmap(
    lambda text: st.sampled_from(
        [
            json.dumps(text),
            json.dumps(text, ensure_ascii=False),
            json.dumps(text).replace("/", "\\/"),
        ]
    )
)
SPACES = st.text(" \t\r\n", max_size=3)


@st.composite
def texts(draw: st.DrawFn, depth: int = 4) -> str:
    """JSON text with white space anywhere."""
    kind = draw(st.sampled_from("nsc" if depth == 0 else "nscollo"))
    if kind == "n":
        core = draw(NUMBERS)
    elif kind == "s":
        core = draw(STRINGS)
    elif kind == "c":
        core = draw(st.sampled_from(["true", "false", "null"]))
    else:
        items = draw(st.lists(texts(depth - 1), max_size=4))
        if kind == "l":
            core = f"[{draw(SPACES)}{','.join(items)}]"
        else:
            keys = draw(st.lists(STRINGS, min_size=len(items), max_size=len(items),
                                 unique_by=json.loads))  # fmt: skip
            pairs = [f"{draw(SPACES)}{key}{draw(SPACES)}:{item}"
                     for key, item in zip(keys, items, strict=True)]  # fmt: skip
            core = f"{{{','.join(pairs)}{draw(SPACES)}}}"
    return draw(SPACES) + core + draw(SPACES)


def tokens(text: str) -> list[str]:
    return re.findall(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', text)


@given(texts())
def test_nothing_but_white_space_changes_and_a_second_time_nothing(text: str) -> None:
    made = laid_out(text)
    assert tokens(made) == tokens(text)
    assert json.loads(made, object_pairs_hook=list) == json.loads(text, object_pairs_hook=list)
    assert laid_out(made) == made
    assert made.endswith("\n")
    assert "\r" not in made


@given(texts())
def test_only_what_has_no_parts_makes_a_line_too_long(text: str) -> None:
    for line in laid_out(text).splitlines():
        if len(line) > WIDTH:
            assert not {"{", "["} & set(tokens(line)[:-1])


@given(st.text('{}[]:,"1a \n\\', max_size=12))
def test_what_is_no_json_is_refused_for_what_the_parser_says(text: str) -> None:
    made = formatted(Source(text, "test"))
    mistakes = parse(Source(text, "test")).diagnostics
    assert isinstance(made, str) == (not mistakes)
    if not isinstance(made, str):
        assert [each.code for each in made] == [each.code for each in mistakes]


def test_a_large_text_takes_little_memory() -> None:
    text = json.dumps([[n, n] for n in range(30_000)])
    tracemalloc.start()
    laid_out(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * len(text)


# The command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "neat.json").write_text(NEAT)
    (tmp_path / "ugly.json").write_bytes(UGLY.encode())
    (tmp_path / "broken.json").write_text('{"a": 1,}')
    (tmp_path / "binary.json").write_bytes(b"\0\1\2")
    (tmp_path / "huge.json").write_bytes(b" " * (MAX_BYTES + 1))
    (tmp_path / "lock.json").write_text('{"format":1,"lock":{}}')
    (tmp_path / "folder").mkdir()
    return tmp_path


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {each.name: (each.read_bytes(), each.stat().st_mtime_ns)
            for each in folder.iterdir() if each.is_file()}  # fmt: skip


def test_files_are_written_and_named(netdesc: Netdesc, folder: Path) -> None:
    before = contents(folder)
    ended = netdesc("format", "neat.json", "ugly.json", "lock.json")
    assert (ended.code, ended.out) == (0, "")
    assert "wrote ugly.json" in ended.err
    assert "3 files: 1 changed" in ended.err
    assert "lock.json is the lock of a run" in ended.err
    assert (folder / "ugly.json").read_bytes() == NEAT.encode()
    after = contents(folder)
    assert {name for name in after if after[name] != before[name]} == {"ugly.json"}
    assert netdesc("format", "ugly.json", "--quiet").err == ""


@pytest.mark.parametrize("options", [["--check"], ["--diff"], ["--check", "--diff"]])
def test_asking_writes_nothing(options: list[str], netdesc: Netdesc, folder: Path) -> None:
    before = contents(folder)
    assert netdesc("format", "neat.json", "lock.json", *options).code == 0
    ended = netdesc("format", "neat.json", "ugly.json", *options)
    assert ended.code == 1
    assert contents(folder) == before
    if "--diff" not in options:
        assert ended.out == "ugly.json\n"


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_diff_is_as_patch_takes_it(end: str, netdesc: Netdesc, folder: Path) -> None:
    (folder / "ugly.json").write_text('{"a":1}' + end)
    ended = netdesc("format", "ugly.json", "--diff")
    assert ended.out.splitlines() == [
        "--- ugly.json",
        "+++ ugly.json",
        "@@ -1 +1,3 @@",
        '-{"a":1}',
        *([] if end else ["\\ No newline at end of file"]),
        "+{",
        '+  "a": 1',
        "+}",
    ]


def test_what_is_no_document_is_refused_and_the_others_are_done(
    netdesc: Netdesc, folder: Path
) -> None:
    before = contents(folder)
    faulty = ["broken.json", "binary.json", "huge.json", "folder"]
    ended = netdesc("format", *faulty, "ugly.json")
    assert ended.code == 1
    assert "5 files: 1 changed, 4 refused" in ended.err
    for code in ("broken.json:1:8: error[ND008]", "ND003", "ND005", "ND001"):
        assert code in ended.err
    after = contents(folder)
    assert {name for name in after if after[name] != before[name]} == {"ugly.json"}
    assert netdesc("format", "nowhere.json", "neat.json").code == 3


def test_json_says_what_became_of_each(netdesc: Netdesc, folder: Path) -> None:
    names = ["neat.json", "ugly.json", "broken.json", "lock.json"]
    for options, status, code in [(["--diff"], "would change", 1), ([], "changed", 1)]:
        ended = netdesc("format", *names, *options, "--json")
        assert ended.code == code
        record = ended.record
        found = {each["file"]: each["status"] for each in record["documents"]}
        assert found == dict(zip(names, ["unchanged", status, "refused", "lock"], strict=True))
        assert (record["changed"], record["files"], record["errors"]) == (1, 4, 1)
        assert record["diagnostics"][0]["code"] == "ND008"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_standard_input_goes_to_standard_output_in_utf_8(encoding: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "netdesc", "format", "-"],
        input='{"name":"é→"}'.encode(),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert ended.stdout.decode() == '{\n  "name": "é→"\n}\n'
    assert ended.stderr == b""


def test_standard_input_can_be_checked_and_refused(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(text: bytes, *options: str) -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        return netdesc("format", "-", *options)

    assert given(NEAT.encode(), "--check").code == 0
    assert given(b"{ }", "--check").out == "-\n"
    assert given(b"{ }", "--json").record["documents"][0]["text"] == "{}\n"
    refused = given(b"{")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("standard input:1:1: error[ND007]")
    assert given(b"{}", "a.json").code == 2


def test_permissions_and_links_stay(netdesc: Netdesc, folder: Path) -> None:
    (folder / "ugly.json").chmod(0o640)
    (folder / "link.json").symlink_to("ugly.json")
    assert netdesc("format", "link.json").code == 0
    assert (folder / "link.json").is_symlink()
    assert (folder / "ugly.json").read_text() == NEAT
    assert (folder / "ugly.json").stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_written_keeps_no_other_file_from_it(
    netdesc: Netdesc, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "also.json").write_bytes(UGLY.encode())
    monkeypatch.setattr(rewrite.os, "access", lambda path, _: path.name != "also.json")
    ended = netdesc("format", "--json", "also.json", "ugly.json")
    assert ended.code == 3
    assert [each["status"] for each in ended.record["documents"]] == ["failed", "changed"]
    assert ended.record["changed"] == 1
    assert ended.err == "error: also.json: the file is write-protected\n"
    assert (folder / "ugly.json").read_text() == NEAT


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_a_pipe_is_not_replaced(netdesc: Netdesc, folder: Path) -> None:
    end, start = os.pipe()
    os.write(start, UGLY.encode())
    os.close(start)
    ended = netdesc("format", f"/dev/fd/{end}")
    os.close(end)
    assert ended.code == 3
    assert f"error: /dev/fd/{end}: is no regular file" in ended.err


def test_a_long_document_is_compared_in_reasonable_time() -> None:
    lines = ["[", *(f"{number % 7},{number % 5}," for number in range(30_000)), "0]"]
    found = rewrite.Rewrite("a", "\n".join(lines), laid_out("\n".join(lines)))
    before = os.times().user
    kinds = [line[0] for line in found.diff()[3:]]
    assert os.times().user - before < 5
    assert all(a == b or (a, b) in (("-", "\\"), ("\\", "+"), ("-", "+"))
               for a, b in pairwise(kinds))  # fmt: skip
