"""The folder of a run: its files, its lock, and links, which nothing is written through."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli_process import Netdesc
from support.training_task import at_epoch, read_record, train_task, write_task

import netdesc as package
from netdesc.runs import folder, process_lock
from netdesc.runs.errors import RunError, StorageError
from netdesc.runs.process_lock import ALIVE, PROCESS_LOCK
from netdesc.training.progress import Log

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links need a permission on Windows")


def test_a_log_that_cannot_grow_is_an_error(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Log(tmp_path / "train.log") as log:
        log.write("one")
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            with pytest.raises(StorageError, match=r"train\.log"):
                log.write("two")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def contents(parent: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(parent)): path.read_bytes()
        for path in parent.rglob("*")
        if path.is_file()
    }


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    run, mine = tmp_path / "run", tmp_path / "mine"
    with process_lock.create(run, "document", "record", "lock"):
        pass
    mine.mkdir()
    (mine / "network.json").write_text("mine")
    before = contents(tmp_path)
    refusals = {run: "--resume continues", mine: "is not empty", mine / "network.json": "is a file"}
    for path, message in refusals.items():
        with (
            pytest.raises(RunError, match=message) as error,
            process_lock.create(path, "other", "other", "other"),
        ):
            pass
        assert error.value.exit_code == 2
    assert contents(tmp_path) == before


def test_a_folder_whose_run_was_killed_before_its_lock_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("12345\n")
    (tmp_path / "network.json").write_text("document")
    (tmp_path / "run.json").write_text("record")
    (tmp_path / ".network.lock.json.0123456789ab.json").write_text("lo")
    with pytest.raises(RunError, match="is no run"):
        folder.lock_of(tmp_path)
    with process_lock.create(tmp_path, "document", "record", "lock"):
        assert (tmp_path / "network.lock.json").read_text() == "lock"
        assert not list(tmp_path.glob(".network*"))


def test_a_folder_without_a_run_is_not_resumed(tmp_path: Path) -> None:
    file = tmp_path / "network.json"
    file.write_text("{}")
    with pytest.raises(RunError, match=r"network\.json is a file; name the folder of a run"):
        folder.lock_of(file)
    with pytest.raises(RunError, match="no such run"):
        folder.lock_of(tmp_path / "nowhere")


def test_two_processes_cannot_lock_one_folder(tmp_path: Path) -> None:
    script = "import sys; from netdesc.runs.process_lock import lock_folder\n"
    script += "from pathlib import Path\n"
    script += "with lock_folder(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()\n"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(RunError, match=f"another process.*{other.pid}"),
            process_lock.lock_folder(tmp_path),
        ):
            pass
        other.kill()
    with process_lock.lock_folder(tmp_path):  # the lock of a dead process is no lock
        pass


def test_a_folder_without_locks_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with process_lock.lock_folder(tmp_path):
        assert sorted(os.listdir(tmp_path)) == [PROCESS_LOCK, ALIVE]


def test_two_runs_at_once_have_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = iter(["1a2b", "1a2b", "3c4d"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(drawn))
    monkeypatch.setattr("time.strftime", lambda _: "20260131-120000")
    names = [folder.make_default("net").name for _ in range(2)]
    assert names == ["20260131-120000-1a2b", "20260131-120000-3c4d"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with (
        pytest.raises(StorageError, match="permission denied"),
        process_lock.create(tmp_path / "run", "document", "record", "lock"),
    ):
        pass


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a task and of a run that can be resumed."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patch:
        at_epoch(patch, 2, interrupt)
        assert train_task(folder).status == "interrupted"
    return folder


@pytest.fixture
def run(interrupted: Path, tmp_path: Path) -> Path:
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def move_out(run: Path, name: str) -> Path:
    """Moves a file or folder of the run out of it and leaves a link; returns the new path."""
    outside = run.parent / "outside" / name
    outside.parent.mkdir(parents=True)
    (run / name).rename(outside)
    (run / name).symlink_to(outside)
    return outside


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("run.json", ["train --resume run", "report run"]),
        ("network.lock.json", ["train --resume run", "report run", "evaluate run", "show run"]),
        ("metrics.jsonl", ["train --resume run", "report run --csv"]),
        ("train.log", ["train --resume run"]),
        (".lock", ["train --resume run"]),
        ("checkpoints/last.state", ["train --resume run"]),
        ("checkpoints/best.safetensors", ["evaluate run", "export run -o a.net"]),
        ("checkpoints", ["train --resume run", "evaluate run"]),
    ],
)
def test_a_link_is_refused_and_what_it_leads_to_stays(
    netdesc: Netdesc, run: Path, name: str, commands: list[str]
) -> None:
    outside = move_out(run, name)
    files = [path for path in (outside, *outside.rglob("*")) if path.is_file()]
    before = [path.read_bytes() for path in files]
    for command in commands:
        outcome = netdesc(*(str(run) if word == "run" else word for word in command.split()))
        assert (outcome.code, outcome.err.count("\n")) == (1, 1), outcome
        assert f"{run / name} is a symbolic link" in outcome.err
    assert [path.read_bytes() for path in files] == before


def test_links_in_the_path_to_the_folder_are_followed(netdesc: Netdesc, run: Path) -> None:
    (run.parent / "direct").symlink_to(run)
    assert netdesc("report", run.parent / "direct").code == 0
    assert netdesc("train", "--resume", run.parent / "direct", "--quiet").code == 0


def test_a_link_that_appears_during_training_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    outside.mkdir()

    def link() -> None:
        (run / "checkpoints").rename(tmp_path / "moved")
        (run / "checkpoints").symlink_to(outside)

    at_epoch(monkeypatch, 3, link)
    with pytest.raises(RunError, match="checkpoints"):
        package.train(write_task(tmp_path / "task"), run_dir=run, progress="quiet")
    assert list(outside.iterdir()) == []
    assert read_record(run)["status"] == "failed"
