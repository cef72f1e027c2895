"""What a run notes in ``run.json``, its metrics and its activity, as a report reads them."""

import contextlib
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.report_samples import OUTPUTS, STEPS, activity, metrics_row, run_record, write_run
from support.training_task import read_record, train, write_task

from netdesc.api.compile import compile
from netdesc.api.load import load
from netdesc.data.samples import SampleSpec
from netdesc.data.splits import read_splits
from netdesc.report.run import RunData
from netdesc.runs import run_record as record_file
from netdesc.runs.errors import RunError
from netdesc.runs.metrics_file import Metrics, MetricsFile, read_metrics
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
    assert noted["samples"] == {"train": 3, "validation": 2, "test": 0}
    compiled = compile(load(task))
    parts = read_splits(load(task), SampleSpec.of(compiled.graph), print)
    for part, name in ((parts.train, "loss"), (parts.validation, "validation_loss")):
        target_TBN = torch.from_numpy(part.dense(())[1])
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


LAYERS = ["hidden", "output"]


@given(st.integers(0, 5), st.binary(max_size=30), st.integers(0, 3))
def test_metrics_are_truncated_to_the_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, kept: int, torn: bytes, lost: int
) -> None:
    path = tmp_path_factory.mktemp("metrics") / "metrics.jsonl"
    with MetricsFile(path, 0) as metrics:
        for epoch in range(kept):
            metrics.append({"epoch": epoch})
        length = metrics.sync()
        for epoch in range(kept, kept + lost):
            metrics.append({"epoch": epoch})
        metrics.flush()
    with path.open("ab") as file:
        file.write(torn)
    with MetricsFile(path, length) as metrics:
        assert not metrics.is_short
        metrics.append({"epoch": kept})
        metrics.sync()
    lines = path.read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(kept + 1))


def test_metrics_that_lost_lines_continue_after_the_last_complete_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 0}\n{"epo')
    with MetricsFile(path, 100) as metrics:
        assert metrics.is_short
        metrics.append({"epoch": 7})
        metrics.sync()
    assert path.read_text() == '{"epoch": 0}\n{"epoch": 7}\n'


def metrics_of(folder: Path, text: str, best_by: str | None = None) -> Metrics:
    (folder / "metrics.jsonl").write_text(text)
    return read_metrics(folder, LAYERS, 100, best_by)


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_metrics_become_columns(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path, lines(*(metrics_row(n) for n in range(4))))
    assert len(metrics) == 4
    assert metrics.columns["loss"].tolist() == [100.0, 50.0, pytest.approx(33.333333), 25.0]
    assert metrics.by_layer["gradient_norms", "hidden"].tolist() == [5, 6, 7, 8]
    assert math.isnan(metrics.columns["accuracy"][0])
    assert (metrics.best, metrics.selection_metric, metrics.confusion) == (3, "loss", None)


def test_the_validation_loss_names_the_best_epoch_and_its_confusion(tmp_path: Path) -> None:
    rows = [metrics_row(n, classes=True) for n in range(5)]
    for row, loss in zip(rows, (5.0, 2.0, 1.0, 1.0, 3.0), strict=True):
        row["validation_loss"] = loss
        row["undecided_by_label"] = [row["epoch"]] * OUTPUTS
    metrics = metrics_of(tmp_path, lines(*rows))
    assert (metrics.best, metrics.selection_metric) == (2, "validation_loss")
    assert (metrics.confusion.epoch, metrics.confusion.undecided.tolist()) == (3, [2] * OUTPUTS)


def test_the_best_epoch_by_another_metric(tmp_path: Path) -> None:
    """The loss decides between equal accuracies, then the earlier epoch."""
    rows = [metrics_row(n, classes=True) for n in range(6)]
    accuracies, losses = (0.5, 0.9, 0.9, 0.9, 0.8, None), (1.0, 4.0, 3.0, 3.0, 0.5, 0.1)
    for row, accuracy, loss in zip(rows, accuracies, losses, strict=True):
        row |= {"validation_accuracy": accuracy, "validation_loss": loss}
    metrics = metrics_of(tmp_path, lines(*rows), best_by="validation_accuracy")
    assert (metrics.best, metrics.lowest, metrics.confusion.epoch) == (2, 5, 3)
    assert (metrics.selection_metric, metrics.watched_metric) == (
        "validation_accuracy",
        "validation_loss",
    )


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    text = lines(metrics_row(0), metrics_row(1))
    whole = len(lines(metrics_row(0)))
    for end in range(whole, len(text)):
        assert len(metrics_of(tmp_path, text[:end])) == 1
    assert len(metrics_of(tmp_path, text)) == 2


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"loss": 1}',
        '{"epoch": 99999999999999999999}',
        '{"epoch": 1, "loss": "1"}',
        '{"epoch": 1, "spike_rates": {"hidden": {}}}',
        '{"epoch": 1, "loss": 1, "confusion": [[1, 2]]}',
        '{"epoch": 1, "loss": 1, "confusion": [[1]], "undecided_by_label": [0, 0]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(RunError, match=r"metrics\.jsonl: line 2 is damaged"):
        metrics_of(tmp_path, lines(metrics_row(0)) + line + "\n")


def changed(path: Path, **arrays: Any) -> None:
    """Writes ``activity.npz`` with some arrays changed; None leaves one out."""
    whole = activity() | arrays
    np.savez(path / "activity.npz", **{k: v for k, v in whole.items() if v is not None})


def damage_of(folder: Path) -> str:
    """The sentence that a report says of its activity file."""
    run = RunData(folder)
    assert run.activity is None
    (told,) = run.damage
    return told


def test_activity_is_read(tmp_path: Path) -> None:
    run = RunData(write_run(tmp_path / "run"))
    assert [*run.activity.snapshots] == [0, 3, 30]
    assert len(run.activity.samples) == 2
    sample = run.activity.samples[0]
    assert np.array_equal(sample.output.events, activity()["output_0"])
    assert (sample.output.cells, sample.output.cut, sample.label) == (OUTPUTS, None, None)
    assert run.missing_files == []


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"format": np.int32(2)}, "format 2"),
        ({"epoch": None}, "epoch is missing"),
        ({"output_0": np.array([[STEPS, 0]], dtype=np.int32)}, "output_0 has events outside"),
        ({"output_0": np.array([[-1, 0]], dtype=np.int32)}, "output_0 has events outside"),
        ({"target_1": np.zeros(4, dtype=np.int32)}, "target_1 has 1 dimensions"),
        ({"rate_hidden": np.zeros(3, np.float32)}, "rate_hidden holds 3 numbers instead of 16"),
        ({"traced_output": np.array([0, 1])}, "trace_output does not hold the states"),
        ({"trace_output": np.zeros((3, 3, STEPS))}, "trace_output does not hold the states"),
    ],
)
def test_foreign_activity_is_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    folder = write_run(tmp_path / "run")
    changed(folder, **arrays)
    told = damage_of(folder)
    assert told.startswith(f"{folder / 'activity.npz'}: does not belong to this run: ")
    assert message in told


def test_pickles_and_bombs_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    changed(folder, epoch=np.array([{}], dtype=object))
    assert "is not a complete .npz file" in damage_of(folder)
    path = folder / "activity.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.npy", bytes(100 << 20))
    assert path.stat().st_size < 1 << 20
    assert "more than a run ever writes" in damage_of(folder)
