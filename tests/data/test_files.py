"""Data and weights files that a document refers to."""

import hashlib
import os

import pytest
from support.description_samples import BASE, codes, findings, with_text, write_files

from netdesc.api.load import check

INPUT = "/data/train/0/input/path"


def _with(directory, name: str, content: bytes, pointer: str = INPUT, base: str = BASE):
    (directory / name).write_bytes(content)
    return findings(directory, with_text(pointer, f'"{name}"', base))


def test_the_finding_is_at_the_path_and_says_where_it_looked(tmp_path):
    (diagnostic,) = findings(tmp_path, with_text(INPUT, '"sub/absent.bs1"'))
    assert (diagnostic.code, diagnostic.pointer) == ("ND301", INPUT)
    assert diagnostic.lacks_data
    assert str(tmp_path / "sub/absent.bs1") in diagnostic.notes[0]
    assert (
        diagnostic.excerpt[diagnostic.column - 1 : diagnostic.end_column - 1] == '"sub/absent.bs1"'
    )


@pytest.mark.parametrize(
    ("name", "size", "code"),
    [
        ("a.bs1", 5, None),
        ("a.bs1", 6, "ND304"),
        ("a.bs2", 5, None),
        ("a.bs2", 0, "ND307"),
        ("a.BS1", 5, None),
        ("a.txt", 5, "ND305"),
    ],
)
def test_suffix_and_length(name, size, code, tmp_path):
    assert codes(_with(tmp_path, name, bytes(size))) == ([code] if code else [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04\xf7", "a zip archive, such as an .npz file"),
        (b"\x89HDF\r\n\x1a\n", "an hdf5 file, such as a"),
    ],
)
def test_other_files_are_called_what_they_are(content, words, tmp_path):
    (tmp_path / "a.x").write_bytes(content)
    _, (diagnostic,) = check(tmp_path / "a.x")
    assert diagnostic.code == "ND003"
    assert words in diagnostic.message
    assert diagnostic.message.endswith("not a document")
    assert diagnostic.excerpt == ""


def test_sha256(tmp_path):
    write_files(tmp_path)
    right = hashlib.sha256((tmp_path / "input.bs1").read_bytes()).hexdigest()
    assert findings(tmp_path, with_text("/data/train/0/input/sha256", f'"{right}"')) == []
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    (diagnostic,) = findings(tmp_path, with_text("/data/train/0/input/sha256", f'"{wrong}"'))
    assert (diagnostic.code, diagnostic.pointer) == ("ND303", INPUT)
    assert right in diagnostic.notes[0]
    upper = with_text("/data/train/0/input/sha256", f'"{"A" * 64}"')
    assert codes(findings(tmp_path, upper)) == ["ND109"]


def test_weights_are_checked_too(tmp_path):
    assert codes(findings(tmp_path, with_text("/weights", '{"path": "w.net"}'))) == ["ND301"]
    (tmp_path / "w.net").write_bytes(b"x")
    assert findings(tmp_path, with_text("/weights", '{"path": "w.net"}')) == []
    assert codes(findings(tmp_path, with_text("/weights", '{"path": "input.bs1"}'))) == ["ND305"]


def test_what_is_no_ordinary_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.bs1")
    (diagnostic,) = findings(tmp_path, with_text(INPUT, '"pipe.bs1"'))
    assert diagnostic.code == "ND302"
    for name in ("a\\u0000b.bs1", "x" * 300 + ".bs1"):
        assert codes(findings(tmp_path, with_text(INPUT, f'"{name}"'))) == ["ND302"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    write_files(tmp_path)
    (tmp_path / "input.bs1").chmod(0)
    assert codes(findings(tmp_path, BASE)) == ["ND302"]


def test_all_samples_are_checked(tmp_path):
    pair = '{"input": {"path": "cut.bs1"}, "target": {"path": "empty.bs1"}}'
    text = with_text("/data/validation", f"[{pair}, {pair}]")
    found = findings(tmp_path, text)
    assert [(each.code, each.pointer) for each in found] == [
        ("ND304", "/data/validation/0/input/path"),
        ("ND306", "/data/validation/0/target/path"),
        ("ND304", "/data/validation/1/input/path"),
        ("ND306", "/data/validation/1/target/path"),
    ]


def test_paths_are_relative_to_the_file_not_to_the_working_directory(tmp_path, monkeypatch):
    write_files(tmp_path)
    (tmp_path / "network.json").write_text(BASE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert check("../network.json")[1] == []
