"""How a run stands, what it achieved and what to do next, in words."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_samples import activity, events, metrics_row, weights, write_run, write_state
from safetensors.numpy import save_file

from netdesc.report.classes import classes
from netdesc.report.commands import next_steps
from netdesc.report.faults import Faults, find_faults
from netdesc.report.learned import learned
from netdesc.report.page import build_page, render
from netdesc.report.rates import layer_rates
from netdesc.report.run import Run, read_run
from netdesc.report.samples import part_sizes
from netdesc.report.standing import standing
from netdesc.report.tables import network_table
from netdesc.report.training_plots import training_plots
from netdesc.report.verdict import Verdict, verdict

DEAD = 2**22 + 1
"""Larger than the id of any process on Linux."""


def made(folder: Path, **settings: Any) -> Run:
    return read_run(write_run(folder / "run", **settings))


@pytest.mark.parametrize(
    ("settings", "mood", "title", "words", "can_resume"),
    [
        ({}, "good", "Done", "did all of its 30 epochs", False),
        ({"stopped_early": True, "epochs": 9}, "good", "Done, stopped early", "9 of 30", False),
        (
            {"status": "interrupted", "epochs": 7},
            "warning",
            "Interrupted",
            "interrupted after 7 of 30 epochs",
            True,
        ),
        (
            {"status": "diverged", "epochs": 7, "message": "training diverged in epoch 7: NaN"},
            "bad",
            "Diverged",
            "Training diverged in epoch 7: NaN. Everything below",
            False,
        ),
        (
            {"status": "failed", "epochs": 0, "message": "the disk is full"},
            "bad",
            "Failed",
            "the disk is full. No epoch was complete",
            True,
        ),
        (
            {"status": "running", "epochs": 7, "pid": DEAD, "epochs_done": 0},
            "warning",
            "Killed",
            "killed after 7 of 30 epochs",
            True,
        ),
        (
            {"status": "running", "epochs": 7, "pid": os.getpid(), "epochs_done": 0},
            "busy",
            "Still running",
            "has done 7 of 30 epochs so far",
            False,
        ),
        ({"status": "running", "pid": None}, "warning", "Running, or killed", "cannot be", True),
        ({"status": "asleep"}, "warning", "Unknown status", "asleep", False),
    ],
)
def test_standing(
    tmp_path: Path,
    settings: dict[str, Any],
    mood: str,
    title: str,
    words: str,
    can_resume: bool,
) -> None:
    stands = standing(made(tmp_path, **settings))
    assert (stands.mood, stands.title, stands.can_resume) == (mood, title, can_resume)
    assert words in stands.text


def test_the_lock_of_the_folder_tells_more_than_a_process_id(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", status="running", pid=os.getpid())
    (folder / ".lock").touch()
    assert standing(read_run(folder)).title == "Killed"  # the id is by now another's
    with (folder / ".lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert standing(read_run(folder)).title == "Still running"


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (0, "no checkpoint of a later moment than the start, so it begins again with the first"),
        (5, "It can go on from its last checkpoint, after 5 epochs."),
        (None, "It can go on from its last checkpoint."),
    ],
)
@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_the_epoch_from_which_a_run_goes_on_is_named(
    tmp_path: Path, status: str, saved: int | None, words: str
) -> None:
    folder = write_run(tmp_path / "run", status=status, epochs=7, pid=DEAD, epochs_done=0)
    write_state(folder, saved)
    stands = standing(read_run(folder))
    assert "after 7 of 30 epochs" in stands.text
    assert words in stands.text


def test_why_files_are_missing_is_true(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", status="running", epochs=7, pid=DEAD)
    assert build_page(read_run(folder)).missing == ""
    (folder / "checkpoints" / "best.safetensors").unlink()
    write_state(folder, 0)
    missing = build_page(read_run(folder)).missing
    assert missing.startswith("This run has no checkpoints/best.safetensors")
    assert missing.endswith("The first checkpoint after an epoch writes the best weights.")
    (folder / "checkpoints" / "initial.safetensors").unlink()
    assert "Runs of an older netdesc" in build_page(read_run(folder)).missing


def with_activity(folder: Path, **arrays: Any) -> Run:
    path = write_run(folder / "run")
    np.savez(path / "activity.npz", **(activity() | arrays))
    return read_run(path)


def judged(run: Run) -> Verdict:
    rates = layer_rates(run)
    return verdict(run, rates, find_faults(run, rates, []), learned(run).notes)


def headline(run: Run) -> str:
    return judged(run).headline


def test_a_perfect_output_is_called_so(tmp_path: Path) -> None:
    run = with_activity(tmp_path, target_0=events(10, 6, 40), target_1=events(11, 6, 40))
    assert headline(run) == (
        "The network reproduces the target: it meets 100 % of the target's spikes in the same step "
        "and 100 % to within one, and of its own spikes 100 % and 100 % belong there."
    )


def test_an_output_that_is_a_step_late_is_not_called_perfect(tmp_path: Path) -> None:
    late = np.array([[3, 0], [20, 1], [40, 2], [50, 3]], dtype=np.int32)
    target = late - np.array([[1, 0], [0, 0], [0, 0], [1, 0]], dtype=np.int32)
    run = with_activity(tmp_path, output_0=late, target_0=target, output_1=late, target_1=target)
    assert headline(run) == (
        "The network reproduces the target to within a step: it meets 50.0 % of the target's "
        "spikes in the same step and 100 % to within one, and of its own spikes 50.0 % and 100 % "
        "belong there."
    )


def test_a_silent_output_is_called_so(tmp_path: Path) -> None:
    nothing = np.empty((0, 2), dtype=np.int32)
    run = with_activity(tmp_path, output_0=nothing, output_1=nothing)
    assert headline(run).startswith("The network is silent")


def test_a_run_without_pictures_is_judged_by_its_loss(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    (folder / "activity.npz").unlink()
    (folder / "checkpoints" / "initial.safetensors").unlink()
    run = read_run(folder)
    assert headline(run) == "The loss went from 100 to 3.333."
    assert run.missing == ["activity.npz", "checkpoints/initial.safetensors"]


@pytest.mark.parametrize(
    ("epoch", "words"),
    [
        (-1, "The loss went from 100 to 3.333. The pictures below show the network before"),
        (7, "This is as of epoch 8, the last that was kept."),
    ],
)
def test_the_verdict_says_which_weights_it_is_about(tmp_path: Path, epoch: int, words: str) -> None:
    assert words in headline(with_activity(tmp_path, epoch=np.int32(epoch)))


def test_classes_are_judged_by_their_accuracy(tmp_path: Path) -> None:
    assert headline(made(tmp_path, classes=True)) == (
        "The network puts 74.4 % of the validation samples in the right class; guessing among 6 "
        "classes would give 16.7 %."
    )


def test_no_epoch_is_no_verdict(tmp_path: Path) -> None:
    assert headline(made(tmp_path, epochs=0)) == "Nothing was trained."


def test_notes_point_at_dead_and_restless_neurons(tmp_path: Path) -> None:
    rates = np.zeros(16, dtype=np.float32)
    run = with_activity(tmp_path, rate_hidden=rates, rate_output=np.ones(6, dtype=np.float32))
    notes = " ".join(judged(run).notes)
    assert "All neurons of layer “hidden” are silent" in notes
    assert "6 of the 6 neurons of layer “output” spike at nearly every step" in notes


def test_weights_and_decays_where_their_range_ends_are_noted(tmp_path: Path) -> None:
    run, tensors = made(tmp_path), weights(0)
    save_file(tensors, run.best_path)
    assert "grid" not in " ".join(judged(run).notes)
    tensors["layers.output.synapse.weight"][0, :3] = (-4, 5, 3.98)
    tensors["layers.hidden.neuron.current_decay"][:2] = (0, 1e-5)
    tensors["layers.hidden.neuron.voltage_decay"][:] = 1
    save_file(tensors, run.best_path)
    found = " ".join(judged(run).notes)
    assert "3 of the 96 weights of layer “output” stand at an end of the device's grid, −4" in found
    assert "or 3.969, and cannot become larger" in found
    assert "2 of the 16 neurons of layer “hidden” learned a current decay of 0" in found
    assert "16 of the 16 neurons of layer “hidden” learned a voltage decay of 1" in found


def test_confusion_counts_by_class(tmp_path: Path) -> None:
    found = classes(made(tmp_path, classes=True))
    assert found is not None
    assert (found.part, found.epoch, found.undecided) == ("validation", 30, 4)
    assert found.accuracy == "74.4 %"
    first = found.rows[0]
    assert (first.samples, first.accuracy, first.precision) == (24, "79.2 %", "79.2 %")
    assert [cell.count for cell in first.cells] == [19, 1, 1, 1, 1, 1]
    assert [cell.is_right for cell in first.cells] == [True, *[False] * 5]


def with_confusion(folder: Path, **row: Any) -> Run:
    path = write_run(folder / "run", classes=True)
    whole = metrics_row(0, classes=True) | row
    (path / "metrics.jsonl").write_text(json.dumps(whole) + "\n")
    return read_run(path)


def test_samples_without_a_class_count_in_their_own(tmp_path: Path) -> None:
    """Of 10 samples of class 0, 4 are right and 5 are given none; class 1 is given to 8."""
    counts = np.zeros((6, 6), int)
    counts[0, :2] = 4, 1
    counts[1, 1] = 7
    row = {"confusion": counts.tolist(), "undecided": 8, "undecided_by_label": [5, 0, 3, 0, 0, 0]}
    run = with_confusion(tmp_path, **row)
    found = classes(run)
    assert found is not None
    first, second, third = found.rows[:3]
    assert (first.samples, first.accuracy, first.precision) == (10, "40.0 %", "100 %")
    assert (second.samples, second.accuracy, second.precision) == (7, "100 %", "87.5 %")
    assert (third.samples, third.accuracy, third.precision) == (3, "0 %", "–")
    assert found.has_none
    nones = [each.none for each in found.rows if each.none is not None]
    assert [none.count for none in nones] == [5, 0, 3, 0, 0, 0]
    assert nones[0].share == 0.5
    assert run.metrics.confusion is not None
    assert run.metrics.confusion.commonest == 0.5
    text = render(build_page(run))
    assert '<th scope="col" class="n">none</th>' in text
    assert "8 were given no class, because the output was silent; they count as wrong." in text


def stepwise(folder: Path, *, by_step: bool | None, shown: bool = True, **record: Any) -> Run:
    """A run whose loss has a window, with 15 predictions for each of five samples a class."""
    loss = {"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03, "window_steps": 5}
    changes = {"loss": loss, "data": {"type": "arrays", "path": "samples.npz"}}
    (folder / "samples.npz").touch()  # the lock has its checksum
    path = write_run(
        folder / "run", classes=True, changes=changes, labels_by_step=by_step, **record
    )
    counts = np.full((6, 6), 15) - 15 * np.eye(6, dtype=int)
    row = metrics_row(0, classes=True) | {"confusion": counts.tolist(), "undecided": 300}
    (path / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    if not shown:
        (path / "activity.npz").unlink()
        return read_run(path)
    kept = activity(classes=True)
    unlabelled = {"label", "prediction", "rates"}
    arrays = {name: each for name, each in kept.items() if name.split("_")[0] not in unlabelled}
    np.savez(path / "activity.npz", **(arrays if by_step in (True, None) else kept))
    return read_run(path)


@pytest.mark.parametrize(
    "settings",
    [
        {"by_step": True},
        {"by_step": None},
        {"by_step": True, "shown": False},
        {"by_step": None, "shown": False, "samples": {"train": 60, "validation": 25}},
    ],
)
def test_steps_are_not_called_samples(tmp_path: Path, settings: dict[str, Any]) -> None:
    run = stepwise(tmp_path, **settings)
    found = classes(run)
    assert found is not None
    assert (found.judged, found.unit) == ("steps of validation samples", "steps")
    assert "of the steps of validation samples in the right class" in headline(run)
    faults = find_faults(run, [], [])
    assert faults.notes[0].startswith("300 of 750 steps of validation samples leave the output")
    assert part_sizes(run) == settings.get("samples", {})
    text = render(build_page(run))
    assert "of the steps of validation samples were right" in text
    assert '<th scope="col" class="n">Steps</th>' in text


@pytest.mark.parametrize(
    "settings",
    [
        {"by_step": False},
        {"by_step": False, "shown": False},
        {"by_step": None, "shown": False, "samples": {"train": 60, "validation": 750}},
    ],
)
def test_samples_of_a_loss_with_a_window_stay_samples(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    run = stepwise(tmp_path, **settings)
    found = classes(run)
    assert found is not None
    assert (found.judged, found.unit) == ("validation samples", "samples")
    assert part_sizes(run) == settings.get("samples", {"validation": 750})


def test_an_older_run_tells_only_how_many_have_no_class(tmp_path: Path) -> None:
    run = with_confusion(tmp_path, undecided=1)
    found = classes(run)
    assert found is not None
    assert not found.has_none
    assert found.rows[0].none is None
    text = render(build_page(run))
    assert ">none</th>" not in text
    assert "1 was given no class, because the output was silent; it counts as wrong here" in text


def test_the_network_table_has_everything(tmp_path: Path) -> None:
    table = network_table(made(tmp_path))
    assert list(table.rows[1]) == [
        "hidden", "dense", "input", "12", "16", "learning", "0.5", "0.1 to 0.4\n(9.491 to "
        "1.958 ms)", "0.3\n(2.804 ms)", "8 bits", "224", "192",
    ]  # fmt: skip
    assert list(table.total)[-2:] == ["320", "288"]


def texts(run: Run) -> list[str]:
    return [command.text for command in next_steps(run, standing(run), Faults())]


def test_next_steps_fit_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    run = read_run(write_run(folder))
    quoted = shlex.quote(str(folder))
    assert texts(run) == [
        f"netdesc evaluate {quoted}",
        f"netdesc run {quoted} {tmp_path / 'input.bs1'} -o output.bs1\n"
        "netdesc events show output.bs1 -o output.png",
        f"netdesc export {quoted} -o tiny.net",
        f"netdesc compile-and-train '{folder}/network.lock.json' --set training.epochs=60",
        f"netdesc report {quoted}",
        "netdesc init mine --template blank",
    ]


def test_the_integers_are_those_of_the_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    (folder / "network.net").touch()
    assert (
        f"netdesc run {folder} {tmp_path / 'input.bs1'} -o integer.bs1 --arithmetic integer\n"
        "cmp output.bs1 integer.bs1"
    ) in texts(read_run(folder))


@pytest.mark.parametrize("losses", [[9.0] * 10 + [3.0] + [5.0] * 19, [3.0] + [3.1] * 9, None])
def test_no_longer_training_is_advised_where_the_best_came_early(
    tmp_path: Path, losses: list[float] | None
) -> None:
    folder = write_run(tmp_path / "run")
    if losses is not None:
        rows = [metrics_row(n) | {"loss": loss} for n, loss in enumerate(losses)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = any("training.epochs=" in text for text in texts(read_run(folder)))
    assert found is (losses is None)


def test_a_run_that_can_go_on_says_so_first(tmp_path: Path) -> None:
    assert texts(made(tmp_path, status="interrupted"))[0].startswith("netdesc train --resume ")


def test_a_run_that_diverged_gets_a_lower_rate(tmp_path: Path) -> None:
    first = texts(made(tmp_path, status="diverged"))[0]
    assert first.endswith("network.lock.json --set training.optimizer.learning_rate=0.003")


def notes(folder: Path, losses: list[float], name: str = "loss", **fields: Any) -> str:
    """What is noted about a run with these losses at a constant learning rate."""
    path = write_run(folder / "run", epochs=0)
    rows = [
        metrics_row(n) | {name: loss, "learning_rate": 0.01} | {k: v[n] for k, v in fields.items()}
        for n, loss in enumerate(losses)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = read_run(path)
    return " ".join(judged(run).notes)


FLAT = [10.0 / (n + 1) + 5 for n in range(40)]


@pytest.mark.parametrize(
    ("losses", "name", "falls", "overfits"),
    [
        ([100.0 * 0.95**n for n in range(40)], "loss", True, False),
        (FLAT, "loss", False, False),
        ([*FLAT, *[5.5] * 20], "loss", False, False),
        ([*FLAT, *[6.5] * 20], "validation_loss", False, True),
        ([*FLAT, *[6.5] * 19, 5.0], "validation_loss", False, False),
        # Falling, but from a bad stretch, and the last is far from the best.
        ([9.0] * 10 + [3.0] + [90.0] * 20 + [70.0] * 9, "loss", False, False),
    ],
)
def test_notes_advise_on_the_length_of_training(
    tmp_path: Path, losses: list[float], name: str, falls: bool, overfits: bool
) -> None:
    found = notes(tmp_path, losses, name)
    assert ("still falling" in found) is falls
    assert ("overfitting" in found) is overfits


def test_a_loss_that_falls_with_the_learning_rate_asks_for_no_longer_training(
    tmp_path: Path,
) -> None:
    losses = [100.0 * 0.95**n for n in range(40)]
    found = notes(tmp_path, losses, learning_rate=[0.01 * (1 - n / 40) for n in range(40)])
    assert "still falling" not in found
    assert "a longer run needs training.epochs set anew" in found
    assert "in the first epoch to 13.53 in epoch 40, the best" in found


@pytest.mark.parametrize(
    ("losses", "too_short"),
    [
        ([100.0 * 0.9**n for n in range(40)], True),
        ([100.0 * 0.98**n for n in range(40)], False),
        ([9.0, 7.0, 4.0, 2.0, 1.0], True),
        ([9.0, 8.9, 8.8, 8.7, 8.6], False),
        ([9.0], False),
    ],
)
def test_training_that_was_too_short_is_said_to_be(
    tmp_path: Path, losses: list[float], too_short: bool
) -> None:
    assert ("training was too short" in notes(tmp_path, losses)) is too_short


@pytest.mark.parametrize(
    ("silence", "words"),
    [
        (5.0, "Silence would score 5: the best loss is 33.3 % below that of an output without"),
        (3.0, "Silence would score 3: the best loss is worse than that of an output without any"),
    ],
)
def test_the_loss_is_judged_by_that_of_silence(tmp_path: Path, silence: float, words: str) -> None:
    run = made(tmp_path, silence={"loss": silence})
    assert words in " ".join(judged(run).notes)
    line = training_plots(run)[0].data[-1]
    assert (line["name"], line["y"]) == ("a silent output", [silence] * 2)


def test_silence_is_drawn_on_the_scale_of_the_curve_that_it_belongs_to(tmp_path: Path) -> None:
    run = made(
        tmp_path, classes=True, samples={"train": 200, "validation": 50},
        silence={"loss": 400.0, "validation_loss": 100.0},
    )  # fmt: skip
    assert training_plots(run)[0].data[-1]["y"] == [2.0, 2.0]


def test_a_loss_that_never_fell_is_said_to(tmp_path: Path) -> None:
    found = notes(tmp_path, [3.0] + [3.1] * 9)
    assert "The loss never fell below the 3 of the first epoch, the best." in found


def test_a_loss_that_rose_again_is_said_to(tmp_path: Path) -> None:
    found = notes(tmp_path, [9.0] * 10 + [34.6] + [90.0] * 20 + [72.5] * 9)
    assert "ended at 72.5; the best weights are those from before" in found


def test_notes_name_a_layer_without_gradient(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", epochs=0)
    rows = [metrics_row(n) | {"gradient_norms": {"hidden": 0.0, "output": 1}} for n in range(30)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = read_run(path)
    assert "No gradient reached layer “hidden”" in " ".join(judged(run).notes)
