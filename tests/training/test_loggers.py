"""What Weights & Biases, MLflow and TensorBoard get of a run; fakes stand for the first two."""

import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support.cli_process import Netdesc
from support.training_task import at_epoch, read_metrics, read_record, write_task
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import netdesc as package
from netdesc.runs.errors import RunError, StorageError
from netdesc.training.loggers import LOGGERS


class FakeError(Exception):
    """Stands for ``wandb.Error`` and ``MlflowException``."""


class FakeService(SimpleNamespace):
    """What a service holds of its ``runs``, by id; ``broken`` lets every call of a run fail."""

    def run(self, key: str) -> Any:
        if self.broken:
            raise FakeError("no route to host\nmore")
        empty = SimpleNamespace(history=[], params={}, tags={}, status="", name="", starts=0)
        return self.runs.setdefault(key, empty)


def fake_wandb(service: FakeService) -> dict[str, Any]:
    def init(*, project: str, name: str, id: str, resume: str, dir: str, settings: Any) -> Any:
        run = service.run(id)
        run.name, run.starts = f"{project}/{name}", run.starts + 1
        assert (resume, Path(dir).name) == ("allow", name)

        def log(values: dict[str, float], *, step: int) -> None:
            service.run(id).history.append((step, values))
            handle.step = step + 1

        def finish(exit_code: int) -> None:
            service.run(id).status = "finished" if exit_code == 0 else "failed"

        handle = SimpleNamespace(log=log, finish=finish)
        handle.step = run.history[-1][0] + 1 if run.history else 0
        handle.config = SimpleNamespace(update=lambda config, **_: run.params.update(config))
        handle.summary = SimpleNamespace(update=run.tags.update)
        return handle

    return {"wandb": {"init": init, "Error": FakeError}}


def fake_mlflow(service: FakeService) -> dict[str, Any]:
    class MlflowClient:
        def get_experiment_by_name(self, name: str) -> Any:
            return SimpleNamespace(experiment_id=name) if service.runs else None

        def create_experiment(self, name: str) -> str:
            return name

        def create_run(self, experiment_id: str, *, run_name: str) -> Any:
            service.run("1").name = f"{experiment_id}/{run_name}"
            service.run("1").starts += 1
            return SimpleNamespace(info=SimpleNamespace(run_id="1"))

        def update_run(self, run_id: str, *, status: str) -> None:
            service.run(run_id).starts += 1

        def get_metric_history(self, run_id: str, key: str) -> Any:
            steps = [step for step, values in service.run(run_id).history if key in values]
            return [SimpleNamespace(step=step) for step in steps]

        def get_run(self, run_id: str) -> Any:
            return SimpleNamespace(data=service.run(run_id))

        def set_tag(self, run_id: str, key: str, value: str) -> None:
            service.run(run_id).tags[key] = value

        def log_batch(self, run_id: str, *, metrics: Any = (), params: Any = ()) -> None:
            run = service.run(run_id)
            assert len(params) <= 100
            assert "$" not in "".join(key for key, _ in params)
            assert not any(run.params.get(key, value) != value for key, value in params)
            run.params |= dict(params)
            values = {key: value for key, value, _, _ in metrics}
            if "best/loss" in values:
                run.tags |= values
            elif metrics:
                run.history.append((metrics[0][3], values))

        def set_terminated(self, run_id: str, status: str) -> None:
            service.run(run_id).status = status.lower()

    return {
        "mlflow": {"MlflowClient": MlflowClient},
        "mlflow.entities": dict.fromkeys(("Param", "Metric"), lambda *values: values),
        "mlflow.exceptions": {"MlflowException": FakeError},
    }


@pytest.fixture(params=["wandb", "mlflow"])
def service(request: Any, monkeypatch: pytest.MonkeyPatch) -> FakeService:
    service = FakeService(log=request.param, runs={}, broken=False)
    for name, content in {"wandb": fake_wandb, "mlflow": fake_mlflow}[service.log](service).items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return service


