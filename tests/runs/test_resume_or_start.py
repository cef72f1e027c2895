"""A run that starts or resumes by one command, and who may work in its folder."""

import errno
import json
import os
import re
import time
from pathlib import Path

import pytest
from support.cli_process import Netdesc
from support.training_task import at_epoch, read_record, weights_of, write_task

import netdesc as package
from netdesc.runs import process_lock
from netdesc.runs.errors import RunError
from netdesc.runs.process_lock import ALIVE, DEAD_AFTER_S, PROCESS_LOCK, Worker, is_at_work

HERE = Worker.here()
ELSEWHERE = HERE.model_copy(update={"host": "node7", "boot": "another", "pid": 4321})
NAMESAKE = HERE.model_copy(update={"boot": "another"})
CONTAINER = HERE.model_copy(update={"host": "pod-3"})


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task", epochs=4)


def command(task: Path, *more: str) -> list[str]:
    run = str(task.parent / "run")
    return ["train", str(task), "--run-dir", run, "--resume-or-start", "--quiet", *more]


def test_one_command_starts_resumes_and_is_done(
    task: Path, netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = package.train(task, run_dir=task.parent / "plain", progress="quiet").path
    with monkeypatch.context() as patch:
        at_epoch(patch, 2, interrupt)
        assert netdesc(*command(task)).code == 130
    assert netdesc(*command(task, "--json")).record["status"] == "done"
    run = task.parent / "run"
    assert weights_of(run) == weights_of(plain)
    before = read_record(run)
    assert len(before["resumed"]) == 1
    ended = netdesc(*command(task, "--json"))
    assert (ended.code, ended.record["best"]["epoch"]) == (0, before["best"]["epoch"] + 1)
    again = package.train(task, run_dir=run, resume_or_start=True, progress="quiet")
    assert again.status == "done"
    assert read_record(run) == before
    record = {name: before[name] for name in ("host", "boot", "ranks")}
    assert record == {"host": HERE.host, "boot": HERE.boot, "ranks": 1}


def test_another_document_is_refused_with_what_differs(task: Path, netdesc: Netdesc) -> None:
    run = task.parent / "run"
    assert netdesc(*command(task)).code == 0
    before = weights_of(run)
    other = json.loads(task.read_text())
    other["layers"][0]["units"] = 20
    other["description"] = "texts have no meaning"
    task.write_text(json.dumps(other))
    ended = netdesc(*command(task, "--set", "training.seed=3"))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "layers.0.units is 16, but 20 in the document" in ended.err
    assert "training.seed is 0, but 3 in the document" in ended.err
    assert f"netdesc train --resume {run}" in ended.err
    assert "description" not in ended.err
    assert weights_of(run) == before


def test_values_that_no_document_writes_may_differ(task: Path, netdesc: Netdesc) -> None:
    """As training found them, or an older netdesc had other defaults."""
    document = json.loads(task.read_text())
    del document["layers"][0]["weight_scale"]
    document["layers"][1]["weight_scale"] = "auto"
    del document["training"]["optimizer"]["learning_rate"]
    task.write_text(json.dumps(document))
    assert netdesc(*command(task)).code == 0
    run = task.parent / "run"
    lock = json.loads((run / "network.lock.json").read_text())
    found = [lock["lock"]["origins"][f"/layers/{layer}/weight_scale"] for layer in (0, 1)]
    assert found == ["found", "found"]
    lock["training"]["optimizer"]["eps"] = 1e-5
    (run / "network.lock.json").write_text(json.dumps(lock))
    assert netdesc(*command(task)).code == 0


def test_wrong_options_are_one_message(task: Path, netdesc: Netdesc) -> None:
    for name, *arguments in (
        ["train", task],
        ["train", "--resume", task],
        ["compile-and-train", "--run-dir", task],
    ):
        assert netdesc(name, *map(str, arguments), "--resume-or-start").code == 2
    with pytest.raises(ValueError, match="run_dir"):
        package.train(task, resume_or_start=True, progress="quiet")
    assert os.listdir(task.parent.parent) == ["task"]


# Who works in a folder


def leave(run: Path, worker: Worker, age_s: float | None) -> None:
    """Writes what a process that is gone, or on another machine, has left in the folder."""
    (run / PROCESS_LOCK).write_text(worker.model_dump_json())
    if age_s is not None:
        (run / ALIVE).touch()
        os.utime(run / ALIVE, (time.time() - age_s,) * 2)


@pytest.mark.parametrize(
    ("worker", "age_s", "has_locks", "at_work"),
    [
        (ELSEWHERE, 20, True, True),
        (ELSEWHERE, DEAD_AFTER_S + 20, True, False),
        (ELSEWHERE, None, True, False),
        (ELSEWHERE, 20, False, True),
        (NAMESAKE, 20, True, True),
        (HERE, 20, True, False),
        (HERE, 20, False, True),
        (HERE, DEAD_AFTER_S + 20, False, False),
        (CONTAINER, 20, True, False),
        (CONTAINER, 20, False, True),
    ],
)
def test_locks_decide_on_one_machine_and_else_the_age_of_a_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    worker: Worker,
    age_s: float | None,
    has_locks: bool,
    at_work: bool,
) -> None:
    leave(tmp_path, worker, age_s)
    if not has_locks:
        fcntl = pytest.importorskip("fcntl")

        def refuse(file: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: 9e9)  # this machine's clock does not matter
        assert is_at_work(tmp_path) is at_work
    if at_work:
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(RunError) as error, process_lock.lock_folder(tmp_path):
            pass
        assert error.value.exit_code == 2
        assert f"process {worker.pid} on host {worker.host}" in str(error.value)
        assert re.search(r"try again in 2[678]\d s", str(error.value))
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
        return
    with process_lock.lock_folder(tmp_path):
        assert is_at_work(tmp_path)
        assert Worker.model_validate_json((tmp_path / PROCESS_LOCK).read_text()) == HERE
    assert os.listdir(tmp_path) == [PROCESS_LOCK]
    assert not is_at_work(tmp_path)


def test_a_worker_on_another_machine_is_waited_for_until_it_shows_life_or_counts_as_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_lock, "_POLLED_EVERY_S", 0.01)
    monkeypatch.setattr(process_lock, "TOUCHED_EVERY_S", 0.01)
    messages: list[str] = []
    leave(tmp_path, ELSEWHERE, DEAD_AFTER_S - 0.3)
    with process_lock.lock_folder(tmp_path, wait=messages.append):
        os.utime(tmp_path / ALIVE, (0, 0))
        deadline = time.monotonic() + 20
        while (tmp_path / ALIVE).stat().st_mtime == 0:  # until it is touched again
            assert time.monotonic() < deadline
            time.sleep(0.01)
    leave(tmp_path, ELSEWHERE, 20)

    def touch(message: str) -> None:
        messages.append(message)
        (tmp_path / ALIVE).touch()

    with (
        pytest.raises(RunError, match="host node7"),
        process_lock.lock_folder(tmp_path, wait=touch),
    ):
        pass
    assert "host node7" in messages[-1]


@pytest.mark.parametrize("text", ["", "\0", "{", "12345\n", '{"pid": "x"}', "[" * 9000])
def test_any_content_of_a_lock_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / PROCESS_LOCK).write_text(text)
    with process_lock.lock_folder(tmp_path):
        assert (tmp_path / ALIVE).exists()


def test_the_job_of_a_scheduler_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"SLURM_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "3", "SKYPILOT_TASK_ID": "p" * 999}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    job = Worker.here(4)
    assert job.ranks == 4
    assert job.job.items() >= (variables | {"SKYPILOT_TASK_ID": "p" * 200}).items()
