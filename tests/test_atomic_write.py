"""Regular files are replaced atomically, also through links; anything else is refused."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from support.cli_process import exit_code

from netdesc.atomic_write import NoFileError, atomic_path, remove_abandoned
from netdesc.events import from_dense, read_events, write_events

SPIKES = from_dense(np.eye(3), 1.0)


def write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, is_there: bool) -> None:
    target = tmp_path / "store" / "real"
    target.parent.mkdir()
    if is_there:
        target.write_text("older")
    (tmp_path / "middle").symlink_to(target)
    link = tmp_path / "named.txt"
    link.symlink_to("middle")
    write(link, "newer")
    assert link.is_symlink()
    assert (tmp_path / "middle").is_symlink()
    assert target.read_text() == "newer"
    assert [each.name for each in target.parent.iterdir()] == ["real"]


def test_the_temporary_file_has_the_suffix_of_the_given_path(tmp_path: Path) -> None:
    """numpy would add a missing suffix and write into another file."""
    (tmp_path / "a.npy").symlink_to(tmp_path / "plain")
    write_events(tmp_path / "a.npy", SPIKES)
    assert len(read_events(tmp_path / "a.npy")) == 3
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.npy", "plain"]


def test_a_link_to_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "network.json"
    document.write_text("{}")
    (tmp_path / "r.html").symlink_to(document)
    with pytest.raises(NoFileError):
        write(tmp_path / "r.html", "newer")
    assert document.read_text() == "{}"


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.txt"
    with pytest.raises(OSError, match=r"a\.txt'") as caught, atomic_path(path):
        pass
    assert caught.value.filename == str(path)
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match=r"a\.txt'") as caught, atomic_path(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(path)


def test_temporary_files_of_killed_processes_are_deleted(tmp_path: Path) -> None:
    for name in (".a.txt.0123456789ab.txt", ".lock", "a.txt"):
        (tmp_path / name).write_text("half")
    remove_abandoned(tmp_path)
    remove_abandoned(tmp_path / "missing")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a.txt"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a pipe", "device"])
def test_folders_pipes_and_devices_are_refused_and_stay(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to(os.devnull)
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
    before = path.lstat()
    with pytest.raises(NoFileError, match="is a folder" if kind == "folder" else "no regular"):
        write(path, "text")
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_commands_report_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_events(tmp_path / "a.bs1", SPIKES)
    os.mkfifo(tmp_path / "p.npy")
    arguments = [str(tmp_path / "a.bs1"), str(tmp_path / "p.npy"), "--force"]
    assert exit_code("events", "convert", *arguments) == 1
    said = capsys.readouterr().err
    assert "is no regular file; name a file that may be replaced" in said
    assert said.count("\n") == 1
