"""Losses that a Python program passes in the place of the document's main loss."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from support.classify_task import CLASSES, STEPS, classify_document, samples
from support.training_task import untimed_metrics, weights_of
from torch import Tensor, nn

import netdesc
from netdesc.losses.python_loss import LossError

DATA: dict[str, Any] = {"train": samples(12), "encoding": {"type": "rate"}, "range": (0, 4)}
REGULARIZER = {"type": "event_rate", "max_rate": 0.05}


def document(**changes: Any) -> dict[str, Any]:
    training = {"epochs": 2, "checkpoint_every_s": 0} | changes.pop("training", {})
    return classify_document(training=training, **changes)


def train(path: Path, network: Any = None, **options: Any) -> netdesc.Run:
    network = document() if network is None and "resume" not in options else network
    folder = {} if "resume" in options else {"run_dir": path}
    return netdesc.train(network, data=DATA, progress="quiet", **folder, **options)


def distance(signals: Any, target: Tensor) -> Tensor:
    """The loss ``spike_rate`` with the rates 0.2 and 0.03, summed over the samples."""
    goals = torch.where(nn.functional.one_hot(target, CLASSES) > 0, 0.2, 0.03)
    return (signals["output"].mean(0) - goals).square().sum()


def penalised(signals: Any, target: Tensor) -> Tensor:
    return distance(signals, target) + 100 * signals["hidden"].mean()


@pytest.mark.filterwarnings("ignore")
def test_a_function_trains_as_the_loss_that_it_computes(tmp_path: Path) -> None:
    network = document(
        loss={"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03, "weight": 0.5},
        regularizers=[REGULARIZER],
    )
    runs = [
        train(tmp_path / name, network, **options)
        for name, options in (("a", {}), ("b", {"loss": distance}), ("c", {"loss": penalised}))
    ]
    losses, weights = [run.metrics["loss"] for run in runs], [weights_of(r.path) for r in runs]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2][0] > losses[0][0]
    assert weights[2] != weights[0]
    (text,) = netdesc.evaluate(runs[1], data=DATA).warnings
    report = (runs[1].path / "report.html").read_text()
    assert "0.5 × " in report
    assert all("test_python_loss.distance" in each for each in (text, report))


@pytest.mark.filterwarnings("ignore")
def test_resume_and_lock_ask_for_the_loss(tmp_path: Path) -> None:
    def stop(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == 1:
            raise KeyboardInterrupt

    whole = train(tmp_path / "whole", loss=penalised)
    run = train(tmp_path / "run", loss=penalised, callbacks=stop)
    assert "data=…, loss=…" in run.message
    lock = run.path / "network.lock.json"
    name = json.loads(lock.read_text())["lock"]["loss"]
    assert name.endswith("test_python_loss.penalised")
    for loss in (None, distance):
        for options in ({"resume": run}, {"network": lock}):
            with pytest.raises(LossError, match=name):
                train(tmp_path / "again", loss=loss, **options)
    run = train(tmp_path, resume=run, loss=penalised)
    again = train(tmp_path / "again", lock, loss=penalised)
    assert weights_of(run.path) == weights_of(again.path) == weights_of(whole.path)
    assert untimed_metrics(run.path) == untimed_metrics(whole.path)
    own = train(tmp_path / "own", callbacks=stop)
    with pytest.raises(LossError, match="leave out loss"):
        train(tmp_path, resume=own, loss=penalised)


WRONG: list[tuple[Any, str]] = [
    (3, "function"),
    (nn.Linear(2, 3), "parameters"),
    (lambda signals, target: 1.0, r"test_python_loss\.py:\d+.* float"),
    (lambda signals, target: signals["output"].mean(0), r"\[8, 3\].* scalar"),
    (lambda signals, target: signals["output"].detach().mean(), "gradient"),
    (lambda signals, target: target.sum(), "scalar"),
]


@pytest.mark.parametrize(("loss", "problem"), WRONG)
def test_what_is_no_loss_is_refused_before_the_run(loss: Any, problem: str, tmp_path: Path) -> None:
    with pytest.raises(LossError, match=problem):
        train(tmp_path / "run", loss=loss)
    assert not (tmp_path / "run").exists()


def test_the_exception_of_a_loss_tells_the_shapes(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="outptu") as raised:
        train(tmp_path / "run", loss=lambda signals, target: signals["outptu"].sum())
    (note,) = raised.value.__notes__
    assert f'"output": [{STEPS}, 8, {CLASSES}]' in note
    assert "torch.int64 [8]" in note


def test_states_that_other_losses_read_are_signals(tmp_path: Path) -> None:
    state = {"type": "cross_entropy", "signal": "v", "reduction": "sum"}
    names: list[set[str]] = []
    network = document(loss=[{"type": "spike_rate"}, state])
    with pytest.raises(LossError):
        train(tmp_path, network, loss=lambda signals, _: names.append({*signals}))
    assert names == [{"hidden", "output", "output.v"}]


@pytest.mark.filterwarnings("ignore")
def test_a_loss_of_nan_is_divergence(tmp_path: Path) -> None:
    with pytest.raises(LossError):
        train(tmp_path / "refused", loss=lambda signals, _: (signals["output"] * math.nan).sum())
    run = train(
        tmp_path / "run",
        loss=lambda signals, _: (0 / (signals["output"] == 0)).sum() * signals["output"].sum(),
    )
    assert run.status == "diverged"


@pytest.mark.parametrize(("reduction", "other"), [("mean", torch.sum), ("sum", torch.mean)])
def test_a_sum_in_place_of_a_mean_is_refused(tmp_path: Path, reduction: str, other: Any) -> None:
    network = document(loss={"type": "spike_rate", "reduction": reduction})
    with pytest.raises(LossError, match=other.__name__):
        train(tmp_path, network, loss=lambda signals, _: other((signals["output"] - 1) ** 2))
