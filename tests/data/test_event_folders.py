"""Folders of recordings: a folder a class, found and checked without reading all of them."""

import json
from pathlib import Path

import pytest
from support.description_samples import LABELLED, codes, findings
from support.idx_samples import write_recordings

from netdesc.api.load import load
from netdesc.data.recordings import class_files
from netdesc.description import lock_text


def _document(**data: object) -> str:
    document = json.loads(LABELLED)
    folders = {part: {"path": part} for part in ("train", "test")}
    document["data"] = {"type": "event_folders", **folders, **data}
    document["input"]["shape"] = [2, 2, 3]
    document["layers"].insert(0, {"name": "flat", "type": "flatten"})
    return json.dumps(document)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_recordings(tmp_path, {"train": 3, "test": 2}, ("left", "right"))
    return tmp_path


def test_classes_are_sorted_by_value_if_all_are_numbers(tmp_path: Path) -> None:
    write_recordings(tmp_path, {"a": 2}, ("10", "9", "0"))
    (tmp_path / "a/empty").mkdir()
    (tmp_path / "a/9/notes.txt").write_text("no events")
    (tmp_path / "a/top.bin").write_bytes(b"")
    found = class_files(tmp_path / "a")
    assert list(found) == ["0", "9", "10"]
    assert [path.name for path in found["9"]] == ["00000.bin", "00001.bin"]
    (tmp_path / "a/x").mkdir()
    (tmp_path / "a/x/1.bs2").write_bytes(bytes(5))
    assert list(class_files(tmp_path / "a")) == ["0", "10", "9", "x"]


def test_a_cut_file_is_named(folder: Path) -> None:
    path = folder / "train/right/00001.bin"
    path.write_bytes(path.read_bytes()[:-1])
    (found,) = findings(folder, _document())
    assert (found.code, found.pointer) == ("ND304", "/data/train/path")
    assert found.message.startswith("train/right/00001.bin ")


def test_the_first_recording_of_a_class_is_looked_at(folder: Path) -> None:
    (folder / "test/left/00000.bin").write_bytes(bytes([200, 200, 0, 0, 0]))
    (found,) = findings(folder, _document())
    assert (found.code, found.pointer) == ("ND307", "/data/test/path")


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({"train": {"path": "train/left"}}, "ND327", "train/left has no folder with event files"),
        ({"train": {"path": "absent"}}, "ND301", "there is no folder absent"),
        ({"train": {"path": "network.json"}}, "ND305", "not a folder of event files: it is a file"),
        ({"train": {"path": "train", "sha256": "0" * 64}}, "ND303", "another SHA-256"),
    ],
)
def test_folders_that_do_not_fit(folder: Path, data: dict, code: str, message: str) -> None:
    found = findings(folder, _document(**data, test=None))
    assert codes(found) == [code]
    assert message in found[0].message


def test_classes_beyond_the_outputs_and_of_the_test_alone(folder: Path) -> None:
    write_recordings(folder, {"test": 1}, ("up",))
    (found,) = findings(folder, _document())
    assert (found.code, found.pointer) == ("ND328", "/data/test/path")
    write_recordings(folder, {"train": 1}, ("up",))
    found = findings(folder, _document(test=None))
    assert codes(found) == ["ND316"]


def test_the_lock_holds_a_checksum_of_names_and_contents(folder: Path) -> None:
    path = folder / "document.json"
    path.write_text(_document(test=None))
    seen = set()
    for change in (lambda: None, lambda: None, lambda: (folder / "train/left/00000.bin").rename(
        folder / "train/left/00009.bin"
    ), lambda: (folder / "train/right/00000.bin").write_bytes(bytes(5))):  # fmt: skip
        change()
        (entry,) = json.loads(lock_text(load(path), folder, {}))["lock"]["files"]
        seen.add(entry["sha256"])
    assert len(seen) == 3
