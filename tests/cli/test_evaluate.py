"""``netdesc evaluate``, and what ``netdesc run`` says of classes."""

import fcntl
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.classify_task import CELLS, CLASSES, STEPS, samples, write_arrays, write_classify_task
from support.cli_process import Netdesc
from support.training_task import read_record, write_task

from netdesc.events import from_dense, write_events


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return write_classify_task(tmp_path / "task")


def test_a_run_is_measured(netdesc: Netdesc, document: Path) -> None:
    assert netdesc("train", document, "--run-dir", "run", "--quiet").code == 0
    record = json.loads(netdesc("evaluate", "run", "--json", "--part", "validation").out)
    best = read_record(Path("run"))["best"]
    assert record["network"] == "run"
    assert (record["part"], record["samples"]) == ("validation", 15)
    assert record["loss"] == best["validation_loss"] / 15
    assert record["accuracy"] == best["validation_accuracy"]
    assert np.sum(record["confusion"]) + record["undecided"] == 15
    assert record["matched"] is None
    assert (record["classifier"], record["window_steps"]) == ("rate", None)
    assert [layer["layer"] for layer in record["layers"]] == ["input", "hidden", "output"]

    outcome = netdesc("evaluate", "run")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "run: test, 15 samples"
    told = re.match(r"loss ([\d.]+) per sample, accuracy .*% by spike rate", lines[1])
    record = json.loads(netdesc("evaluate", "run", "--json").out)
    assert float(told[1]) == pytest.approx(record["loss"], rel=1e-4)
    assert lines[2].split()[:7] == ["label", "→", "0", "→", "1", "→", "2"]
    matrix = np.array([line.split() for line in lines[4 : 4 + CLASSES]], int)
    assert matrix[:, 0].tolist() == [0, 1, 2]
    assert matrix[:, 1:].sum() == 15
    assert any(line.split()[:2] == ["hidden", "12"] for line in lines)


def test_untrained_weights_are_said_to_be(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path / "spikes", seed=7)
    words = "warning: these are the initial, untrained weights of seed 7"
    events = tmp_path / "spikes" / "input0.bs1"
    for command in (
        ("evaluate", document),
        ("run", document, events),
        ("export", document, "-o", tmp_path / "a.net"),
    ):
        outcome = netdesc(*command)
        assert outcome.code == 0
        assert words in outcome.err
    assert netdesc("train", document, "--run-dir", "run", "--quiet").code == 0
    for command in (
        ("evaluate", "run"),
        ("run", "run", events),
        ("run", "run/network.net", events),
    ):
        assert "untrained" not in netdesc(*command).err


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("running", "ended before its first checkpoint after an epoch"),
        ("interrupted", "go on with: netdesc train --resume run"),
        ("diverged", "has no best weights: a NaN"),
    ],
)
def test_a_run_without_best_weights_says_how_to_get_them(
    netdesc: Netdesc, tmp_path: Path, status: str, words: str
) -> None:
    document = write_task(tmp_path / "spikes", epochs=1)
    assert netdesc("train", document, "--run-dir", "run", "--quiet").code == 0
    shutil.rmtree("run/checkpoints")
    record = read_record(Path("run")) | {"status": status, "message": "a NaN", "epochs_done": 0}
    Path("run/run.json").write_text(json.dumps(record))
    for command in (("evaluate", "run"), ("export", "run", "-o", "a.net")):
        outcome = netdesc(*command)
        assert outcome.code == 1
        assert words in outcome.err
    if status == "running":
        with Path("run/.lock").open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert "try again in some seconds" in netdesc("evaluate", "run").err


def test_a_run_that_lost_its_best_weights_is_not_one_that_never_had_them(
    netdesc: Netdesc, tmp_path: Path
) -> None:
    document = write_task(tmp_path / "spikes", epochs=1)
    assert netdesc("train", document, "--run-dir", "run", "--quiet").code == 0
    Path("run/checkpoints/best.safetensors").unlink()
    record = read_record(Path("run")) | {"status": "interrupted"}
    Path("run/run.json").write_text(json.dumps(record))
    for resumes in (True, False):
        for command in (("evaluate", "run"), ("export", "run", "-o", "a.net"), ("verify", "run")):
            outcome = netdesc(*command)
            assert (outcome.code, "best.safetensors" in outcome.err) == (3, True)
            assert ("netdesc train --resume run" in outcome.err) == resumes
        Path("run/checkpoints/last.state").unlink(missing_ok=True)


def test_spike_trains_are_measured(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path / "spikes")
    outcome = netdesc("evaluate", document)
    assert outcome.code == 0
    assert "train, 1 sample\n" in outcome.out
    assert "per sample" not in outcome.out
    assert "target spikes in the same step" in outcome.out
    record = json.loads(netdesc("evaluate", document, "--json").out)
    assert record["matched"].keys() == {"target_spikes", "met"}
    assert "accuracy" not in record


def test_run_names_the_class(netdesc: Netdesc, document: Path) -> None:
    values, labels = samples(3)
    content = json.loads(document.read_text())
    pair: dict[str, Any] = {"input": {"path": "1.bs1"}, "label": int(labels[1])}
    content["data"] = {"type": "spike_files", "train": [pair]}
    document.write_text(json.dumps(content))
    spikes = np.tile(values[1] > 1, (STEPS, 1))
    write_events(document.with_name("1.bs1"), from_dense(spikes, 1.0))
    write_events(document.with_name("silence.bs1"), from_dense(np.zeros((STEPS, CELLS)), 1.0))

    record = json.loads(netdesc("run", document, document.with_name("1.bs1"), "--json").out)
    classification = record["classification"]
    assert classification["label"] == 1
    said = netdesc("run", document, document.with_name("1.bs1")).out.splitlines()[-1]
    verdict = "right" if classification["prediction"] == 1 else "wrong"
    assert said == f"class {classification['prediction']}; the label is 1: {verdict}"
    silent = netdesc("run", document, document.with_name("silence.bs1"))
    assert silent.out.splitlines()[-1] == "no class: the output is silent"


def test_steps_with_labels_are_called_so(netdesc: Netdesc, document: Path) -> None:
    values, labels = samples(60)
    spikes = np.repeat(values[:, None] > 1, STEPS, axis=1)
    write_arrays(
        document.with_name("data.npz"), inputs=spikes, labels=np.repeat(labels[:, None], STEPS, 1)
    )
    content = json.loads(document.read_text())
    content["data"]["encoding"] = {"type": "spikes"}
    content["loss"] = {"type": "spike_rate", "window_steps": 3}
    document.write_text(json.dumps(content))
    record = json.loads(netdesc("evaluate", document, "--json").out)
    assert (record["samples"], record["judged"]) == (15, "steps")
    assert (record["classifier"], record["window_steps"]) == ("moving_window", 3)
    assert np.sum(record["confusion"]) + record["undecided"] == 15 * STEPS
    assert record["undecided"] > 1
    said = netdesc("evaluate", document).out.splitlines()[1]
    assert "% of the steps by spike rate of the last 3 steps" in said
    assert f"{record['undecided']} steps without a prediction" in said
