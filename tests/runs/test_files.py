"""What a report reads from a run's folder: sound files, damaged ones and hostile ones."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from support.report_samples import (
    OUTPUTS,
    STEPS,
    activity,
    document,
    metrics_row,
    run_record,
    weights,
    write_run,
)

from netdesc.report import write_report
from netdesc.report.page import build_page
from netdesc.report.run import read_run
from netdesc.report.weights import open_weights
from netdesc.runs.errors import RunError
from netdesc.runs.metrics_file import Metrics, read_metrics
from netdesc.runs.run_record import read_record

LAYERS = ["hidden", "output"]


def metrics_of(folder: Path, text: str) -> Metrics:
    (folder / "metrics.jsonl").write_text(text)
    return read_metrics(folder, LAYERS, epochs=100)


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
    assert metrics.confusion is not None
    assert (metrics.confusion.epoch, metrics.confusion.undecided.tolist()) == (3, [2] * OUTPUTS)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    text = lines(metrics_row(0), metrics_row(1))
    whole = len(lines(metrics_row(0)))
    for end in range(whole, len(text)):
        assert len(metrics_of(tmp_path, text[:end])) == 1
    assert len(metrics_of(tmp_path, text)) == 2


def test_no_number_is_no_fault(tmp_path: Path) -> None:
    text = '{"epoch": 0, "loss": NaN, "learning_rate": Infinity, "gradient_norms": null}\n'
    metrics = metrics_of(tmp_path, text)
    assert metrics.best is None
    assert metrics.value_at("learning_rate", 0) is None


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "{",
        '{"loss": 1}',
        '{"epoch": -1}',
        '{"epoch": true}',
        '{"epoch": 99999999999999999999}',
        '{"epoch": 1, "loss": "1"}',
        '{"epoch": 1, "gradient_norms": [1]}',
        '{"epoch": 1, "spike_rates": {"hidden": {}}}',
        '{"epoch": 1, "loss": 1, "confusion": [[1, 2]]}',
        '{"epoch": 1, "loss": 1, "confusion": [[-1]]}',
        '{"epoch": 1, "loss": 1, "confusion": [[1]], "undecided_by_label": [0.5]}',
        '{"epoch": 1, "loss": 1, "confusion": [[1]], "undecided_by_label": [0, 0]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(RunError, match=r"metrics\.jsonl: line 2 is damaged"):
        metrics_of(tmp_path, lines(metrics_row(0)) + line + "\n")


@given(st.binary(max_size=400))
def test_any_bytes_are_metrics_or_refused(tmp_path_factory: Any, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "metrics.jsonl").write_bytes(content)
    with contextlib.suppress(RunError):
        assert len(read_metrics(folder, LAYERS, epochs=9)) <= max(9, content.count(b"\n"))


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
        assert isinstance(read_record(folder).status, str)


def changed(path: Path, **arrays: Any) -> None:
    """Writes ``activity.npz`` with some arrays changed; None leaves one out."""
    whole = activity() | arrays
    np.savez(path / "activity.npz", **{k: v for k, v in whole.items() if v is not None})


def test_activity_is_read(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run"))
    assert run.activity is not None
    assert [frame.epochs for frame in run.activity.snapshots] == [0, 3, 30]
    assert len(run.activity.samples) == 2
    sample = run.activity.samples[0]
    assert np.array_equal(sample.output.events, activity()["output_0"])
    assert (sample.output.cells, sample.output.cut, sample.label) == (OUTPUTS, None, None)
    assert run.missing_files == []


def test_arrays_in_either_order_are_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    changed(folder, output_0=np.asfortranarray(activity()["output_0"]))
    run = read_run(folder)
    assert run.activity is not None
    assert np.array_equal(run.activity.samples[0].output.events, activity()["output_0"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"format": np.int32(2)}, "format 2"),
        ({"epoch": None}, "epoch is missing"),
        ({"output_0": np.array([[STEPS, 0]], dtype=np.int32)}, "output_0 has events outside"),
        ({"output_0": np.array([[0, OUTPUTS]], dtype=np.int32)}, "output_0 has events outside"),
        ({"output_0": np.array([[-1, 0]], dtype=np.int32)}, "output_0 has events outside"),
        ({"output_0": np.zeros((3, 2))}, "output_0 has"),
        ({"target_1": np.zeros(4, dtype=np.int32)}, "target_1 has 1 dimensions"),
        (
            {"rate_hidden": np.zeros(3, dtype=np.float32)},
            "rate_hidden holds 3 numbers instead of 16",
        ),
        ({"frame_epochs": np.zeros(65, dtype=np.int32)}, "65 frames"),
        ({"frame_2": None}, "frame_2 is missing"),
        ({"cut_output_0": np.int32(STEPS + 1)}, "which is not a step"),
        ({"traced_hidden": None}, "traced_hidden is missing"),
        ({"traced_output": np.array([0, 1, OUTPUTS])}, "neurons that the layer does not have"),
        ({"traced_output": np.array([0, 1])}, "trace_output does not hold the states"),
        ({"trace_output": np.zeros((3, 3, STEPS))}, "trace_output does not hold the states"),
        ({"trace_output": np.zeros((5, 3, STEPS + 1))}, f"trace_output has {STEPS + 1} steps"),
    ],
)
def test_activity_of_another_network_is_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    folder = write_run(tmp_path / "run")
    changed(folder, **arrays)
    run = read_run(folder)
    assert run.activity is None
    (told,) = run.damage
    assert told.startswith(f"{folder / 'activity.npz'}: does not belong to this run: ")
    assert message in told


def damage_of(folder: Path) -> str:
    """The sentence that a report says of its activity file."""
    run = read_run(folder)
    assert run.activity is None
    (told,) = run.damage
    return told


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


def test_a_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    header = {"descr": "<i4", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(content, header)
    folder = write_run(tmp_path / "run")
    with zipfile.ZipFile(folder / "activity.npz", "w") as archive:
        archive.writestr("epoch.npy", content.getvalue())
    assert "is not a complete .npz file" in damage_of(folder)


@given(st.data())
def test_a_changed_byte_is_noticed_or_harmless(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = write_run(tmp_path_factory.mktemp("npz") / "run", epochs=1)
    content = bytearray((folder / "activity.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    (folder / "activity.npz").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(RunError):
        read_run(folder)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "has no layers.hidden.synapse.weight"),
        (weights(0) | {"layers.hidden.synapse.weight": np.zeros((2, 2))}, r"shape \[2, 2\]"),
        (weights(0) | {"layers.hidden.neuron.current_decay": np.zeros(3)}, r"shape \[3\]"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, tensors: dict[str, Any], message: str
) -> None:
    folder = write_run(tmp_path / "run")
    path = folder / "checkpoints" / "best.safetensors"
    save_file(tensors, path)
    page = build_page(read_run(folder))
    (told,) = page.damage
    assert told.startswith(f"{path}: ")
    assert re.search(message, told)
    assert page.weight_change.weights.rows
    assert [row[3] for row in page.weight_change.weights.rows] == ["–", "–"]


def test_weights_with_a_norm_are_what_the_synapses_have(tmp_path: Path) -> None:
    """Each row is of the length of its gain, whatever its own; a row of zeros stays zero."""
    normed = document()["layers"]
    normed[0] |= {"weight_norm": True, "bias": True}
    folder = write_run(tmp_path / "run", changes={"layers": normed})
    tensors = weights(1)
    weight_UI = tensors["layers.hidden.synapse.weight"]
    weight_UI[3] = 0
    gain_U1 = np.arange(1, len(weight_UI) + 1, dtype=np.float32)[:, None]
    tensors["layers.hidden.synapse.gain"] = gain_U1
    tensors["layers.hidden.neuron.bias"] = gain_U1[:, 0]
    path = folder / "checkpoints" / "best.safetensors"
    save_file(tensors, path)
    with open_weights(path) as file:
        assert file is not None
        layer = read_run(folder).graph.neuron_layers[0]
        found_UI, learnt = file.synapses(layer), file.learnt(layer)
    assert learnt.keys() == {"current_decay", "voltage_decay", "bias"}
    assert learnt["bias"].tolist() == gain_U1[:, 0].tolist()
    assert "bias" in [row[1] for row in build_page(read_run(folder)).weight_change.parameters.rows]
    lengths = np.linalg.norm(found_UI, axis=1)
    assert lengths[3] == 0
    assert np.delete(lengths, 3) == pytest.approx(np.delete(gain_U1[:, 0], 3))
    units = np.delete(weight_UI, 3, 0)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    assert np.delete(found_UI / gain_U1, 3, 0) == pytest.approx(units, abs=1e-6)


def spoil(path: Path, damage: str) -> None:
    path.unlink()
    if damage == "garbage":
        path.write_bytes(b"\xff\x00garbage\n" * 3)
    elif damage == "folder":
        path.mkdir()
    elif damage == "empty":
        path.touch()


@pytest.mark.parametrize("damage", ["garbage", "folder", "empty"])
@pytest.mark.parametrize(
    "name", ["activity.npz", "checkpoints/best.safetensors", "checkpoints/initial.safetensors"]
)
def test_a_damaged_file_is_told_and_done_without(tmp_path: Path, name: str, damage: str) -> None:
    whole = build_page(read_run(write_run(tmp_path / "whole")))
    folder = write_run(tmp_path / "run")
    spoil(folder / name, damage)
    page = build_page(read_run(folder))
    (told,) = page.damage
    assert told.startswith(f"{folder / name}: ")
    assert (page.slider is None) is (page.rates is None) is (name == "activity.npz")
    assert page.weight_change.weights.rows
    learned = [row[1:4:2] for row in page.weight_change.weights.rows]
    assert all((row[0] == "–") is name.endswith("initial.safetensors") for row in learned)
    assert all((row[1] == "–") is name.endswith("best.safetensors") for row in learned)
    assert [plot.spec for plot in page.training] == [plot.spec for plot in whole.training]
    text = write_report(folder).read_text()
    assert text.index(name) < text.index('class="headline"')


@pytest.mark.parametrize("name", ["run.json", "network.lock.json", "metrics.jsonl"])
@pytest.mark.parametrize("damage", ["garbage", "folder", "missing"])
def test_a_damaged_file_ends_in_one_message(tmp_path: Path, name: str, damage: str) -> None:
    folder = write_run(tmp_path / "run")
    path = folder / name
    spoil(path, damage)
    with pytest.raises(RunError) as caught:
        write_report(folder)
    assert name in str(caught.value)
    is_missing = damage == "missing" or (damage == "folder" and name == "network.lock.json")
    assert caught.value.exit_code == (3 if is_missing else 1)
    assert not (folder / "report.html").exists()


def test_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no such run"):
        write_report(tmp_path / "nowhere")
    (tmp_path / "network.json").write_text("{}")
    with pytest.raises(RunError, match="is a file; name the folder of a run"):
        write_report(tmp_path / "network.json")
    with pytest.raises(RunError, match="is no run"):
        write_report(tmp_path)
