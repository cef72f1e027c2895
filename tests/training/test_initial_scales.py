"""Scales of initial weights that training finds: where they stand, and what depends on them."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.classify_task import classify_document, samples, write_arrays
from support.training_task import at_epoch, read_metrics, train, untimed_metrics, weights_of

import netdesc
from netdesc.report import write_report


def write(folder: Path, **changes: Any) -> Path:
    """Writes a task whose layers state no scale; the first one is recurrent."""
    folder.mkdir(exist_ok=True)
    content = classify_document(**changes)
    for layer in content["layers"]:
        del layer["weight_scale"]
    content["layers"][0]["type"] = "recurrent"
    write_arrays(folder / "data.npz")
    path = folder / "classes.json"
    path.write_text(json.dumps(content))
    return path


def run(folder: Path, document: Path, *overrides: str) -> Path:
    description = netdesc.load(document, overrides)
    train(description, run_dir=folder, engine="reference", progress="quiet")
    return folder


def scales(lock: Path) -> dict[str, Any]:
    layers = json.loads((lock / "network.lock.json").read_text())["layers"]
    return {
        each["name"]: (each["weight_scale"], each.get("recurrent_weight_scale")) for each in layers
    }


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def whole(document: Path) -> Path:
    return run(document.with_name("run"), document)


def test_the_numbers_are_in_lock_log_and_report(document: Path, whole: Path) -> None:
    found = scales(whole)
    origins = netdesc.load(whole / "network.lock.json", with_files=False).origins
    for pointer in ("0/weight_scale", "0/recurrent_weight_scale", "1/weight_scale"):
        assert origins[f"/layers/{pointer}"] == "found"
    log = (whole / "train.log").read_text()
    numbers = [number for pair in found.values() for number in pair if number is not None]
    assert all(f"{number:g}" in log for number in numbers)
    report = write_report(whole).read_text()
    assert all(f"{number:g}" in report for number in numbers)


def test_the_lock_trains_to_the_same_bits(document: Path, whole: Path, tmp_path: Path) -> None:
    again = run(tmp_path / "again", whole / "network.lock.json")
    assert scales(again) == scales(whole)
    assert weights_of(again) == weights_of(whole)
    assert untimed_metrics(again) == untimed_metrics(whole)


def test_a_resumed_run_has_the_same_bits(
    document: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_epoch(patch, 3, lambda: os.kill(os.getpid(), signal.SIGINT))
        part = run(tmp_path / "part", document)
    assert len(read_metrics(part)) < len(read_metrics(whole))
    train(resume=part, progress="quiet")
    assert weights_of(part) == weights_of(whole)


def test_compiling_finds_what_training_finds(document: Path, whole: Path) -> None:
    initial = netdesc.compile(document).model.state_dict()
    sections = {each.name: each.section for each in netdesc.compile(document).graph.layers}
    expected = scales(whole)
    assert {name: each.weight_scale for name, each in sections.items()} == {
        name: pair[0] for name, pair in expected.items()
    }
    stated = [f"layers.{name}.weight_scale={pair[0]}" for name, pair in expected.items()]
    stated.append(f"layers.hidden.recurrent_weight_scale={expected['hidden'][1]}")
    same = netdesc.compile(document, stated).model.state_dict()
    assert all((initial[name] == same[name]).all() for name in initial)


def test_a_stated_scale_wins(document: Path, whole: Path, tmp_path: Path) -> None:
    found = scales(run(tmp_path / "run", document, "layers.hidden.weight_scale=2"))
    assert found["hidden"][0] == 2
    assert found["hidden"][1] is not None
    assert "hidden 2 " in (tmp_path / "run" / "train.log").read_text()


def test_without_data_spikes_are_assumed(document: Path, tmp_path: Path) -> None:
    content = json.loads(document.read_text())
    del content["data"]
    model = netdesc.compile(content)
    for layer in model.graph.neuron_layers:
        assert layer.section.weight_scale > 0


def test_weights_of_a_file_need_no_scale(document: Path, whole: Path, tmp_path: Path) -> None:
    weights = whole / "checkpoints/best.safetensors"
    again = run(tmp_path / "run", document, f"weights={json.dumps({'path': str(weights)})}")
    assert scales(again)["output"] == ("auto", None)


def test_silent_data_are_an_error_with_a_code(tmp_path: Path, netdesc: Any) -> None:
    path = write(tmp_path / "task")
    values, _ = samples(60)
    write_arrays(path.with_name("data.npz"), inputs=np.zeros_like(values))
    outcome = netdesc("train", path, "--quiet")
    assert outcome.code == 1
    assert "ND403" in outcome.err
    assert "weight_scale" in outcome.err
    assert "Traceback" not in outcome.err
    stated = [f"layers.{name}.weight_scale=1" for name in ("hidden", "output")]
    stated.append("layers.hidden.recurrent_weight_scale=1")
    arguments = [part for each in stated for part in ("--set", each)]
    assert netdesc("train", path, "--quiet", *arguments).code == 0


def test_weights_that_the_grid_makes_zero_are_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "task")
    folder = run(tmp_path / "run", path, "neurons.cuba.threshold=0.02")
    log = (folder / "train.log").read_text()
    assert "ND404" in log
    assert "neurons.cuba.threshold=0.16" in log
