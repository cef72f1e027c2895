"""Processes that train together: the same bits, one message if one fails, restarts and signals."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support import rank_processes
from support.classify_task import samples, write_arrays
from support.cli_process import exit_code
from support.training_task import untimed_metrics
from training.test_shards import CLIP, COUNT, EVENT_RATE, FAST, MEAN, PLATEAU, SLOW, pictures

Ended = dict[str, tuple[list[int], list[str]]]

ALL = (
    PLATEAU, CLIP, EVENT_RATE, MEAN, "neurons.cuba.dropout=0.3",
    'neurons.cuba.norm="mean_variance"', "training.epochs=2", "training.checkpoint_every_s=0",
)  # fmt: skip


def command(document: Path, run: Path, *sets: str, engine: str = "reference") -> list[str]:
    options = [option for text in ("training.shards=4", *sets) for option in ("--set", text)]
    return ["train", str(document), "--run-dir", str(run), "--engine", engine, *options]


def run_cases(folder: Path, cases: dict[str, Any]) -> Ended:
    (folder / "cases.json").write_text(json.dumps(cases))
    host = [sys.executable, rank_processes.__file__, str(folder)]
    tests = str(Path(rank_processes.__file__).parents[1])
    subprocess.run(host, check=True, env=os.environ | {"PYTHONPATH": tests, "NETDESC_WAIT_S": "60"})
    return json.loads((folder / "ended.json").read_text())


def bits(run: Path) -> Any:
    return (run / "checkpoints/last.safetensors").read_bytes(), untimed_metrics(run)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    folder = tmp_path_factory.mktemp("ranks")
    task, other = pictures(folder / "task"), pictures(folder / "other")
    others = samples(COUNT)[0].reshape(COUNT, 1, 3, 3)[:, :, ::-1].copy()
    write_arrays(other.with_name("data.npz"), COUNT, inputs=others)

    def by(run: str, size: int, *sets: str, file: Path = task) -> list[list[str]]:
        return [command(file, folder / run, *ALL, *sets)] * size

    resume = ["train", "--resume", str(folder / "killed"), "--engine", "reference"]
    same = by("refused", 1)
    cases: dict[str, Any] = {
        "one": {"commands": by("one", 1)},
        "two": {"commands": by("two", 2), "slurm": True},
        "killed": {"commands": by("killed", 2), "killed": 1, "at": 7},
        "resumed": {"commands": [resume] * 4, "after": True},
        "full": {"commands": by("full", 2), "full": 0, "at": 3},
        "divide": {"commands": same * 3},
        "document": {"commands": same + by("refused", 1, "training.seed=3")},
        "data": {"commands": same + by("refused", 1, file=other)},
        "never": {"commands": same, "size": 2, "set": {"NETDESC_WAIT_S": "0.5"}},
        "number": {"commands": same, "set": {"RANK": "x"}, "slurm": True},
        "group": {"commands": [[str(task), str(folder / "group")]] * 2, "group": True},
    }
    return folder, run_cases(folder, cases)


def test_any_number_of_processes_has_the_same_bits(tried: Any) -> None:
    folder, ended = tried
    for name, size in {"one": 1, "two": 2, "resumed": 4}.items():
        codes, (_, *others) = ended[name]
        assert codes == [0] * size, ended[name]
        assert others == [""] * (size - 1), "only the first one prints"
        assert bits(folder / ("killed" if name == "resumed" else name)) == bits(folder / "one")
    assert json.loads((folder / "two/run.json").read_text())["ranks"] == 2


def test_a_group_of_the_users_program_is_joined(tried: Any) -> None:
    folder, ended = tried
    codes, outputs = ended["group"]
    assert codes == [0, 0], outputs
    assert [text.split() for text in outputs] == [["called"] * 2 + ["sum", "2"], ["sum", "2"]]
    assert bits(folder / "group") == bits(folder / "group-2")


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
    ],
)
def test_one_process_says_why_all_end(name: str, codes: Any, text: str, tried: Any) -> None:
    folder, ended = tried
    assert ended[name][0] == codes, ended[name]
    (error,) = (line for line in "".join(ended[name][1]).splitlines() if "error" in line)
    assert text in error
    assert ("--resume" in error) == (name in ("killed", "full"))
    assert not (folder / "refused").exists()


def test_kills_alone_restart_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, calls = tmp_path / "python", tmp_path / "calls"
    monkeypatch.setattr(sys, "executable", str(program))

    def launch(script: str, *arguments: str) -> int:
        calls.write_text("")
        program.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$@" >> calls\n{script}')
        program.chmod(0o755)
        options = ["train", "d.json", "--processes", "2", *arguments]
        monkeypatch.setattr(sys, "argv", ["netdesc", *options])
        return exit_code(*options)

    run, restarts = ("--run-dir", str(tmp_path / "run")), ("--max-restarts", "2")
    kill = "[ $RANK = 1 ] && kill -9 $$; sleep 0.2; exit 75"
    again = "mkdir -p run; touch run/network.lock.json; [ -e s$RANK ] && exit 0; touch s$RANK\n"
    assert launch(again + kill, *run, *restarts) == 0
    resumes = ["--resume-or-start" in call for call in calls.read_text().splitlines()]
    assert resumes == [False, False, True, True]
    assert launch(kill, *run) == 75
    assert launch("exit 4", *run, *restarts) == 4
    assert len(calls.read_text().splitlines()) == 2
    assert launch("exit 0", *restarts) == 2, "the folder has no name"
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    assert launch("trap 'exit 75' TERM; sleep 20 & wait; exit 0") == 75


@pytest.mark.slow
@pytest.mark.parametrize("name", {**FAST, **SLOW})
def test_all_cases_have_the_same_bits_in_processes(name: str, tmp_path: Path) -> None:
    write, sets = {**FAST, **SLOW}[name]
    task = write(tmp_path / "task")
    commands = {size: command(task, tmp_path / size, *sets, engine="auto") for size in "124"}
    cases = {size: {"commands": [command] * int(size)} for size, command in commands.items()}
    ended = run_cases(tmp_path, cases)
    assert all(set(codes) == {0} for codes, _ in ended.values()), ended
    assert bits(tmp_path / "1") == bits(tmp_path / "2") == bits(tmp_path / "4")


@pytest.mark.slow
def test_kills_at_random_moments_change_no_bits(tmp_path: Path) -> None:
    task, rng, kills = pictures(tmp_path / "task"), random.Random(0), 0
    sets = (*ALL[:-2], "training.epochs=150", "training.checkpoint_every_s=0.5")
    options = ["--processes", "2", "--max-restarts", "30"]
    for number in itertools.count():  # the first run is undisturbed
        run = tmp_path / f"run-{number}"
        arguments = [*command(task, run, *sets, engine="auto"), *options]
        trained = subprocess.Popen([sys.executable, "-m", "netdesc", *arguments])
        children = Path(f"/proc/{trained.pid}/task/{trained.pid}/children")
        while trained.poll() is None:
            time.sleep(rng.uniform(1, 10))
            is_due = trained.poll() is None and number > 0 and kills < 20
            if is_due and (ranks := children.read_text().split()):
                os.kill(int(rng.choice(ranks)), signal.SIGKILL)
                kills += 1
        assert trained.returncode == 0
        assert bits(run) == bits(tmp_path / "run-0")
        if kills == 20:
            break
