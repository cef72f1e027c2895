"""Processes that train together: the same bits, one message if one fails, restarts and signals."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import rank_processes
from support.classify_task import samples, write_arrays
from support.cli_process import exit_code
from support.training_task import untimed_metrics
from training.test_shards import CLIP, EVENT_RATE, FAST, MEAN, PLATEAU, SLOW, pictures

Ended = dict[str, tuple[list[int], list[str]]]

ALL = (
    PLATEAU, CLIP, EVENT_RATE, MEAN, "neurons.cuba.dropout=0.3",
    'neurons.cuba.norm="mean_variance"', "training.epochs=2", "training.checkpoint_every_s=0",
)  # fmt: skip


def command(document: Path, run: Path, *sets: str, engine: str = "reference") -> list[str]:
    sets = ("training.shards=4", *sets)
    options = [option for text in sets for option in ("--set", text)]
    return ["train", str(document), "--run-dir", str(run), "--engine", engine, *options]


def run_cases(folder: Path, cases: dict[str, Any]) -> Ended:
    (folder / "cases.json").write_text(json.dumps(cases))
    host = [sys.executable, rank_processes.__file__, str(folder)]
    tests = str(Path(rank_processes.__file__).parents[1])
    subprocess.run(host, check=True, env=os.environ | {"PYTHONPATH": tests, "NETDESC_WAIT_S": "60"})
    return json.loads((folder / "ended.json").read_text())


def bits(run: Path) -> Any:
    weights = (run / "checkpoints/last.safetensors").read_bytes()
    return hashlib.sha256(weights).hexdigest(), untimed_metrics(run)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """The runs of all fast cases."""
    folder = tmp_path_factory.mktemp("ranks")
    task, other = pictures(folder / "task"), pictures(folder / "other")
    others = samples(60)[0].reshape(60, 1, 3, 3)[:, :, ::-1].copy()
    write_arrays(other.with_name("data.npz"), inputs=others)

    def by(run: str, size: int, *sets: str, file: Path = task) -> list[list[str]]:
        return [command(file, folder / run, *ALL, *sets)] * size

    resume = ["train", "--resume", str(folder / "killed"), "--engine", "reference"]
    refused, same = folder / "refused", by("refused", 1)
    cases: dict[str, Any] = {
        "one": {"commands": by("one", 1)},
        "two": {"commands": by("two", 2), "slurm": True},
        "killed": {"commands": by("killed", 2), "killed": 1, "at": 9},
        "resumed": {"commands": [resume] * 4},
        "full": {"commands": by("full", 2), "full": 0, "at": 3},
        "divide": {"commands": by("refused", 3)},
        "document": {"commands": [*same, *by("refused", 1, "training.seed=3")]},
        "data": {"commands": [*same, command(other, refused, *ALL)]},
        "never": {"commands": same, "size": 2, "set": {"NETDESC_WAIT_S": "0.5"}},
        "gpu": {"commands": by("refused", 2), "one gpu": True},
        "number": {"commands": same, "set": {"RANK": "x"}, "slurm": True},
        "group": {"commands": [[str(task), str(folder / "group")]] * 2, "group": True},
    }
    return folder, run_cases(folder, cases)


def test_any_number_of_processes_has_the_same_bits(tried: tuple[Path, Ended]) -> None:
    folder, ended = tried
    for name, size in {"one": 1, "two": 2, "resumed": 4}.items():
        codes, (_, *others) = ended[name]
        assert codes == [0] * size, ended[name]
        assert others == [""] * (size - 1), "only the first one prints"
        assert bits(folder / ("killed" if name == "resumed" else name)) == bits(folder / "one")
    assert json.loads((folder / "two/run.json").read_text())["ranks"] == 2


def test_a_group_of_the_users_program_is_joined(tried: tuple[Path, Ended]) -> None:
    folder, ended = tried
    codes, outputs = ended["group"]
    assert codes == [0, 0], outputs
    assert [text.split() for text in outputs] == [["called"] * 2 + ["sum", "2"], ["sum", "2"]]
    assert bits(folder / "group") == bits(folder / "group-2")
    assert json.loads((folder / "group/run.json").read_text())["stopped_by_callback"]


@pytest.mark.parametrize(
    ("name", "codes", "text"),
    [
        ("killed", [75, -9], "rank 1 (process"),
        ("full", [3, 3], "cannot write"),
        ("divide", [2] * 3, "take 1 or 2 or 4"),
        ("document", [2, 2], "another document"),
        ("data", [2, 2], "another inputs of training samples"),
        ("never", [75], "rank 1 of 2 processes did not join within 0.5 s"),
        ("number", [2], "RANK x"),
        ("gpu", [3, 3], "ranks 0 and 1 would share one GPU"),
    ],
)
def test_one_process_says_why_all_end(
    name: str, codes: list[int], text: str, tried: tuple[Path, Ended]
) -> None:
    folder, ended = tried
    assert ended[name][0] == codes, ended[name]
    errors = [line for line in "".join(ended[name][1]).splitlines() if "error" in line]
    assert len(errors) == 1, ended[name]
    assert text in errors[0]
    assert not (folder / "refused").exists()
    assert ("--resume" in errors[0]) == (name in ("killed", "full"))


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs --processes with a script in the place of Python. Returns exit code and its calls."""

    def run(script: str, *arguments: str) -> tuple[int, str]:
        program, calls = tmp_path / "python", tmp_path / "calls"
        program.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$RANK $@" >> calls\n{script}')
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        options = ["train", "d.json", "--processes", "2", *arguments]
        monkeypatch.setattr(sys, "argv", ["netdesc", *options])
        return exit_code(*options), calls.read_text() if calls.exists() else ""

    return run


