"""Documents, overrides and networks that are Python values instead of files."""

import json
import os
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from support.classify_task import write_classify_task
from support.exchange_samples import set_time
from support.training_task import write_task

import netdesc
from netdesc.events import read_events


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A document whose files are in the working directory."""
    monkeypatch.chdir(tmp_path)
    return json.loads(write_task(tmp_path, epochs=2).read_text())


def test_a_dict_and_a_text_mean_the_same_as_the_file(document: dict[str, Any]) -> None:
    of_file = netdesc.load("tiny.json")
    for description in (
        netdesc.load(document),
        netdesc.load(MappingProxyType(document)),
        netdesc.loads(json.dumps(document)),
    ):
        assert description.document == of_file.document
        assert description.resolve("input0.bs1") == Path("input0.bs1").absolute()
        assert json.loads(description.text) == document


def test_values_of_numpy_and_paths_are_read(document: dict[str, Any]) -> None:
    document["layers"][0]["units"] = np.int64(16)
    document["input"]["shape"] = np.array([12])
    document["data"]["train"][0]["input"]["path"] = Path("input0.bs1")
    assert netdesc.load(document).document == netdesc.load("tiny.json").document
    with pytest.raises(TypeError, match="complex is none"):
        netdesc.load({"format": 1j})


def test_whole_numbers_of_numpy_are_whole_numbers(document: dict[str, Any]) -> None:
    steps = document["time"]["steps"]
    for value in (np.float32(steps), np.float64(steps), torch.tensor(float(steps))):
        document["time"]["steps"] = value
        assert netdesc.load(document).document == netdesc.load("tiny.json").document
    for value in (np.float32(40.5), float(steps)):
        document["time"]["steps"] = value
        with pytest.raises(netdesc.DescriptionError, match="must be an integer"):
            netdesc.load(document)


def test_dicts_that_have_no_end(document: dict[str, Any]) -> None:
    document["layers"].append(document)
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"a": deep}
    for wrong in (document, deep):
        with pytest.raises(ValueError, match="contains itself, or is nested"):
            netdesc.load(wrong)
        with pytest.raises(ValueError, match="contains itself, or is nested"):
            netdesc.load("tiny.json", {"training": wrong})


@pytest.mark.parametrize("value", [b"{}", None, 3])
def test_values_that_are_neither_texts_nor_paths(value: Any) -> None:
    with pytest.raises(TypeError, match="text"):
        netdesc.loads(value)
    with pytest.raises(TypeError, match="path"):
        netdesc.load(value)


@pytest.mark.parametrize("name", ["x" * 300, "x" * 5000, "x" * 300 + ".net", "a\0b"])
def test_names_that_no_file_has(name: str, document: dict[str, Any]) -> None:
    for act in (
        lambda: netdesc.compile(name),
        lambda: netdesc.evaluate(name),
        lambda: netdesc.train(document, run_dir=name, progress="quiet"),
        lambda: netdesc.train(resume=name, progress="quiet"),
    ):
        with pytest.raises(ValueError, match=r"name|no such run|NUL|null"):
            act()
    assert not [path for path in Path().iterdir() if path.is_dir()]


def test_the_diagnostics_of_a_dict_have_no_fixes(document: dict[str, Any]) -> None:
    document["trainng"] = document.pop("training")
    description, found = netdesc.check(document)
    assert description is None
    assert [each.code for each in found] == ["ND101"]
    assert (found[0].file, found[0].fix) == ("<dict>", None)
    with pytest.raises(netdesc.DescriptionError, match='did you mean "training"'):
        netdesc.load(document)
    with pytest.raises(netdesc.DescriptionError, match="<text>:1:2: error"):
        netdesc.loads("{format: 1}")


def test_text_in_place_of_a_path_names_the_right_function(document: dict[str, Any]) -> None:
    with pytest.raises(netdesc.DescriptionError, match=r"netdesc\.loads"):
        netdesc.load(json.dumps(document))


def test_overrides_are_a_mapping(document: dict[str, Any]) -> None:
    other = Path("deep")
    other.mkdir()
    os.rename("input0.bs1", "deep/input0.bs1")
    changes = {
        "training.epochs": np.int64(7),
        "layers.hidden.units": 3,
        "training.optimizer": {"type": "sgd", "learning_rate": 1},
        "name": "50",
        "/data/train/0/input/path": Path("deep/input0.bs1"),
    }
    for source in ("tiny.json", document):
        found = netdesc.load(source, changes)
        assert found.document.training.epochs == 7
        assert found.document.layers[0].model_dump()["units"] == 3
        assert found.document.training.optimizer.type == "sgd"
        assert found.document.name == "50", "a text stays a text"
        assert found.origins["/training/epochs"] == "--set"
    with pytest.raises(netdesc.DescriptionError, match=r"training\.epoch=3"):
        netdesc.load(document, {"training.epoch": 3})


def test_any_form_of_a_network_computes_the_same(document: dict[str, Any], tmp_path: Path) -> None:
    compiled = netdesc.compile(document)
    netdesc.export_net(compiled.model, tmp_path / "tiny.net")
    imported = netdesc.import_net(tmp_path / "tiny.net", steps=40)
    event = read_events("input0.bs1")
    expected = netdesc.run("tiny.json", "input0.bs1").spikes_TN
    assert expected.any()
    for network in (document, netdesc.load(document), compiled, imported, Path("tiny.json")):
        for recording in (event, Path("input0.bs1")):
            assert np.array_equal(netdesc.run(network, recording).spikes_TN, expected)
    assert np.array_equal(netdesc.run(imported, event, "integer").spikes_TN, expected)
    input_TBN = event.to_tensor((12,), steps=40).unsqueeze(1)
    for network in (document, imported, tmp_path / "tiny.net"):
        output_TBN = netdesc.compile(network).model(input_TBN)
        assert np.array_equal(output_TBN[:, 0].detach().numpy() != 0, expected)


def test_a_network_file_runs_in_the_steps_of_its_network(document: dict[str, Any]) -> None:
    document["time"] = {"steps": 80, "step_ms": 0.5}
    expected = netdesc.run(document, "input0.bs1").spikes_TN
    assert expected.any()
    netdesc.export_net(netdesc.compile(document), "tiny.net")
    result = netdesc.run("tiny.net", "input0.bs1")
    assert (result.graph.step_ms, result.warnings) == (0.5, [])
    assert np.array_equal(result.spikes_TN, expected)


def test_a_file_without_a_time_runs_until_its_last_event_leaves(document: dict[str, Any]) -> None:
    netdesc.export_net(netdesc.compile(document).model, "tiny.net")
    set_time(Path("tiny.net"), None, None)
    event = read_events("input0.bs1")
    for network in ("tiny.net", netdesc.import_net("tiny.net")):
        result = netdesc.run(network, event)
        assert 40 <= len(result.spikes_TN) <= 43
        assert "steps of 1 ms are assumed" in " ".join(result.warnings)
    (warning,) = netdesc.export_net("tiny.net", "again.net")
    assert "steps of 1 ms are assumed" in warning
    result = netdesc.run(netdesc.import_net("tiny.net", step_ms=0.5), event)
    assert (result.graph.step_ms, result.warnings) == (0.5, [])
    assert 79 <= len(result.spikes_TN) <= 83


def test_an_unknown_form_of_network_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="not int"):
        netdesc.compile(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="not int"):
        netdesc.train(3)  # pyright: ignore[reportArgumentType]
    netdesc.export_net(netdesc.compile(document), "tiny.net")
    with pytest.raises(TypeError, match=r"save it first: .*\.save\("):
        netdesc.train(netdesc.import_net("tiny.net"))  # pyright: ignore[reportArgumentType]
    imported = netdesc.import_net("tiny.net").description | {"name": "unsaved"}
    imported["weights"] = {"path": "unsaved.safetensors"}
    for data in (None, {"train": (np.ones((1, 40, 12)), np.ones((1, 40, 6)))}):
        with pytest.raises(ValueError, match=r"\.save\(\)"):
            netdesc.train(imported, data=data)
    with pytest.raises(TypeError, match="result of compile, which"):
        netdesc.evaluate(netdesc.compile(document).model)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"resume .* not int"):
        netdesc.train(resume=3)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("epochs", r'netdesc\.load\(document, \{"training\.epochs": '),
        ("batch_size", r'netdesc\.load\(document, \{"training\.batch_size": '),
        ("callback", 'did you mean "callbacks"'),
        ("engin", 'did you mean "engine"'),
        ("nonsense", r"netdesc\.load\("),
    ],
)
def test_train_refuses_unknown_arguments(name: str, way: str, document: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f'no argument "{name}"; .*{way}'):
        netdesc.train(document, **{name: 3})  # pyright: ignore[reportArgumentType]


def test_every_form_of_network_is_exported(document: dict[str, Any], tmp_path: Path) -> None:
    compiled = netdesc.compile(document)
    assert netdesc.export_net(compiled.model, "start.net") == []
    for network in (document, "tiny.json", netdesc.load(document)):
        (warning,) = netdesc.export_net(network, "again.net")
        assert "untrained" in warning
        assert Path("again.net").read_bytes() == Path("start.net").read_bytes()
    for network in (compiled, "start.net", netdesc.import_net("start.net")):
        assert netdesc.export_net(network, "again.net") == []
        assert Path("again.net").read_bytes() == Path("start.net").read_bytes()
    run = netdesc.train(document, run_dir=tmp_path / "run", progress="quiet")
    for network in (run, run.path):
        assert netdesc.export_net(network, "again.net") == []
        assert Path("again.net").read_bytes() == (run.path / "network.net").read_bytes()


def test_the_best_epoch_has_all_metrics(tmp_path: Path) -> None:
    task = write_classify_task(tmp_path / "task")
    run = netdesc.train(task, run_dir=tmp_path / "<run>", progress="quiet")
    assert run.best.keys() == run.final.keys()
    assert run.metrics["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert {len(column) for column in run.metrics.values()} == {6}
    assert "spike_rates.hidden" in run.metrics
    assert run.final["epoch"] == 6
    row = run.best["epoch"] - 1
    for name in ("loss", "validation_loss", "accuracy", "validation_accuracy", "learning_rate"):
        assert run.best[name] == run.metrics[name][row]
    for text in (repr(run), run._repr_html_()):
        assert "validation loss" in text
        assert f"{run.best['validation_accuracy']:.1%}" in text
    assert "&lt;run&gt;/report.html" in run._repr_html_()
    assert "<run>" not in run._repr_html_()
    again = netdesc.train(resume=run, progress="quiet")
    assert (again.best, again.final) == (run.best, run.final)
    (run.path / "metrics.jsonl").write_text("damaged\n")
    lost = netdesc.train(resume=run.path, progress="quiet").best
    assert lost["validation_loss"] == run.best["validation_loss"]
