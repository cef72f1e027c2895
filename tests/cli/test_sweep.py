"""``netdesc sweep``: trials that are trained, joined, interrupted and killed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.cli_process import Netdesc
from support.training_task import STEPS, write_task

import netdesc as package
from netdesc.runs.process_lock import is_at_work
from netdesc.runs.sweep_table import SweepTable, TrialRow
from netdesc.sweeps.results import read_table

RATE = "training.optimizer.learning_rate"


def sweep_of(folder: Path, training: dict[str, Any] | None = None, **sweep: Any) -> Path:
    """A document whose sweep draws 6 learning rates at random, unless ``sweep`` says otherwise."""
    path = write_task(folder, **{"epochs": 3, **(training or {})})
    document = json.loads(path.read_text())
    rates = {RATE: {"log": [0.001, 0.1]}}
    document["sweep"] = {"trials": 6, "method": "random", "over": rates} | sweep
    path.write_text(json.dumps(document))
    return path


def weights(folder: Path) -> dict[str, str]:
    """Path of each checkpoint in a sweep -> its SHA-256."""
    paths = sorted(folder.glob("trials/*/seed*/checkpoints/last.safetensors"))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return {str(path.relative_to(folder)): text for path, text in zip(paths, digests, strict=True)}


def trials(table: SweepTable) -> list[tuple[Any, ...]]:
    return [(row.number, row.values, row.status, row.results, row.folders) for row in table.trials]


def test_a_sweep_runs_grows_and_lists_its_trials(netdesc: Netdesc, tmp_path: Path) -> None:
    document = sweep_of(tmp_path / "task", objectives=[{"minimize": "loss"}], seeds=2)
    ended = netdesc("sweep", document, "--dir", "S", "--trials", 2, "--json")
    assert ended.code == 0, ended.err
    assert [trial["status"] for trial in ended.record["trials"]] == ["done"] * 2
    for trial in ended.record["trials"]:
        losses = []
        for number, run in enumerate(trial["runs"]):
            record = json.loads((Path(run) / "run.json").read_text())
            lock = json.loads((Path(run) / "network.lock.json").read_text())
            assert lock["training"]["seed"] == number
            losses.append(record["best"]["loss"])
        assert trial["results"]["loss"] == sum(losses) / 2
        assert trial["spreads"]["loss"] == pytest.approx(abs(losses[0] - losses[1]))
    assert netdesc("sweep", "--dir", "S", "--trials", "+1", "-q").code == 0
    listed = netdesc("sweep", "list", "S", "--json").record
    best = min(listed["trials"], key=lambda trial: trial["results"]["loss"])
    assert (len(listed["trials"]), listed["best"]) == (3, [best["number"]])
    assert all(Path(run, "report.html").exists() for run in best["runs"])
    rows = netdesc("sweep", "list", "S", "--csv").out.splitlines()
    assert rows[0] == f"trial,status,loss,loss spread,{RATE},reason"
    assert rows[1].startswith(f"{best['number']},done,{best['results']['loss']},")

    Path("best.json").write_text(netdesc("sweep", "best", "S").out)
    assert netdesc("train", "best.json", "--run-dir", "again", "-q").code == 0
    for name in ("last", "best"):
        file = f"checkpoints/{name}.safetensors"
        assert Path("again", file).read_bytes() == Path(best["runs"][0], file).read_bytes()


def test_objectives_of_a_whole_run(tmp_path: Path) -> None:
    names = ("spikes_per_sample", "parameters", "seconds", "loss")
    document = sweep_of(tmp_path, objectives=[{"minimize": name} for name in names])
    rows: list[TrialRow] = []
    table = package.sweep(document, tmp_path / "S", trials=1, on_trial=rows.append)
    assert [row.number for row in rows] == [row.number for row in table.trials] == [0]
    (run,) = rows[0].folders
    evaluation = package.evaluate(tmp_path / "S" / run)
    record = json.loads((tmp_path / "S" / run / "run.json").read_text())
    spikes = sum(layer.rate * layer.neurons * STEPS for layer in evaluation.layers[1:])
    numbers = record["parameters"], record["seconds"], evaluation.loss
    assert rows[0].results == (pytest.approx(spikes), *numbers)


def test_pruned_and_diverged_trials_say_why(netdesc: Netdesc, tmp_path: Path) -> None:
    rates = {RATE: {"choices": [0.01, 1e30]}}
    document = sweep_of(tmp_path / "a", trials=None, method="grid", over=rates)
    listed = netdesc("sweep", document, "--dir", "S", "--json")
    assert listed.code == 0
    assert [trial["status"] for trial in listed.record["trials"]] == ["done", "failed"]
    assert "epoch" in listed.record["trials"][1]["reason"]
    prune = {"type": "median", "min_epochs": 1}
    many = {RATE: {"choices": [0.03, 0.031, 0.032, 0.033, 0.034, 1e-9]}}
    document = sweep_of(tmp_path / "b", trials=None, method="grid", over=many, prune=prune)
    table = package.sweep(document, tmp_path / "P")
    row = table.trials[-1]
    assert (row.status, bool(row.results)) == ("pruned", True)


def test_equal_failures_end_a_sweep(netdesc: Netdesc, tmp_path: Path) -> None:
    document = sweep_of(tmp_path / "task")
    netdesc("sweep", document, "--dir", "S", "--trials", 1, "-q")
    (tmp_path / "task" / "target0.bs1").unlink()
    ended = netdesc("sweep", "--dir", "S", "--trials", 6, "--json")
    assert ended.code == 3
    assert [row.status for row in read_table(Path("S")).trials] == ["done", *["failed"] * 3]


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--dir", "S"], ["plain.json", "--dir", "S"], ["doc", "--dir", "full"],
        ["doc", "--dir", "S", "--trials", "-3"], ["doc", "--dir", "S", "--trials", "0"],
        ["doc", "--dir", "S", "--jobs", "0"], ["doc"], ["list", "S"], ["best", "S"],
        ["report", "S"], ["--dir", "S", "--set", "training.epochs=2"], ["doc", "--dir", "doc"],
        ["doc", "--dir", "other"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_use_is_one_message(netdesc: Netdesc, tmp_path: Path, arguments: list[str]) -> None:
    document = sweep_of(tmp_path / "task")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    write_task(tmp_path / "plain").rename("plain.json")
    if "other" in arguments:
        assert netdesc("sweep", document, "--dir", "other", "--trials", 1, "-q").code == 0
        document.write_text(document.read_text().replace("0.001", "0.002"))
    ended = netdesc("sweep", *(document if word == "doc" else word for word in arguments))
    assert ended.code in (1, 2, 3)
    assert ended.err.startswith(("error", "Usage", "plain.json"))
    assert not Path("S").exists()


def test_seeds_of_one_document(netdesc: Netdesc, tmp_path: Path) -> None:
    document = write_task(tmp_path / "task", epochs=2, seed=7)
    command = ["train", document, "--seeds", 3, "--run-dir", "R", "--json"]
    ended = netdesc(*command).record
    losses = [run["best"]["loss"] for run in ended["runs"]]
    spread = max(losses) - min(losses)
    assert ended["best"]["loss"] == {"median": sorted(losses)[1], "spread": spread}
    locks = [json.loads(Path(f"R/seed{n}/network.lock.json").read_text()) for n in range(3)]
    assert [lock["training"]["seed"] for lock in locks] == [7, 8, 9]
    assert netdesc(*command).code == 2
    assert netdesc(*command, "--resume-or-start").record["best"] == ended["best"]
    assert netdesc("train", "--resume", "R/seed0", "--seeds", 2).code == 2


def start(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "netdesc", "sweep", "--dir", str(folder), "-q", *arguments]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})


def is_begun(folder: Path) -> bool:
    return any(is_at_work(run) for run in folder.glob("trials/*/seed*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_leaves_the_trial_open(tmp_path: Path, number: int, code: int) -> None:
    document = sweep_of(tmp_path, {"epochs": 100_000}, trials=1)
    process = start(tmp_path / "S", str(document))
    while not is_begun(tmp_path / "S") or not list(tmp_path.glob("S/trials/*/*/alive")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(60) == code
    (row,) = read_table(tmp_path / "S").trials
    assert row.status == "waiting"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_killed_workers_lose_no_trial(tmp_path: Path, workers: int) -> None:
    training = {"checkpoint_every_s": 0.01, "epochs": 16}
    document = sweep_of(tmp_path, training, trials=8, seeds=2)
    package.sweep(document, tmp_path / "undisturbed", engine="reference")
    command = [sys.executable, "-m", "support.sweep_killer", str(document), str(tmp_path / "S")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    ended = subprocess.run(
        [*command, str(workers), "20"], env=environment, capture_output=True, text=True, check=True
    )
    killed, failed = map(int, ended.stdout.split())
    assert (killed >= 20, failed) == (True, 0)
    table = read_table(tmp_path / "S")
    assert trials(table) == trials(read_table(tmp_path / "undisturbed"))
    assert weights(tmp_path / "S") == weights(tmp_path / "undisturbed")
    assert len(weights(tmp_path / "S")) == 16
