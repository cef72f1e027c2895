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
    settings: dict[str, Any] = {"pairs": 5, "dropout": 0.2, "batch_size": 2}
    settings["schedule"] = {"type": "plateau", "factor": 0.5, "patience_epochs": 2}
    longer, whole = runs = [
        train_task(tmp_path / str(epochs), epochs=epochs, validation_split=0.2, **settings).path
        for epochs in (10, 20)
    ]
    assert netdesc("train", "--resume", longer, "--set", "training.epochs=20").code == 0
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


REFUSED = {
    "training.seed=3": r"training\.seed .*training\.epochs, ",
    "layers.hidden.units=3": r"layers\.0\.units",
    'training.optimizer={"type":"sgd"}': r"training\.optimizer",
    "training.epochs=5": "6 epochs",
    "training.gradient_clip=3": "6 epochs",
}


def test_values_that_cannot_change_are_refused(tmp_path: Path) -> None:
    run = train_task(tmp_path).path
    before = {path: path.read_bytes() for path in run.rglob("*.[jns]*")}
    for setting, message in REFUSED.items():
        with pytest.raises(RunError, match=message) as error:
            train(resume=run, overrides=[setting], progress="quiet")
        assert error.value.exit_code == 1
    with pytest.raises(DescriptionError, match="ND106"):
        train(resume=run, overrides={"training.epochs": 0}, progress="quiet")
    train(resume=run, overrides={"training.seed": 0, "training.epochs": 6})  # no change
    assert {path: path.read_bytes() for path in before} == before


def test_a_cosine_rate_rises_again_and_the_start_says_so(tmp_path: Path, netdesc: Netdesc) -> None:
    run = train_task(tmp_path, epochs=4, schedule={"type": "cosine"}).path
    outcome = netdesc("train", "--resume", run, "--set", "training.epochs=8")
    assert "0.00146" in outcome.err
    rates = [row["learning_rate"] for row in read_metrics(run)]
    assert rates[3] < rates[4] == 0.005
    assert rates[7] < rates[6]


def test_a_run_that_stopped_early_or_by_a_callback_goes_on(tmp_path: Path) -> None:
    early = {"patience_epochs": 1, "min_delta": 1e9}
    run = train_task(tmp_path, early_stopping=early).path
    assert read_record(run)["epochs_done"] == 2
    with pytest.raises(RunError, match="2 epochs"):
        train(resume=run, overrides=LONGER, progress="quiet")
    patience = {"training.early_stopping.patience_epochs": 3}
    again = train(resume=run, overrides=patience, progress="quiet")
    assert (again.status, len(read_metrics(run))) == ("done", 4)
    ended: Any = [lambda metrics: metrics["epoch"] == 5]
    changes = {"training.early_stopping": None, "training.epochs": 7}
    train(resume=run, overrides=changes, callbacks=ended, progress="quiet")
    assert len(read_metrics(run)) == 5
    train(resume=run, overrides={"training.epochs": 6}, progress="quiet")
    assert len(read_metrics(run)) == 6
    assert not read_record(run)["stopped_early"]


def test_diverged_runs_need_a_lower_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object) -> None:
        raise Divergence(3, "the loss is nan")

    with monkeypatch.context() as patch:
        patch.setattr("netdesc.training.loop.EpochMetricsSum.add_batch", diverge)
        run = train_task(tmp_path).path
    assert read_record(run)["status"] == "diverged"
    with pytest.raises(RunError, match=r"training\.optimizer\.learning_rate"):
        train(resume=run, overrides=LONGER, progress="quiet")
    rate = {"training.optimizer.learning_rate": 0.001}
    again = train(resume=run, overrides=rate, progress="quiet")
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
