"""Runs: what they learn, which files they write, and which errors stop them before."""

import hashlib
import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from support.training_task import (
    INPUTS,
    STEPS,
    read_metrics,
    read_record,
    train,
    train_task,
    weights_of,
    write_task,
)

import netdesc
from netdesc.events import read_events
from netdesc.exchange import NetFileError
from netdesc.exchange.verification import RunDifference, Verification
from netdesc.kernels.engines import EngineError
from netdesc.modules import Network
from netdesc.runs.errors import RunError
from netdesc.training import session


def test_a_run_learns_and_writes_its_files(tmp_path: Path) -> None:
    run = train_task(tmp_path, epochs=40)
    assert (run.status, run.exit_code, run.path) == ("done", 0, tmp_path / "run")
    rows, record = read_metrics(run.path), read_record(run.path)
    assert [row["epoch"] for row in rows] == list(range(40))
    losses = [row["loss"] for row in rows]
    assert min(losses) < 0.9 * losses[0]
    assert run.best == record["best"] == rows[losses.index(min(losses))]
    assert run.final == record["final"] == rows[-1]
    assert rows[0].keys() >= {"epoch", "loss", "seconds", "learning_rate"}
    assert rows[0]["gradient_norms"].keys() == rows[0]["spike_rates"].keys() == {"hidden", "output"}
    assert record["status"] == "done"
    assert record["started"] <= record["ended"]
    assert [layer["layer"] for layer in record["layers"]] == ["hidden", "output"]
    assert record["versions"]["torch"] == metadata.version("torch")
    assert (run.path / "network.json").read_text() == (tmp_path / "task/tiny.json").read_text()
    lock = (run.path / "network.lock.json").read_text()
    assert record["lock_sha256"] == hashlib.sha256(lock.encode()).hexdigest()
    assert {path.name for path in (run.path / "checkpoints").iterdir()} == {
        "last.safetensors",
        "best.safetensors",
        "initial.safetensors",
        "last.state",
    }
    assert "done after 40 epochs" in (run.path / "train.log").read_text()


def test_the_lock_reproduces_the_run(tmp_path: Path) -> None:
    run = train_task(tmp_path, epochs=5, dropout=0.2, pairs=3, batch_size=2)
    again = train(netdesc.load(run.path / "network.lock.json"), run_dir=tmp_path / "again")
    assert weights_of(again.path) == weights_of(run.path)


def test_the_seed_decides_and_the_callers_settings_are_restored(tmp_path: Path) -> None:
    torch.manual_seed(99)
    expected, threads = torch.rand(3), torch.get_num_threads()
    finals = []
    for seed, caller in ((1, 99), (1, 5), (2, 99)):
        torch.manual_seed(caller)
        run = train_task(
            tmp_path,
            epochs=3,
            dropout=0.3,
            seed=seed,
            options={"run_dir": tmp_path / f"{seed}-{caller}"},
        )
        finals.append((run.path / "checkpoints/last.safetensors").read_bytes())
        if caller == 99:
            assert torch.equal(torch.rand(3), expected)
    assert finals[0] == finals[1] != finals[2]
    assert torch.get_num_threads() == threads


def test_early_stopping_ends_the_run(tmp_path: Path) -> None:
    run = train_task(
        tmp_path,
        epochs=500,
        optimizer={"type": "sgd", "learning_rate": 1e-12},
        early_stopping={"patience_epochs": 3},
    )
    record = read_record(run.path)
    assert run.status == "done"
    assert record["stopped_early"]
    assert record["epochs_done"] == len(read_metrics(run.path)) == 4


def test_clipping_limits_the_step(tmp_path: Path) -> None:
    run = train_task(
        tmp_path, epochs=1, gradient_clip=1e-3, optimizer={"type": "sgd", "learning_rate": 1.0}
    )
    # The best weights are those before the only step.
    first, last = (
        load_file(run.path / f"checkpoints/{name}.safetensors") for name in ("best", "last")
    )
    length = np.sqrt(sum(np.square(last[name] - first[name]).sum() for name in first))
    assert length == pytest.approx(1e-3, rel=1e-2)
    row = read_metrics(run.path)[0]
    assert np.hypot(*row["gradient_norms"].values()) > 1e-2


