"""How a run stands, what it achieved and what to do next, in words."""

import fcntl
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.report_samples import document, events, metrics_row, page_of, write_run, write_state

from netdesc.report.html_page import render
from netdesc.report.page import Page
from netdesc.report.run import RunData
from netdesc.report.tables import ConfusionMatrix

NO_EVENTS = np.empty((0, 2), dtype=np.int32)


RUNNING = {"status": "running", "epochs": 7, "epochs_done": 0}


@pytest.mark.parametrize(
    ("settings", "mood", "title", "words", "can_resume"),
    [
        ({}, "good", "Done", "did all of its 30 epochs", False),
        ({"stopped_early": True, "epochs": 9}, "good", "Done, stopped early", "9 of 30", False),
        ({"status": "interrupted", "epochs": 7}, "warning", "Interrupted", "7 of 30 epochs", True),
        ({"status": "diverged", "message": "NaN"}, "bad", "Diverged", "NaN. This report", False),
        ({"status": "failed", "epochs": 0, "message": "the disk is full"}, "bad", "Failed",
         "the disk is full. No epoch was complete", True),
        (RUNNING, "warning", "Killed", "killed after 7 of 30 epochs", True),
        ({"status": "asleep"}, "warning", "Unknown status", "asleep", False),
    ],
)  # fmt: skip
def test_the_status_is_told_first(
    tmp_path: Path, settings: dict[str, Any], mood: str, title: str, words: str, can_resume: bool
) -> None:
    page = page_of(tmp_path, **settings)
    status = page.status
    assert (status.mood, status.title, status.can_resume) == (mood, title, can_resume)
    assert words in status.text
    assert (page.steps[0].text == f"netdesc train --resume {tmp_path / 'run'}") is can_resume


def test_the_lock_of_the_folder_tells_whether_a_process_works_on_it(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", **RUNNING)
    (folder / ".lock").touch()
    assert Page(RunData(folder)).status.title == "Killed"
    with (folder / ".lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        page = Page(RunData(folder))
        assert (page.status.mood, page.status.title) == ("busy", "Still running")
        assert "7 of 30 epochs so far" in page.status.text
    (folder / ".lock").unlink()
    (folder / ".lock").mkdir()  # cannot be read
    status = Page(RunData(folder)).status
    assert (status.mood, status.title, status.can_resume) == ("warning", "Running, or killed", True)
    assert "cannot be determined" in status.text


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (0, "resuming starts with the first epoch."),
        (5, "It can be resumed from its last checkpoint, after 5 epochs."),
        (None, "It can be resumed from its last checkpoint."),
    ],
)
def test_the_epoch_to_go_on_from_is_named(tmp_path: Path, saved: int | None, words: str) -> None:
    folder = write_run(tmp_path / "run", **RUNNING)
    write_state(folder, saved)
    assert words in Page(RunData(folder)).status.text


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", status="running", epochs=7)
    assert Page(RunData(folder)).missing == ""
    (folder / "checkpoints" / "best.safetensors").unlink()
    (folder / "activity.npz").unlink()
    page = Page(RunData(folder))
    assert page.missing.startswith(
        "This run has no activity.npz and no checkpoints/best.safetensors"
    )
    assert page.headline == "The best loss is 14.29."


LATE = np.array([[3, 0], [20, 1], [40, 2], [50, 3]], dtype=np.int32)
ON_TIME = LATE - np.array([[1, 0], [0, 0], [0, 0], [1, 0]], dtype=np.int32)


@pytest.mark.parametrize(
    ("output", "target", "words"),
    [
        (events(1, 6, 40), events(1, 6, 40),
         "reproduces the target: 100 % of the target spikes are matched in the same step"),
        (LATE, ON_TIME,
         "to within one step: 50.0 % of the target spikes are matched in the same step, 100 % "
         "within one step; of the output spikes 50.0 % and 100 % match"),
        (NO_EVENTS, ON_TIME,
         "The network is silent"),
    ],
)  # fmt: skip
def test_the_headline_says_how_well_spikes_meet(
    tmp_path: Path, output: np.ndarray, target: np.ndarray, words: str
) -> None:
    arrays = {f"output_{k}": output for k in range(2)} | {f"target_{k}": target for k in range(2)}
    assert words in page_of(tmp_path, arrays=arrays).headline