def test_a_killed_process_restarts_all(launched: Any, tmp_path: Path) -> None:
    script = "mkdir -p run; touch run/network.lock.json; [ -e s$RANK ] && exit 0; touch s$RANK\n"
    script += "[ $RANK = 1 ] && kill -9 $$; sleep 0.2; exit 75"
    run = "--run-dir", str(tmp_path / "run")
    code, calls = launched(script, *run, "--max-restarts", "2")
    assert code == 0
    assert ["--resume-or-start" in call for call in calls.splitlines()] == [0, 0, 1, 1]
    for name in ("s0", "s1"):
        (tmp_path / name).unlink()
    assert launched(script, *run)[0] == 75
    assert launched("exit 0", "--max-restarts", "2")[0] == 2, "the folder has no name"


def test_a_failure_restarts_nothing_and_a_signal_is_passed_on(launched: Any) -> None:
    code, calls = launched("exit 4", "--run-dir", "run", "--max-restarts", "2")
    assert (code, len(calls.splitlines())) == (4, 2)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    assert launched("trap 'exit 75' TERM; sleep 20 & wait; exit 0")[0] == 75


@pytest.mark.slow
@pytest.mark.parametrize("name", {**FAST, **SLOW})
def test_all_cases_have_the_same_bits_in_processes(name: str, tmp_path: Path) -> None:
    write, sets = {**FAST, **SLOW}[name]
    task = write(tmp_path / "task")
    sizes = {"one": 1, "two": 2, "four": 4}
    cases = {
        run: {"commands": [command(task, tmp_path / run, *sets, engine="auto")] * size}
        for run, size in sizes.items()
    }
    ended = run_cases(tmp_path, cases)
    assert all(set(codes) == {0} for codes, _ in ended.values()), ended
    assert bits(tmp_path / "two") == bits(tmp_path / "one") == bits(tmp_path / "four")


@pytest.mark.slow
def test_kills_at_random_moments_and_a_signal_change_no_bits(tmp_path: Path) -> None:
    task, rng = pictures(tmp_path / "task"), random.Random(0)
    sets = (*ALL[:-2], "training.epochs=150", "training.checkpoint_every_s=0.5")

    def start(run: Path, *options: str) -> subprocess.Popen[bytes]:
        arguments = [*command(task, run, *sets, engine="auto"), "--processes", "2", *options]
        return subprocess.Popen([sys.executable, "-m", "netdesc", *arguments])

    began = time.monotonic()
    assert start(tmp_path / "undisturbed").wait() == 0
    seconds, kills, number = time.monotonic() - began, 0, 0
    while kills < 20:
        number += 1
        killed = start(tmp_path / str(number), "--max-restarts", "30")
        while killed.poll() is None:
            time.sleep(rng.uniform(0.2, 1.2) * seconds)
            children = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split()
            if children and killed.poll() is None and kills < 20:
                os.kill(int(rng.choice(children)), signal.SIGKILL)
                kills += 1
        assert killed.wait() == 0
        assert bits(tmp_path / str(number)) == bits(tmp_path / "undisturbed")
    stopped = start(tmp_path / "stopped")
    while not (tmp_path / "stopped/metrics.jsonl").exists():
        time.sleep(0.1)
    stopped.terminate()
    began = time.monotonic()
    assert stopped.wait() == 75
    assert time.monotonic() - began < 5
