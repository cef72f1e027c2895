"""Findings as GitHub Actions reads them: nothing of a document is taken for a command or markup."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import BASE, UNHURRIED, write_files

from netdesc.description.diagnostics.diagnostic import Diagnostic
from netdesc.description.diagnostics.github import workflow_command
from netdesc.description.diagnostics.wording import visible

ROOT = Path("/checkout")
ANY_TEXT = st.text(max_size=40) | st.sampled_from(
    ["::error::", "a%0Ab", "a\r\n::add-mask::b", "a,b:c=d", "| x |", "<b>", "**b**", "[a](b)", "`"]
)


def _parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner takes it apart."""
    assert "\n" not in line
    assert "\r" not in line
    assert line.startswith("::")
    head, _, data = line[2:].partition("::")
    name, _, given = head.partition(" ")
    properties = {}
    for each in given.split(","):
        key, _, value = each.partition("=")
        properties[key] = _decoded(value, ("%3A", ":"), ("%2C", ","))
    return name, properties, _decoded(data)


def _decoded(text: str, *more: tuple[str, str]) -> str:
    for code, sign in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(code, sign)
    return text


def _diagnostic(message="m", **more) -> Diagnostic:
    place = {"line": 3, "column": 5, "end_line": 3, "end_column": 9} | more
    return Diagnostic("ND101", "error", "/checkout/nets/a.json", message, **place)


def test_a_finding_is_one_command_with_its_place():
    diagnostic = _diagnostic("unknown field", hint="did you mean that?", notes=("allowed: a, b",))
    line = workflow_command(diagnostic, ROOT)
    assert line == (
        "::error file=nets/a.json,line=3,endLine=3,col=5,endColumn=8,title=netdesc ND101::"
        "unknown field%0Adid you mean that?%0Aallowed: a, b%0Anetdesc explain ND101"
    )


def test_a_finding_without_a_place_and_one_from_the_command_line():
    whole = Diagnostic("ND001", "error", "/elsewhere/a.json", "gone")
    given = Diagnostic("ND112", "warning", "/checkout/a.json", "no field", override="a=1")
    lines = [_parsed(workflow_command(each, ROOT)) for each in (whole, given)]
    assert lines[0][1] == {"file": "/elsewhere/a.json", "title": "netdesc ND001"}
    assert lines[1][0] == "warning"
    assert lines[1][2].startswith("--set a=1: no field\n")


@UNHURRIED
@given(message=ANY_TEXT, hint=ANY_TEXT, file=ANY_TEXT)
def test_whatever_a_document_holds_it_makes_one_command(message, hint, file):
    diagnostic = Diagnostic("ND101", "error", f"/checkout/x{file}", message, hint=hint, line=1)
    line = workflow_command(diagnostic, ROOT)
    name, properties, told = _parsed(line)
    assert name == "error"
    assert set(properties) == {"file", "line", "endLine", "title"}
    assert told.split("\n")[0] == visible(message) or not message
    assert told.endswith("netdesc explain ND101")


def test_the_command_prints_workflow_commands(netdesc, tmp_path, monkeypatch):
    write_files(tmp_path)
    folder = tmp_path / "nets"
    folder.mkdir()
    document = BASE.replace('"threshold"', '"treshold"').replace("input.bs1", "../input.bs1")
    (folder / "a.json").write_text(document.replace("target.bs1", "../target.bs1"))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(folder)
    ended = netdesc("validate", "a.json", "--format", "github")
    assert ended.code == 1
    (line,) = ended.out.splitlines()
    assert line.startswith("::error file=nets/a.json,line=12,endLine=12,col=30,endColumn=39,")
    assert ended.err == "netdesc: 1 error in 1 file\n"
    assert netdesc("validate", "a.json", "--json", "--format", "github").code == 2


def test_files_are_named_from_the_workspace_through_links_too(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.json").write_text("{}")
    os.symlink(tmp_path / "real", tmp_path / "link")
    for file, name in (("link/a.json", "a.json"), ("real/a.json", "a.json"), ("b/a.json", None)):
        whole = Diagnostic("ND001", "error", str(tmp_path / file), "gone")
        properties = _parsed(workflow_command(whole, tmp_path / "link"))[1]
        assert properties["file"] == (name or whole.file)