@pytest.mark.parametrize(
    ("epoch", "words"),
    [
        (-1, "The best loss is 3.333. The pictures show the network before training"),
        (7, "These are the weights of epoch 8, the last saved."),
    ],
)
def test_the_headline_says_what_weights_it_is_about(tmp_path: Path, epoch: int, words: str) -> None:
    assert words in page_of(tmp_path, arrays={"epoch": np.int32(epoch)}).headline


def test_classes_are_judged_by_their_accuracy(tmp_path: Path) -> None:
    assert page_of(tmp_path, classes=True).headline == (
        "The network classifies 74.4 % of the validation samples correctly; guessing among 6 "
        "classes would reach 16.7 %."
    )


def test_an_accuracy_in_training_is_called_an_average(tmp_path: Path) -> None:
    """It is not that of the saved weights, because the weights changed during the epoch."""
    rows = [metrics_row(epoch, classes=True) for epoch in range(30)]
    for row in rows:
        del row["validation_accuracy"], row["validation_loss"]
    page = page_of(tmp_path, classes=True, rows=rows)
    average = "On average over epoch 30, the network classified 97.3 % of the training samples"
    assert page.headline.startswith(average)
    assert "Training accuracy, average over the best epoch" in page.facts
    assert page.confusion.items == "training samples, on average over this epoch,"
    measured = page_of(tmp_path / "measured", classes=True)
    assert "Validation accuracy" in measured.facts
    assert measured.confusion.items == "validation samples"


def with_confusion(
    folder: Path, counts: np.ndarray, undecided: list[int], **record: Any
) -> RunData:
    row = {"confusion": counts.tolist(), "undecided_by_label": undecided}
    rows = [metrics_row(0, classes=True) | row]
    return RunData(write_run(folder / "run", classes=True, rows=rows, **record))


def test_samples_without_a_class_count_in_their_own(tmp_path: Path) -> None:
    """Of 10 samples of class 0, 4 are right and 5 are given none; class 1 is given to 8."""
    counts = np.zeros((6, 6), int)
    counts[0, :2] = 4, 1
    counts[1, 1] = 7
    run = with_confusion(tmp_path, counts, [5, 0, 3, 0, 0, 0])
    matrix = ConfusionMatrix(run.metrics.confusion, "samples", "samples")
    assert (matrix.epoch, matrix.undecided, matrix.accuracy) == (1, 8, "55.0 %")
    first, second, third = matrix.rows[:3]
    assert (first.samples, first.accuracy, first.precision) == (10, "40.0 %", "100 %")
    assert (second.samples, second.accuracy, second.precision) == (7, "100 %", "87.5 %")
    assert (third.samples, third.accuracy, third.precision) == (3, "0 %", "–")
    assert (first.counts[0], first.counts[6]) == (4, 5)
    text = render("report.html.j2", Page(run))
    assert '<td class="n cell right" style="--share: 0.400">4</td>' in text
    assert '<td class="n cell wrong" style="--share: 0.500">5</td>' in text
    assert '<th scope="col" class="n">none</th>' in text
    assert "was 0 for all classes: 8, counted as wrong." in text


@pytest.mark.parametrize("silent", [0, 50])
def test_steps_are_not_called_samples(tmp_path: Path, silent: int) -> None:
    counts = np.full((6, 6), 15) - 15 * np.eye(6, dtype=int)
    run = with_confusion(tmp_path, counts, [silent] * 6, labels_by_step=True)
    page = Page(run)
    assert (page.confusion.items, page.confusion.unit) == ("steps of validation samples", "steps")
    assert "of the steps of validation samples correctly" in page.headline
    text = render("report.html.j2", page)
    assert "of the steps of validation samples were classified correctly" in text
    assert '<th scope="col" class="n">Steps</th>' in text
    assert (">none</th>" in text) is (silent > 0)


