"""Training on arrays in memory: the same results as from files, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.classify_task import (
    CELLS,
    CLASSES,
    STEPS,
    classify_document,
    samples,
    write_classify_task,
)
from support.training_task import read_record, untimed_metrics, weights_of, write_task
from torch.utils.data import DataLoader, TensorDataset

import netdesc
from netdesc import machine
from netdesc.data.data_errors import DataError
from netdesc.data.memory_data import MemoryData
from netdesc.data.samples import SampleSpec
from netdesc.events import Event, read_events
from netdesc.report.page import Page
from netdesc.report.run import RunData
from netdesc.runs.state import resume_command
from netdesc.training.device import MemoryShortageError


def parts(folder: Path) -> dict[str, Any]:
    """The arrays of a classification task, by part."""
    with np.load(folder / "data.npz") as file:
        split, inputs, labels = file["split"], file["inputs"], file["labels"]
    names = enumerate(("train", "validation", "test"))
    return {name: (inputs[split == n], labels[split == n]) for n, name in names}


def fail(metrics: dict[str, Any]) -> None:
    if metrics["epoch"] == 3:
        raise RuntimeError


def test_labelled_arrays_train_as_their_file(tmp_path: Path) -> None:
    path = write_classify_task(tmp_path / "task")
    of_file = netdesc.train(path, run_dir=tmp_path / "file", progress="quiet")
    content = json.loads(path.read_text())
    del content["data"]
    arrays = parts(path.parent)
    given = arrays | {"encoding": {"type": "rate"}, "range": (0, 4)}
    for name, network, data in (("dict", content, given), ("path", path, arrays)):
        run = netdesc.train(network, run_dir=tmp_path / name, data=data, progress="quiet")
        assert run.status == "done"
        assert weights_of(run.path) == weights_of(of_file.path)
        assert untimed_metrics(run.path) == untimed_metrics(of_file.path)
        for part in ("train", "validation", "test"):
            measured = netdesc.evaluate(run, part, arrays)
            assert measured.loss == netdesc.evaluate(of_file, part).loss
        lock = json.loads((run.path / "network.lock.json").read_text())
        assert lock["data"] is None
        assert lock["lock"]["files"] == []


def test_a_run_without_a_checkpoint_names_the_call_that_goes_on(tmp_path: Path) -> None:
    content = json.loads(write_classify_task(tmp_path / "task").read_text()) | {"data": None}

    def interrupt(metrics: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    run = netdesc.train(
        content, run_dir=tmp_path / "run",
        data=parts(tmp_path / "task") | {"encoding": {"type": "rate"}, "range": (0, 4)},
        callbacks=[interrupt], progress="quiet",
    )  # fmt: skip
    call = f'netdesc.train(resume="{run.path}", data=…)'
    assert call in run.message
    assert resume_command(run.path) == call
    (run.path / "run.json").unlink()
    assert resume_command(run.path) == f"netdesc train --resume {run.path}"


def test_a_compiled_or_imported_network_is_measured_on_arrays(tmp_path: Path) -> None:
    path = write_classify_task(tmp_path / "task", data={"encoding": {"type": "latency"}})
    data = parts(path.parent) | {"encoding": {"type": "latency"}, "range": (0, 4)}
    compiled = netdesc.compile(path)
    expected = netdesc.evaluate(path)
    loss: Any = pytest.approx(expected.loss)
    assert netdesc.evaluate(compiled, data=data) == replace(expected, loss=loss, warnings=[])
    netdesc.export_net(compiled, tmp_path / "a.net")
    spikes = np.zeros((1, STEPS, CELLS)), np.ones((1, STEPS, CLASSES))
    imported = netdesc.import_net(tmp_path / "a.net", steps=STEPS)
    measured = netdesc.evaluate(imported, data={"train": spikes})
    assert (measured.matched.met, measured.samples) == (0, 1)
    for part in ("validation", "test"):
        del data[part]
    with pytest.raises(DataError, match=r"test; .*train"):
        netdesc.evaluate(compiled, "test", data)


def test_spike_trains_and_tensors_train_as_their_files(tmp_path: Path) -> None:
    path = write_task(tmp_path / "task", pairs=3, batch_size=2)
    events = [
        [read_events(path.with_name(f"{role}{number}.bs1")) for number in range(3)]
        for role in ("input", "target")
    ]
    inputs, targets = (
        torch.stack([each.to_tensor((size,), steps=40) for each in column])
        for column, size in zip(events, (12, 6), strict=True)
    )
    assert inputs.shape == (3, 40, 12)
    of_files = netdesc.train(path, run_dir=tmp_path / "files", progress="quiet")
    data = {"train": (inputs.bool(), targets.numpy())}
    run = netdesc.train(path, run_dir=tmp_path / "run", data=data, progress="quiet")
    assert weights_of(run.path) == weights_of(of_files.path)
    assert untimed_metrics(run.path) == untimed_metrics(of_files.path)


def test_the_report_suggests_calls_in_python_for_what_needs_the_arrays(tmp_path: Path) -> None:
    data = {"train": samples(12)}
    run = netdesc.train(classify_document(), run_dir=tmp_path / "a", data=data, progress="quiet")
    texts = [step.text for step in Page(RunData(run.path)).steps]
    assert any(text.startswith("netdesc export") for text in texts)
    calls = [text for text in texts if "evaluate" in text or "train" in text]
    assert calls
    assert all(text.startswith("netdesc.") and text.endswith("data=…)") for text in calls)


@pytest.mark.parametrize(
    "changes",
    [
        {"final": {"epoch": 1, "loss": "1"}},
        {"samples": {"train": "1", "validation": 0}},
        {"memory_data": [], "status": "interrupted"},
        {"memory_data": {"encoding": 3, "range": 0, "sha256": ""}, "status": "interrupted"},
    ],
)
def test_a_damaged_record_is_one_error(changes: dict[str, Any], tmp_path: Path) -> None:
    data = {"train": samples(12)}
    document = classify_document(training={"epochs": 1})
    run = netdesc.train(document, run_dir=tmp_path / "run", data=data, progress="quiet")
    path = run.path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    for act in (
        lambda: netdesc.train(resume=run.path, data=data, progress="quiet"),
        lambda: netdesc.evaluate(run.path, data=data),
    ):
        with pytest.raises(ValueError, match=r"run\.json"):
            act()


def test_a_run_continues_with_the_same_arrays_only(tmp_path: Path) -> None:
    data = {"train": samples(24), "validation": samples(9, seed=1)}
    document = classify_document(training={"checkpoint_every_s": 0})
    whole = netdesc.train(document, run_dir=tmp_path / "whole", data=data, progress="quiet")
    with pytest.raises(RuntimeError):
        netdesc.train(
            document, run_dir=tmp_path / "run", data=data, callbacks=[fail], progress="quiet"
        )
    with pytest.raises(DataError, match="data="):
        netdesc.train(resume=tmp_path / "run", progress="quiet")
    other = data | {"train": samples(24, seed=2)}
    for wrong in (other, data | {"range": (0, 5)}):
        with pytest.raises(DataError, match="data is not that"):
            netdesc.train(resume=tmp_path / "run", data=wrong, progress="quiet")
    run = netdesc.train(resume=tmp_path / "run", data=data, progress="quiet")
    assert run.status == "done"
    assert weights_of(run.path) == weights_of(whole.path)
    with pytest.raises(DataError, match="data="):
        netdesc.evaluate(run)
    assert netdesc.evaluate(run, "validation", data).loss == run.metrics["validation_loss"].min()


def test_a_run_of_files_takes_no_arrays(tmp_path: Path) -> None:
    path = write_classify_task(tmp_path / "task")
    with pytest.raises(RuntimeError):
        netdesc.train(path, run_dir=tmp_path / "run", callbacks=[fail], progress="quiet")
    (tmp_path / "task/data.npz").unlink()
    with pytest.raises(DataError, match=r"files.*weights\.path"):
        netdesc.train(resume=tmp_path / "run", data={"train": samples(9)}, progress="quiet")
    assert read_record(tmp_path / "run")["status"] == "failed"


VALUES, LABELS = samples(12)
TENSOR = torch.as_tensor(VALUES)
AS_SPIKES = {"encoding": {"type": "spikes"}}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({}, "holds no samples"),
        ({"trian": (VALUES, LABELS)}, 'no part "trian"; there are train'),
        ({"train": VALUES}, "pair of arrays"),
        ({"train": DataLoader(TensorDataset(TENSOR), batch_size=8)}, r"tuple of 1 item; .*pair"),
        ({"train": (np.ones((STEPS, 24, CELLS)), [*LABELS, *LABELS]), **AS_SPIKES}, "swapaxes"),
        ({"train": (["a"], LABELS)}, r'data\["train"\].* of numbers is needed'),
        ({"train": (TENSOR.to_sparse(), LABELS)}, r'data\["train"\].*to_dense'),
        ({"train": (np.ma.masked_array(VALUES, VALUES > 1), LABELS)}, r'data\["train"\].* mask'),
        ({"train": (VALUES, LABELS), "encoding": object()}, r'\{"type": "rate"\}'),
        ({"train": ([[1], [1, 2]], LABELS)}, "cannot be an array"),
        ({"train": ([np.zeros(2, [("t", "i8"), ("x", "i2")])], LABELS)}, "events; to_tensor"),
        ({"train": ((Event([1], t=[2]), Event([3], t=[4])), LABELS)}, r"no array; to_tensor"),
        ({"train": (VALUES, LABELS), "range": (4, 0)}, "range.*: 4 must be below 0"),
        ({"train": (VALUES, LABELS), "range": 3}, "data.range must be a list"),
        ({"train": (VALUES, LABELS), "encoding": {"type": "rate", "max_rat": 1}}, '"max_rate"'),
        ({"train": (VALUES, LABELS), "encoding": {"type": "rate", "max_rate": 2}}, "encoding.max"),
        ({"train": (VALUES, LABELS), "augmentation": [{"type": "time_shift"}]}, '"max_steps"'),
    ],
)
def test_arrays_that_do_not_fit(data: Any, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=problem):
        netdesc.train(classify_document(), run_dir=tmp_path / "run", data=data, progress="quiet")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "convert",
    [lambda tensor: tensor.bfloat16(), lambda tensor: list(tensor.double().requires_grad_())],
)
def test_every_form_of_numbers_trains_the_same(convert: Any, tmp_path: Path) -> None:
    document = classify_document(training={"epochs": 1})
    runs = [
        netdesc.train(document, run_dir=tmp_path / name, data=data, progress="quiet")
        for name, data in (
            ("a", {"train": (VALUES, LABELS)}),
            ("b", {"train": (convert(TENSOR), list(torch.as_tensor(LABELS)))}),
        )
    ]
    assert weights_of(runs[0].path) == weights_of(runs[1].path)


def test_two_kinds_of_validation_are_refused(tmp_path: Path) -> None:
    document = classify_document(data={"split": None}, training={"validation_split": 0.2})
    data = {"train": samples(12), "validation": samples(3)}
    with pytest.raises(DataError, match="validation_split"):
        netdesc.train(document, run_dir=tmp_path / "run", data=data, progress="quiet")


def test_arrays_are_divided_as_in_training(tmp_path: Path) -> None:
    document = classify_document(data={"split": None}, training={"validation_split": 0.25})
    data = {"train": samples(24)}
    run = netdesc.train(document, run_dir=tmp_path / "run", data=data, progress="quiet")
    measured = netdesc.evaluate(run, data=data)
    assert (measured.part, measured.samples) == ("validation", 6)
    assert measured.loss == run.best["validation_loss"]
    assert netdesc.evaluate(run, "train", data).samples == 18
    assert netdesc.evaluate(run, data={"test": samples(9)}).samples == 9


SPIKES, TARGETS = np.zeros((2, 40, 12)), np.zeros((2, 40, 6))
SPIKES[:, 3], TARGETS[:, 7] = 1, 1


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ((SPIKES.swapaxes(0, 1), TARGETS), r"shape \[40, 2, 12\]; .* inputs.swapaxes\(0, 1\)"),
        ((SPIKES, TARGETS[:, :, :5]), r'"targets" .*\[2, 40, 5\]; expected: \[2, 40, 6'),
        ((SPIKES, np.array([0, 1])), "labels were given; a loss such as spike_rate"),
        ((SPIKES, TARGETS[:1]), r"has the shape \[1, 40, 6\]; expected: \[2, 40"),
    ],
)
def test_spike_arrays_that_do_not_fit(pair: Any, problem: str, tmp_path: Path) -> None:
    task = write_task(tmp_path)
    with pytest.raises(DataError, match=problem):
        netdesc.train(task, run_dir=tmp_path / "run", data={"train": pair}, progress="quiet")


def test_shapes_are_checked_before_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(1 << 30, 1))
    task = write_task(tmp_path)
    turned = torch.from_numpy(SPIKES).transpose(0, 1)
    for inputs, error in ((turned, DataError), (turned.transpose(0, 1), MemoryShortageError)):
        with pytest.raises(error):
            netdesc.train(task, run_dir=tmp_path / "run", data={"train": (inputs, TARGETS)})
    assert not (tmp_path / "run").exists()


def test_spike_targets_go_with_any_encoding_and_may_be_the_inputs() -> None:
    spec = SampleSpec(40, 1.0, (12,), (12,), learns_from="target spikes")
    values = np.linspace(0, 1, 24).reshape(2, 12)
    data = {"train": (values, "inputs"), "encoding": {"type": "latency"}}
    samples = MemoryData.of(data).samples(spec, print)["train"]
    inputs, targets = samples.dense(())
    assert targets is inputs
    assert inputs.sum() == 23
