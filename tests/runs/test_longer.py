"""Runs that go on with other values: longer, with another rate, or after a divergence."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from support.cli_process import Netdesc
from support.training_task import (
    read_metrics,
    read_record,
    train,
    train_task,
    untimed_metrics,
    weights_of,
)

import netdesc as package
from netdesc.description import DescriptionError
from netdesc.runs import folder
from netdesc.runs.errors import RunError
from netdesc.training.metrics import Divergence

LONGER = {"training.epochs": 20}


def test_a_longer_run_has_the_bits_of_an_undisturbed_one(tmp_path: Path, netdesc: Netdesc) -> None:
    settings: dict[str, Any] = {
        "pairs": 5,
        "dropout": 0.2,
        "batch_size": 2,
        "validation_split": 0.2,
    }
    settings["schedule"] = {"type": "plateau", "factor": 0.5, "patience_epochs": 2}
    runs = [
        train_task(tmp_path / name, epochs=epochs, **settings).path
        for name, epochs in (("longer", 10), ("whole", 20))
    ]
    assert netdesc("train", "--resume", runs[0], "--set", "training.epochs=20").code == 0
    longer, whole = runs
    assert untimed_metrics(longer) == untimed_metrics(whole)
    assert weights_of(longer) == weights_of(whole)
    for name in ("activity.npz", "network.net"):
        assert (longer / name).read_bytes() == (whole / name).read_bytes()
    records = [read_record(run) for run in runs]
    for name in ("status", "epochs_done", "test", "verification", "findings", "layers"):
        assert records[0][name] == records[1][name]
    (resumed,) = records[0]["resumed"]
    assert (resumed["epochs_done"], resumed["settings"]) == (10, ["training.epochs=20"])
    lock = package.load(longer / "network.lock.json")
    assert lock.origins["/training/epochs"] == "--set"
    assert "20 of 20" in (longer / "report.html").read_text()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.seed=3", "training.seed cannot change .* training.epochs, "),
        ("layers.hidden.units=3", r"layers\.0\.units cannot"),
        ('training.optimizer={"type":"sgd"}', "training.optimizer"),
        ("training.epochs=5", "6 epochs of this run are trained"),
        ("training.gradient_clip=3", "6 epochs of this run are trained"),
    ],
)
def test_values_that_cannot_change_are_refused(
    tmp_path: Path, netdesc: Netdesc, setting: str, message: str
) -> None:
    run = train_task(tmp_path).path
    before = {path: path.read_bytes() for path in run.rglob("*.[jns]*")}
    with pytest.raises(RunError, match=message) as error:
        train(resume=run, overrides=[setting], progress="quiet")
    assert error.value.exit_code == 1
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(DescriptionError, match="ND106"):
        train(resume=run, overrides={"training.epochs": 0}, progress="quiet")


def test_a_value_that_stays_is_no_change(tmp_path: Path) -> None:
    run = train_task(tmp_path).path
    again = train(resume=run, overrides={"training.seed": 0, "training.epochs": 6})
    assert "done already" in again.message
    assert read_record(run)["resumed"] == []


def test_a_cosine_rate_rises_again_and_the_start_says_so(tmp_path: Path, netdesc: Netdesc) -> None:
    run = train_task(tmp_path, epochs=4, schedule={"type": "cosine"}).path
    outcome = netdesc("train", "--resume", run, "--set", "training.epochs=8")
    assert "goes on at 0.005 (it was 0.00146)" in outcome.err
    rates = [row["learning_rate"] for row in read_metrics(run)]
    assert rates[3] < rates[4] == 0.005
    assert rates[7] < rates[6]


def test_a_run_that_stopped_early_goes_on_when_it_may(tmp_path: Path) -> None:
    early = {"patience_epochs": 1, "min_delta": 1e9}
    run = train_task(tmp_path, early_stopping=early).path
    assert read_record(run)["epochs_done"] == 2
    with pytest.raises(RunError, match="early stopping ended this run after 2 epochs"):
        train(resume=run, overrides=LONGER, progress="quiet")
    again = train(
        resume=run, overrides={"training.early_stopping.patience_epochs": 3}, progress="quiet"
    )
    assert (again.status, len(read_metrics(run))) == ("done", 4)
    train(resume=run, overrides={"training.early_stopping": None}, progress="quiet")
    assert len(read_metrics(run)) == 6


def test_a_run_that_a_callback_ended_goes_on(tmp_path: Path) -> None:
    run = train_task(tmp_path, options={"callbacks": [lambda metrics: metrics["epoch"] == 2]}).path
    assert len(read_metrics(run)) == 2
    train(resume=run, overrides={"training.epochs": 5}, progress="quiet")
    assert len(read_metrics(run)) == 5
    assert not read_record(run)["stopped_early"]


def test_a_diverged_run_goes_on_with_a_lower_rate_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object) -> None:
        raise Divergence(3, "the loss is nan")

    with monkeypatch.context() as patch:
        patch.setattr("netdesc.training.loop.EpochMetricsSum.add_batch", diverge)
        run = train_task(tmp_path).path
    assert read_record(run)["status"] == "diverged"
    with pytest.raises(RunError, match=r"unless .* training\.optimizer\.learning_rate"):
        train(resume=run, overrides=LONGER, progress="quiet")
    again = train(
        resume=run, overrides={"training.optimizer.learning_rate": 0.001}, progress="quiet"
    )
    assert again.status == "done"
    assert {row["learning_rate"] for row in read_metrics(run)} == {0.001}
    assert not [each for each in read_record(run)["findings"] if each["code"] == "ND413"]


@pytest.mark.parametrize("name", ["run.json", "network.lock.json", None])
@pytest.mark.parametrize("again", [(), LONGER])
def test_a_kill_between_the_writes_leaves_a_run_that_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, again: Any
) -> None:
    """The process ends after it wrote the file, or in the first of the added epochs."""

    class Killed(BaseException):
        pass

    write = folder.write_file

    def write_and_end(path: Path, content: bytes) -> None:
        write(path, content)
        if path.name == name:
            raise Killed

    def end(self: object, options: object) -> None:
        raise Killed

    run = train_task(tmp_path).path
    with monkeypatch.context() as patch:
        if name is None:
            patch.setattr("netdesc.training.session.Session.run", end)
        patch.setattr(folder, "write_file", write_and_end)
        patch.setattr("netdesc.runs.run_record.write_file", write_and_end)
        with pytest.raises(Killed):
            train(resume=run, overrides=LONGER, progress="quiet")
    assert read_record(run)["status"] == "running"
    assert train(resume=run, overrides=again, progress="quiet").status == "done"
    epochs = 6 if name == "run.json" and not again else 20
    assert len(read_metrics(run)) == epochs
    assert package.load(run / "network.lock.json").document.training.epochs == epochs
    lock = (run / "network.lock.json").read_bytes()
    assert read_record(run)["lock_sha256"] == hashlib.sha256(lock).hexdigest()