def test_the_network_table_has_everything(tmp_path: Path) -> None:
    table = page_of(tmp_path).network
    assert table.rows[1] == [
        "hidden", "dense", "input", "12", "16", "learning", "0.5", "0.1 to 0.4\n(9.491 ms to "
        "1.958 ms)", "0.3\n(2.804 ms)", "8 bits", "224", "192",
    ]  # fmt: skip
    assert list(table.total)[-2:] == ["320", "288"]


def test_next_steps_fit_the_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a run")
    (folder / "network.net").touch()
    quoted, inputs = shlex.quote(str(folder)), tmp_path / "input.bs1"
    assert [step.text for step in Page(RunData(folder)).steps] == [
        f"netdesc train --resume {quoted} --set training.epochs=60",
        f"netdesc evaluate {quoted}",
        f"netdesc run {quoted} {inputs} -o output.bs1\n"
        "netdesc events show output.bs1 -o output.png",
        f"netdesc verify {quoted}",
        f"netdesc export {quoted} -o tiny.net",
        f"netdesc report {quoted}",
        "netdesc init mine --template blank",
    ]
    lock = folder / "network.lock.json"
    content = json.loads(lock.read_text())
    content["training"]["schedule"] = {"type": "cosine"}  # to go on would be another training
    lock.write_text(json.dumps(content))
    assert Page(RunData(folder)).steps[0].text == (
        f"netdesc compile-and-train '{lock}' --set training.epochs=60"
    )


def test_no_export_is_suggested_of_a_network_that_files_cannot_hold(tmp_path: Path) -> None:
    """Training has written no file then."""
    steps = page_of(tmp_path).steps
    assert not any(step.text.startswith("netdesc export") for step in steps)


@pytest.mark.parametrize(
    ("silence", "words", "is_worse"),
    [
        (5.0, "A silent output would have a loss of 5; the best is 33.3 % lower.", False),
        (3.0, "A silent output would have a loss of 3; the best is worse.", True),
    ],
)
def test_the_loss_is_judged_by_that_of_silence(
    tmp_path: Path, silence: float, words: str, is_worse: bool
) -> None:
    page = page_of(tmp_path, silence={"loss": silence})
    assert page.headline.endswith(f" {words}") is is_worse
    assert (words in page.notes) is not is_worse
    equal = page_of(tmp_path / "equal", silence={"loss": 100 / 30})
    assert "silent output" not in " ".join([equal.headline, *equal.notes])
    line = page.training[0].data[-1]
    assert (line["name"], line["y"]) == ("silent output", [silence] * 2)


def test_silence_is_drawn_on_the_scale_of_the_curve_that_it_belongs_to(tmp_path: Path) -> None:
    page = page_of(
        tmp_path, classes=True, samples={"train": 200, "validation": 50},
        silence={"loss": 400.0, "validation_loss": 100.0},
    )  # fmt: skip
    assert page.training[0].data[-1]["y"] == [2.0, 2.0]


FINDING = {
    "code": "ND410",
    "message": 'no neuron of layer "hidden" spikes',
    "help": "a lower threshold may help",
    "layer": "hidden",
    "fixes": [["Try a lower threshold", ["neurons.cuba.threshold=0.05"]]],
}


def test_what_training_has_found_is_shown_with_its_commands(tmp_path: Path) -> None:
    page = page_of(tmp_path, findings=[FINDING])
    assert page.notes[0].startswith(
        'No neuron of layer "hidden" spikes; a lower threshold may help.'
    )
    assert "ND410" in page.notes[0]
    assert page.steps[0].purpose == "Try a lower threshold"
    assert page.steps[0].text.endswith("network.lock.json --set neurons.cuba.threshold=0.05")
    assert page.status.title == "Done"


