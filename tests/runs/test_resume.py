"""Checkpoints: when they are written, which runs are resumed, and which are refused."""

from __future__ import annotations

import os
import random
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.training_task import at_epoch, train, train_task

from netdesc.api.load import load
from netdesc.description.models.training import Training
from netdesc.runs.errors import RunError
from netdesc.training import loop, saver


def test_the_first_checkpoint_of_a_session_is_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each epoch takes 2 s of a fake clock; a checkpoint is due every 30 s."""
    clock, saved = SimpleNamespace(perf_counter=lambda: now), []
    now, set_rate, save = 0.0, loop.set_learning_rate, saver.Saver.save

    def watched(*arguments: Any) -> None:
        nonlocal now
        now += 2.0
        set_rate(*arguments)

    def noted(self: saver.Saver, progress: saver.Progress, length: int) -> None:
        saved.append((progress.epoch, now))
        save(self, progress, length)

    monkeypatch.setattr(loop, "set_learning_rate", watched)
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(saver, "time", clock)
    monkeypatch.setattr(saver.Saver, "save", noted)
    train_task(tmp_path, epochs=40)
    assert saved == [(0, 0.0), (3, 6.0), (18, 36.0), (33, 66.0), (40, 80.0)]


def test_the_reference_states_the_share_of_time_that_saving_may_take() -> None:
    text = Training.model_fields["checkpoint_every_s"].description or ""
    assert f"{saver.MAX_SAVE_SHARE:.0%}" in text


def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    at_epoch(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    return train_task(tmp_path, epochs=6).path


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("network.lock.json", lambda held: held + b"\n", "was changed after this run began"),
        ("../task/target0.bs1", lambda held: held + bytes(5), r"target0\.bs1"),
        ("checkpoints/last.state", lambda held: held[:-100], "damaged"),
        ("run.json", lambda held: held[:-100], "is not the record"),
        ("run.json", lambda held: b"[" * 100_000, "is not the record"),
    ],
)
def test_changed_files_are_refused(
    file: str,
    change: Callable[[bytes], bytes],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = interrupted(tmp_path, monkeypatch)
    (run / file).write_bytes(change((run / file).read_bytes()))
    with pytest.raises(ValueError, match=message):
        train(resume=run, progress="quiet")


@pytest.mark.parametrize("left", [None, b"", b"{}"])
def test_a_run_without_its_record_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bytes | None
) -> None:
    run = interrupted(tmp_path, monkeypatch)
    (run / "run.json").unlink()
    if left is not None:
        (run / "run.json").write_bytes(left)
    with pytest.raises(RunError, match=r"run\.json") as error:
        train(resume=run, progress="quiet")
    *_, lock, _, weights = shlex.split(str(error.value))
    assert train(load(Path(lock), [weights]), run_dir=run.parent / "anew").status == "done"


def test_a_flipped_bit_anywhere_in_a_checkpoint_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = interrupted(tmp_path, monkeypatch)
    state = run / "checkpoints/last.state"
    sound, rng = state.read_bytes(), random.Random(0)
    header = 8 + int.from_bytes(sound[:8], "little")
    places = [rng.randrange(8, header) for _ in range(15)]
    places += [rng.randrange(header, len(sound)) for _ in range(15)]
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 1 << rng.randrange(8)
        state.write_bytes(damaged)
        with pytest.raises(RunError, match=r"damaged.* --set weights\.path="):
            train(resume=run, progress="quiet")
    state.write_bytes(sound)
    assert train(resume=run, progress="quiet").status == "done"