def test_an_export_that_is_another_network_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    difference = RunDifference(("integer", "exported"), 3, "hidden", 1, (0, 1), "file", "they part")

    def verify(model: Network, path: Path, part: str, samples_TBN: torch.Tensor) -> Verification:
        first = read_events(tmp_path / "task/input0.bs1").to_tensor((INPUTS,), steps=STEPS)
        assert samples_TBN[:, 0].tolist() == first.tolist()
        return Verification(f"{part} sample 0", STEPS, [], [difference], "", [])

    monkeypatch.setattr(session, "verify_shortly", verify)
    run = train_task(tmp_path, pairs=2)
    assert run.status == "done"
    verification = read_record(run.path)["verification"]
    assert (verification["identical"], verification["input"]) == (False, "train sample 0")
    assert f"warning: {verification['summary']}" in (run.path / "train.log").read_text()


FAILURES = [
    ("verify_shortly", NetFileError("a.net", "has layers that no importer reads"), "ND402"),
    ("verify_shortly", ValueError("a mistake of netdesc"), "ND402"),
    ("export_net", ValueError("a mistake of netdesc"), "ND402"),
]


@pytest.mark.parametrize(("check", "error", "code"), FAILURES)
def test_a_failing_check_at_the_end_costs_no_report(
    check: str, error: Exception, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(session, check, fail)
    with pytest.warns(UserWarning, match=str(error).removeprefix("a.net: ")):
        run = netdesc.train(write_task(tmp_path / "task"), run_dir=tmp_path / "run")
    assert (run.status, run.exit_code) == ("done", 0)
    assert run.report_path is not None
    (finding,) = read_record(run.path)["findings"]
    assert finding["code"] == code
    assert f"warning: {finding['message']}" in (run.path / "train.log").read_text()


def test_an_unwritten_report_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no figure")

    monkeypatch.setattr("netdesc.api.train.write_report", fail)
    with pytest.warns(UserWarning, match="no figure"):
        run = netdesc.train(write_task(tmp_path / "task"), run_dir=tmp_path / "run")
    assert (run.status, run.report_path) == ("done", None)


def test_a_network_of_neurons_alone_is_trained_exported_and_reported(tmp_path: Path) -> None:
    document = json.loads(write_task(tmp_path / "task").read_text())
    document["layers"] = [{"name": "only", "type": "neurons", "neuron": "cuba"}]
    document["input"]["shape"] = [6]
    for pair in document["data"]["train"]:
        pair["input"] = pair["target"]
    (tmp_path / "task/tiny.json").write_text(json.dumps(document))
    run = netdesc.train(tmp_path / "task/tiny.json", run_dir=tmp_path / "run", progress="quiet")
    assert (run.status, run.exit_code) == ("done", 0)
    assert run.report_path is not None


def test_weights_that_do_not_fit_name_keys_and_shapes(tmp_path: Path) -> None:
    run = train_task(tmp_path, epochs=1)
    weights = load_file(run.path / "checkpoints/last.safetensors")
    weights["layers.hidden.synapse.weight"] = weights["layers.hidden.synapse.weight"][:3]
    weights["layers.extra.synapse.weight"] = weights.pop("layers.output.synapse.weight")
    save_file(weights, tmp_path / "bad.safetensors")
    changes = {"weights.path": str(tmp_path / "bad.safetensors")}
    _, (problem,) = netdesc.check(tmp_path / "task/tiny.json", changes)
    assert (problem.code, problem.pointer) == ("ND309", "/weights/path")
    document = netdesc.load(tmp_path / "task/tiny.json", changes, with_files=False)
    with pytest.raises(RunError) as error:
        train(document, run_dir=tmp_path / "bad")
    for message in (problem.message, str(error.value)):
        assert "layers.output.synapse.weight is missing" in message
        assert "layers.extra.synapse.weight has no place" in message
        assert (
            "layers.hidden.synapse.weight has shape [3, 12]; the network's is [16, 12]" in message
        )
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "abacus"}, "unknown engine"),
        ({"device": "abacus"}, "unknown device"),
        ({"device": "gpu"}, 'did you mean "cuda"?'),
    ],
)
def test_an_unavailable_device_or_engine_is_one_error(
    options: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=message) as error:
        train_task(tmp_path, options=options)
    assert error.value.exit_code == 3
    assert not (tmp_path / "run").exists()


def test_a_device_of_torch_is_known_by_its_name(tmp_path: Path) -> None:
    run = train_task(tmp_path, epochs=1, options={"device": torch.device("cpu")})
    assert read_record(run.path)["device"]["type"] == "cpu"
