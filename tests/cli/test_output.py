"""Text of files and names cannot control the terminal or imitate lines, whoever prints it."""

import io
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import Netdesc
from support.training_task import write_task

from netdesc.cli.output import Output, SafeText
from netdesc.description.diagnostics.wording import escape
from netdesc.training.progress import Display, LiveDisplay, Log

HOSTILE = "\x1b[31mred\nforged\u202e"
ESCAPED = r"\x1b[31mred\nforged\u202e"


class Terminal(io.StringIO):
    """Standard output or error that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("network.json", "network.json"),
        ("größe ×2 模型 \u3000\u00a0x", "größe ×2 模型 \u3000\u00a0x"),
        ("a\tb\r\n\x00", r"a\tb\r\n\x00"),
        ("\x7f\x9b1m", r"\x7f\x9b1m"),
        ("\u2028\u2066\U000e0001", r"\u2028\u2066\U000e0001"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_does_not_show_becomes_an_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


@pytest.mark.parametrize("method", ["print", "info", "error"])
def test_any_line_of_other_text_is_escaped(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(Output(), method)(HOSTILE, f"wrote {HOSTILE}")
    captured = capsys.readouterr()
    assert captured.out + captured.err == f"{ESCAPED}\nwrote {ESCAPED}\n"


def test_own_colours_and_line_breaks_stay_unless_joined_with_other_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = SafeText("\x1b[31mred\x1b[0m\nnext")
    Output().print(own, f"{own}")
    assert capsys.readouterr().out == f"{own}\n" + r"\x1b[31mred\x1b[0m\nnext" + "\n"


@pytest.mark.parametrize("columns", ["200", "20"])
def test_cells_and_headings_are_escaped(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    Output().print_table(["layer", HOSTILE], [[HOSTILE, 5], [":skull: [red]x", 7]])
    text = re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())  # headings are bold
    lines = text.splitlines()
    assert all(line.isprintable() for line in lines)
    assert text.count(ESCAPED) >= 2
    assert ":skull: [red]x" in text
    assert not any(line.startswith("forged") for line in lines)


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_is_valid_and_printable(value: object) -> None:
    stdout, sys.stdout = sys.stdout, io.StringIO()
    try:
        Output().print_json({"value": value})
        text = sys.stdout.getvalue()
    finally:
        sys.stdout = stdout
    assert json.loads(text) == {"value": value}
    assert text.replace("\n", "").isprintable()


def test_documents_are_unchanged_for_programs_and_escaped_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = '{\r\n\t"name": "\x9b31m\u202e\x7f"}'
    monkeypatch.setattr(sys, "stdout", file := io.StringIO())
    Output().print_document(text)
    assert file.getvalue() == text + "\n"
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    Output().print_document(text)
    assert terminal.getvalue().splitlines()[1] == r'    "name": "\x9b31m\u202e\x7f"}'


@pytest.mark.parametrize("kind", [Display, LiveDisplay])
def test_messages_of_training_are_escaped_on_the_screen_and_in_the_log(
    kind: type[Display], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    with kind() as display, Log(tmp_path / "log") as log:
        display.info(f"before {HOSTILE}")
        display.attach_log(log)
        display.warn(f"{HOSTILE} :skull:\udcff")
    for text in (screen.getvalue(), (tmp_path / "log").read_text(encoding="utf-8")):
        first, second = text.splitlines()
        assert first.endswith(f"before {ESCAPED}")
        assert second.endswith(rf"warning: {ESCAPED} :skull:\xff")


# The commands


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hostile name, in which every kind of file lies."""
    root = tmp_path_factory.mktemp("hostile") / HOSTILE
    document = write_task(root / "task", epochs=1)
    text = json.loads(document.read_text())
    document.write_text(json.dumps(text | {"description": f"{HOSTILE}\x9b"}))
    (root / "task/changed.json").write_text(json.dumps(text | {"description": "x\x9b"}))
    shutil.copy(document, root / "other.json")
    (root / "bad.json").write_text("{")
    (root / "bad.bs1").write_bytes(b"123")
    (root / "bad.net").write_bytes(b"123")
    return root


COMMANDS = [
    ("train {0}/task/tiny.json --run-dir {0}/run", 0),
    ("train --resume {0}/run", 0),
    ("train --resume {0}/task", 3),
    ("compile-and-train {0}/bad.json", 1),
    ("show {0}/task/tiny.json", 0),
    ("show {0}/run", 0),
    ("show {0}/bad.net", 1),
    ("validate {0}/bad.json {0}/none.json", 1),
    ("validate --format github {0}/bad.json", 1),
    ("validate --fix {0}/task/tiny.json", 0),
    ("diff {0}/task/changed.json {0}/run", 1),
    ("evaluate {0}/run", 0),
    ("run {0}/run {0}/task/input0.bs1 -o {0}/out.bs1", 0),
    ("run {0}/run {0}/bad.bs1", 1),
    ("export {0}/run -o {0}/a.net", 0),
    ("export {0}/run -o {0}/a.onnx", 2),
    ("import {0}/a.net -o {0}/imported", 0),
    ("import {0}/bad.net", 1),
    ("report {0}/run", 0),
    ("events show {0}/task/input0.bs1", 0),
    ("events show {0}/bad.bs1", 1),
    ("events convert {0}/task/input0.bs1 {0}/copy.npy", 0),
    ("events animate {0}/task/input0.bs1 -o {0}/a.gif --frames 2", 0),
    ("init {0}/new", 0),
    ("schema --check {0}/schema.json", 1),
    ("schema --write {0}/schema.json", 0),
    ("explain {0}", 2),
    ("{0}", 2),
    ("show --{0}", 2),
    ("show {0}/task/tiny.json --set {0}=1", 1),
]


@pytest.mark.usefixtures("short_animations")
def test_no_command_lets_a_name_control_the_terminal(netdesc: Netdesc, folder: Path) -> None:
    for line, code in COMMANDS:
        ended = netdesc(*(word.format(folder) for word in line.split()))
        assert ended.code == code, (line, ended.err)
        for text in (ended.out + ended.err).splitlines():
            assert text.isprintable(), (line, text)
            assert not text.startswith("forged"), (line, text)
    log = (folder / "run/train.log").read_text(encoding="utf-8").splitlines()
    assert log
    assert all(text.isprintable() for text in log)


def test_json_keeps_the_name(netdesc: Netdesc, folder: Path) -> None:
    ended = netdesc("events", "show", folder / "task/input0.bs1", "--json")
    assert ended.record["recordings"][0]["file"] == str(folder / "task/input0.bs1")
