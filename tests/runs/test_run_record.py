"""What training notes in ``run.json`` for the report alone."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.report_samples import run_record
from support.training_task import read_record, train, write_task

from netdesc.api.compile import compile
from netdesc.api.load import load
from netdesc.data.samples import SampleSpec
from netdesc.data.splits import read_splits
from netdesc.runs import run_record as record_file
from netdesc.runs.errors import RunError
from netdesc.runs.run_record import RunRecord
from netdesc.training.environment import command


def test_the_first_command_is_kept_through_all_that_follow(tmp_path: Path) -> None:
    fields = {"name": "net", "lock_sha256": "", "engine": "auto", "device": {"type": "cpu"}}
    record = RunRecord.create(tmp_path, **fields, command="one", directory="/1", epochs_done=3)
    record.mark_resumed("auto", {"command": "two", "directory": "/2"})
    record.mark_resumed("auto", {"command": "three", "directory": "/3"})
    assert (record.first_command, record.command) == ("one", "three")
    assert (record.first_directory, record.directory) == ("/1", "/3")


@pytest.mark.parametrize(
    ("given", "whole", "noted"),
    [
        (["/x/bin/netdesc", "a b"], ["/x/python", "/x/bin/netdesc", "a b"], "netdesc 'a b'"),
        (["/x/netdesc/__main__.py", "a"], ["python", "-m", "netdesc", "a"], "netdesc a"),
        (["mine.py", "a"], ["python", "mine.py", "a"], "python mine.py a"),
    ],
)
def test_the_command_is_noted_as_it_can_be_given_anywhere(
    given: list[str], whole: list[str], noted: str
) -> None:
    assert command(given, whole) == noted


def test_a_run_notes_where_it_was_begun_and_what_silence_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = write_task(tmp_path / "task", pairs=5, validation_split=0.4, batch_size=2, epochs=1)
    noted = read_record(train(load(task), run_dir="run", progress="quiet").path)
    assert noted["directory"] == str(tmp_path)
    assert noted["samples"] == {"train": 3, "validation": 2}
    compiled = compile(load(task))
    parts = read_splits(load(task), SampleSpec.of(compiled.graph), print)
    for part, name in ((parts.train, "loss"), (parts.validation, "validation_loss")):
        assert part is not None
        target_TBN = torch.from_numpy(part.dense(np.random.default_rng())[1])
        silent = compiled.loss(torch.zeros_like(target_TBN), target_TBN).item()
        assert noted["silence"][name] == pytest.approx(silent)


@given(
    st.dictionaries(
        st.sampled_from(sorted(run_record(1))),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
        max_size=3,
    )
)
def test_any_record_is_read_or_refused(tmp_path_factory: Any, changes: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("record")
    (folder / "run.json").write_text(json.dumps(run_record(3) | changes))
    with contextlib.suppress(RunError):
        assert isinstance(record_file.read_record(folder).status, str)