def test_what_was_over_before_the_end_is_told_without_its_commands(tmp_path: Path) -> None:
    over = [FINDING | {"code": code, "epoch": 3, "is_over": True} for code in ("ND410", "ND413")]
    page = page_of(tmp_path, findings=over)
    assert "ND410" in page.notes[0]
    assert page.steps[0].purpose != "Try a lower threshold"
    assert page.status.title == "Done"


def test_unstable_training_is_told_in_the_status(tmp_path: Path) -> None:
    page = page_of(tmp_path, findings=[FINDING | {"code": "ND413"}])
    assert (page.status.mood, page.status.title) == ("warning", "Done, but unstable")
    assert "No neuron" in page.status.text
    assert page.notes == []


def with_losses(
    folder: Path, losses: Sequence[float], name: str = "loss", training: float = 1, **record: Any
) -> Page:
    """A run with ``losses``; beside those of validation, training's is ``training ** epoch``."""
    rows = [metrics_row(n) | {"loss": training**n} | {name: x} for n, x in enumerate(losses)]
    return page_of(folder, epochs=0, rows=rows, **record)


FLAT = [10.0 / (n + 1) + 5 for n in range(40)]


@pytest.mark.parametrize(
    ("losses", "name", "falls", "rises"),
    [
        ([100.0 * 0.95**n for n in range(40)], "loss", True, False),
        ([9.0, 8.9, 8.8, 8.7, 8.6], "loss", False, False),
        ([3.0] + [3.1] * 9, "loss", False, False),
        (FLAT, "loss", False, False),
        ([*FLAT, *[5.5] * 20], "loss", False, False),
        ([*FLAT, *[6.5] * 20], "validation_loss", False, True),
        # Falling, but from a bad stretch, and the last is far from the best.
        ([9.0] * 10 + [3.0] + [9.0] * 20 + [8.0] * 9, "loss", False, True),
    ],
)
def test_the_end_of_the_loss_says_whether_training_was_too_short(
    tmp_path: Path, losses: list[float], name: str, falls: bool, rises: bool
) -> None:
    page = with_losses(tmp_path, losses, name)
    notes = " ".join(page.notes)
    assert ("more epochs may help" in notes) is falls
    assert any("training.epochs=" in step.text for step in page.steps) is falls
    assert ("rose again after the best epoch" in notes) is rises
    assert ("overfitting" in notes) is (rises and name == "validation_loss")


def test_a_training_loss_that_rises_as_well_is_no_overfitting(tmp_path: Path) -> None:
    for training, overfits in ((0.9, True), (1.1, False)):
        losses = [*FLAT, *[6.5] * 20]
        page = with_losses(tmp_path / str(training), losses, "validation_loss", training)
        assert ("overfitting" in " ".join(page.notes)) is overfits


@pytest.mark.parametrize(
    ("name", "early_stopping", "is_missed"),
    [
        ("validation_loss", None, True),
        ("validation_loss", {"patience_epochs": 100}, False),
        ("loss", None, False),
    ],
)
def test_early_stopping_is_missed_only_where_it_was_off(
    tmp_path: Path, name: str, early_stopping: dict[str, int] | None, is_missed: bool
) -> None:
    training = document()["training"] | {"early_stopping": early_stopping}
    page = with_losses(tmp_path, [*FLAT, *[6.5] * 20], name, changes={"training": training})
    assert ("Early stopping would have saved time" in " ".join(page.notes)) is is_missed
    assert any("patience_epochs=" in step.text for step in page.steps) is is_missed


@pytest.mark.parametrize("record", [{"status": "interrupted"}, {"stopped_early": True}])
def test_only_a_whole_run_was_too_short(tmp_path: Path, record: dict[str, Any]) -> None:
    page = with_losses(tmp_path, [100.0 * 0.95**n for n in range(25)], **record)
    assert "more epochs" not in " ".join(page.notes)
