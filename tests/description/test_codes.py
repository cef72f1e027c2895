"""Every code has an example that fails and a twin that passes, and none is emitted unexplained."""

import os
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.description_samples import BASE, base_of, codes, findings, with_text, write_files

import netdesc
from netdesc.api.load import check
from netdesc.data.array_files import MAX_UNPACKED_BYTES
from netdesc.data.array_samples import MAX_CHECKED_BYTES
from netdesc.description import explain, render_text
from netdesc.description.codes import ENTRIES
from netdesc.description.json.tree import MAX_DEPTH
from netdesc.description.models.arrays import MAX_REAL_INPUT
from netdesc.description.source import MAX_BYTES, MAX_MARKS, may_be_document
from netdesc.exchange import NetFileError


def _in_a_document(entry, text: str, encoding: str, directory: Path):
    base = base_of(entry)
    whole = with_text(entry.at, text, base) if entry.at else text
    return findings(directory, whole.encode(encoding))


def _by_a_command(text: str, directory: Path):
    write_files(directory)
    (directory / "network.json").write_text(BASE)
    (directory / "recording.json").write_bytes(BASE.encode() + b" " * MAX_BYTES)
    program, command, name = text.split()
    assert (program, command) == ("netdesc", "validate")
    return check(directory / name)[1]


EXPORTS = {"ND401": ".net", "ND406": ".nir", "ND408": ".c"}
"""Code of a network that a format cannot hold -> the end of the names of its files."""


def _by_export(entry, text: str, directory: Path):
    write_files(directory)
    (directory / "network.json").write_text(with_text(entry.at, text))
    try:
        netdesc.export(directory / "network.json", directory / f"network{EXPORTS[entry.code]}")
    except NetFileError as error:
        return [SimpleNamespace(code=str(error)[-6:-1], severity="error")]
    return []


def _example(entry, text: str, directory: Path, encoding: str = "utf-8"):
    if entry.code in EXPORTS:
        return _by_export(entry, text, directory)
    if entry.at == "command":
        return _by_a_command(text, directory)
    if entry.at == "--set":
        return findings(directory, BASE, text)
    return _in_a_document(entry, text, encoding, directory)


FINDINGS = [entry for code, entry in ENTRIES.items() if code > "ND400" and code not in EXPORTS]


@pytest.mark.parametrize("entry", FINDINGS, ids=lambda entry: entry.code)
def test_examples_of_what_training_finds_are_valid_documents(entry, tmp_path):
    """Whether a network learns is known at the end of training."""
    assert entry.severity == "warning" or entry.code == "ND403"  # this one begins no training
    for text in (entry.wrong, entry.right) if entry.at != "command" else ():
        assert [each for each in _example(entry, text, tmp_path) if each.is_error] == []


@pytest.mark.parametrize(
    "entry", [each for each in ENTRIES.values() if each not in FINDINGS], ids=lambda each: each.code
)
def test_the_wrong_example_has_the_code_and_the_right_one_has_no_diagnostics(entry, tmp_path):
    wrong = _example(entry, entry.wrong, tmp_path, entry.encoding)
    assert set(codes(wrong)) == {entry.code}
    assert {each.severity for each in wrong} == {entry.severity}
    assert _example(entry, entry.right, tmp_path) == []


def test_a_file_that_is_not_there(tmp_path):
    write_files(tmp_path)
    for path in (tmp_path / "absent.json", tmp_path, tmp_path / "a\0b", tmp_path / ("x" * 5000)):
        description, found = check(path)
        assert description is None
        assert codes(found) == ["ND001"]
        assert "Traceback" not in render_text(found)


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_a_pipe_is_not_opened_but_where_the_shell_did(tmp_path):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    assert may_be_document(pipe)
    (diagnostic,) = check(pipe)[1]
    assert diagnostic.message == "cannot read the file: it is not a regular file"
    assert codes(check(os.devnull)[1]) == ["ND001"]
    write_files(tmp_path)
    end, start = os.pipe()
    os.write(start, BASE.encode())
    os.close(start)
    (diagnostic, *_) = check(f"/dev/fd/{end}")[1]
    os.close(end)
    assert diagnostic.code == "ND301"  # its files are looked for beside it


def test_the_folder_of_a_run_names_its_lock(tmp_path):
    for expected in ("", f'did you mean "{tmp_path / "network.lock.json"}"?'):
        (diagnostic,) = check(tmp_path)[1]
        assert (diagnostic.code, diagnostic.hint) == ("ND001", expected)
        (tmp_path / "network.lock.json").write_text(BASE)


def test_every_code_in_the_source_is_explained():
    folder = Path(netdesc.__file__).parent
    used = {
        code for path in folder.rglob("*.py") for code in re.findall(r"ND\d{3}", path.read_text())
    }
    assert used == set(ENTRIES)


LIMITS = {
    "ND005": (f"{MAX_BYTES >> 20} MiB", f"{MAX_MARKS:,} values"),
    "ND006": (f"at most {MAX_DEPTH}",),
    "ND320": (f"{MAX_CHECKED_BYTES >> 20} MiB",),
    "ND331": (f"±{MAX_REAL_INPUT}",),
    "ND321": (f"{MAX_CHECKED_BYTES >> 20} MiB",),
    "ND324": (f"{MAX_UNPACKED_BYTES >> 30} GiB",),
}  # fmt: skip


@pytest.mark.parametrize("code", LIMITS)
def test_the_texts_have_the_limits_of_the_code(code):
    assert all(limit in ENTRIES[code].cause for limit in LIMITS[code])


@pytest.mark.parametrize("code", ENTRIES)
def test_explain_shows_cause_example_and_fix(code):
    text = explain(code.lower())
    entry = ENTRIES[code]
    assert text.startswith(f"{code}: {entry.title}")
    assert " ".join(entry.cause.split()) in " ".join(text.split())
    for example in (entry.wrong, entry.right):
        assert textwrap.indent(example, "    ") in text
    assert max(len(line) for line in text.splitlines()) <= 110


def test_without_a_code_all_are_listed(netdesc):
    lines = netdesc("explain").out.splitlines()
    assert [line.split("  ")[0] for line in lines] == sorted(ENTRIES)
    assert "ND101  an unknown field" in lines
    given = netdesc("explain", "--json").record
    assert [each["code"] for each in given["codes"]] == sorted(ENTRIES)
    assert {"code": "ND101", "title": "an unknown field"} in given["codes"]
    assert netdesc("explain", "nd101", "--json").record["cause"] == ENTRIES["ND101"].cause