def test_a_killed_and_longer_run_goes_on_in_its_log(tmp_path: Path, service: FakeService) -> None:
    task = write_task(tmp_path / "task", pairs=4, validation_split=0.5, epochs=4)
    task_run, quiet = tmp_path / "run", {"progress": "quiet", "log": service.log}

    def kill(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == 3:
            raise MemoryError

    with pytest.raises(MemoryError):
        package.train(task, run_dir=task_run, callbacks=kill, **quiet)
    (run,) = service.runs.values()
    assert (run.name, run.status, run.tags["status"]) == ("tiny/run", "failed", "failed")
    service.run(*service.runs).history.append((4, {"loss/train": 0.0}))  # after the checkpoint
    package.train(resume=task_run, overrides={"training.epochs": 6}, **quiet)
    assert [*service.runs.values()] == [run]
    assert [step for step, _ in run.history] == [1, 2, 3, 4, 5, 6]
    row, (_, values) = read_metrics(task_run)[5], run.history[-1]
    assert values["loss/train"] == row["loss"] / 2
    assert values["loss/validation"] == row["validation_loss"] / 2
    assert values["spike_rate/hidden"] == row["spike_rates"]["hidden"]
    assert (run.status, run.starts, run.tags["status"]) == ("finished", 2, "done")
    assert run.tags["best/loss"] == read_record(task_run)["best"]["loss"] / 2
    texts = {**run.params, **run.tags}
    assert str(texts.get("training.epochs") or run.params["training"]["epochs"]) == "6"


def test_a_service_that_fails_ends_no_training(
    tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch, netdesc: Netdesc
) -> None:
    task, arguments = write_task(tmp_path / "task"), ("--log", service.log)
    at_epoch(monkeypatch, 2, lambda: setattr(service, "broken", True))
    outcome = netdesc("train", task, "--run-dir", tmp_path / "run", *arguments)
    assert outcome.code == 0
    assert outcome.err.count("no route to host") == 1
    (run,) = service.runs.values()
    assert len(run.history) == 2
    outcome = netdesc("train", task, "--run-dir", tmp_path / "second", *arguments)
    assert outcome.code == 1
    assert "no route to host; " in outcome.err
    assert read_record(tmp_path / "second")["status"] == "failed"


def test_a_missing_package_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, netdesc: Netdesc
) -> None:
    task = write_task(tmp_path / "task", epochs=1)
    for name, logger in LOGGERS.items():
        monkeypatch.setitem(sys.modules, logger.package, None)
        outcome = netdesc("train", task, "--run-dir", tmp_path / "run", "--log", name)
        assert outcome.code == 1
        assert f"netdesc[{name}]" in outcome.err
    with pytest.raises(RunError, match="wandb, mlflow, tensorboard"):
        package.train(task, run_dir=tmp_path / "run", log="tensorbord")
    assert not (tmp_path / "run").exists()


def test_tensorboard_has_each_epoch_once(tmp_path: Path, netdesc: Netdesc) -> None:
    task, folder = write_task(tmp_path / "task", epochs=3), tmp_path / "run"
    assert netdesc("train", task, "--run-dir", folder, "--log", "tensorboard").code == 0
    longer: Any = {"resume": folder, "log": ["tensorboard"], "progress": "quiet"}
    package.train(overrides={"training.epochs": 5}, **longer)
    log = EventAccumulator(str(folder / "tensorboard"), {"scalars": 0}).Reload()
    rows = read_metrics(folder)
    for tag, values in {
        "loss/train": [row["loss"] for row in rows],
        "gradient_norm/output": [row["gradient_norms"]["output"] for row in rows],
    }.items():
        assert [scalar.step for scalar in log.Scalars(tag)] == [1, 2, 3, 4, 5]
        assert [scalar.value for scalar in log.Scalars(tag)] == pytest.approx(values, rel=1e-6)
    assert "document/text_summary" in log.Tags()["tensors"]
    shutil.rmtree(folder / "tensorboard")
    (folder / "tensorboard").touch()
    with pytest.raises(StorageError, match="tensorboard"):
        package.train(overrides={"training.epochs": 6}, **longer)
