"""Passes the metrics of a run to Weights & Biases, MLflow and TensorBoard, for ``--log``.

Their packages are imported only if they are asked for, as ``Any``, so that they need not be
installed. Where data go is decided by each package, from its own environment variables.
"""

import contextlib
import json
import math
import os
import pkgutil
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from netdesc.description.json_pointer import dotted, leaves
from netdesc.runs.errors import RunError, storing
from netdesc.runs.folder import TENSORBOARD
from netdesc.runs.run_record import RunRecord
from netdesc.training.setup import Setup

TAGS = {
    "loss": "loss/train",
    "validation_loss": "loss/validation",
    "accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
    "confidence": "confidence/train",
    "validation_confidence": "confidence/validation",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
    "gradient_norms": "gradient_norm",
    "spike_rates": "spike_rate",
}
"""Metric -> its tag. A metric by layer has a tag for each, such as ``spike_rate/hidden``."""

Json = dict[str, Any]


class Logger:
    """Base class of the loggers. Creating one begins or continues a run of its package.

    ``path`` is the folder of the run, ``document`` its document, ``epoch`` the number of complete
    epochs. ``record.log_ids`` has what ``run_id`` was when the run began.
    """

    package: ClassVar[str]
    error: ClassVar[str | None] = None
    """The exception of the package that does not end a training, as ``module:name``."""
    offline: ClassVar[str] = ""
    """What to do without a network or an account."""
    run_id: str | None = None
    """Names the run when it is resumed."""

    def __init__(self, path: Path, record: RunRecord, document: Json, epoch: int) -> None: ...

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        """Passes the metrics of an epoch, from 1, by their tags."""

    def finish(self, status: str, message: str, results: Mapping[str, float]) -> None:
        """Ends with the status and the message in ``run.json``, and results by their tags."""


class WandbLogger(Logger):
    """Weights & Biases; ignores epochs that it has, if it is asked online for the last one."""

    package, error = "wandb", "wandb:Error"
    offline = "WANDB_MODE=offline keeps all in the run's folder, for wandb sync later"

    def __init__(self, path: Path, record: RunRecord, document: Json, epoch: int) -> None:
        self.run_id = record.log_ids.get(self.package) or secrets.token_hex(4)
        self._run = import_module("wandb").init(
            project=os.environ.get("WANDB_PROJECT", record.name),
            name=path.name,
            id=self.run_id,
            resume="allow",
            dir=str(path),
            # In seconds. What the network has not taken then is left to ``wandb sync``.
            settings={"console": "off", "finish_timeout": 300},
        )
        self._run.config.update(document | {"folder": str(path)}, allow_val_change=True)

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        if epoch >= self._run.step:
            self._run.log(dict(values), step=epoch)

    def finish(self, status: str, message: str, results: Mapping[str, float]) -> None:
        self._run.summary.update({"status": status, "message": message, **results})
        self._run.finish(exit_code=0 if status == "done" else 1)


class MlflowLogger(Logger):
    """MLflow, by its client, which changes no active run of the caller's program."""

    package, error = "mlflow", "mlflow.exceptions:MlflowException"
    offline = "MLFLOW_TRACKING_URI=sqlite:///mlflow.db keeps all in a file"
    _STATUSES: ClassVar = {"done": "FINISHED", "interrupted": "KILLED"}
    _MAX_PARAMETERS, _MAX_CHARACTERS = 100, 500
    """MLflow's limits for a call and for the text of a parameter, in all of its versions."""
    _MAX_ITEMS = 20
    """Of a longer list, such as one of files, the first items are parameters."""

    def __init__(self, path: Path, record: RunRecord, document: Json, epoch: int) -> None:
        self._client = client = import_module("mlflow").MlflowClient()
        self._entities: Any = import_module("mlflow.entities")
        self._last_epoch = 0
        tags = {"folder": str(path)}
        self.run_id = record.log_ids.get(self.package)
        if self.run_id is None:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", record.name)
            experiment = client.get_experiment_by_name(name)
            key = client.create_experiment(name) if experiment is None else experiment.experiment_id
            self.run_id = client.create_run(key, run_name=path.name).info.run_id
            parameters = [
                self._entities.Param(_allowed(dotted(parts)), str(value)[: self._MAX_CHARACTERS])
                for parts, value, _ in leaves(document, None)
                if not any(isinstance(part, int) and part >= self._MAX_ITEMS for part in parts)
            ]
            for start in range(0, len(parameters), self._MAX_PARAMETERS):
                batch = parameters[start : start + self._MAX_PARAMETERS]
                client.log_batch(self.run_id, params=batch)
        else:
            client.update_run(self.run_id, status="RUNNING")
            history = client.get_metric_history(self.run_id, TAGS["loss"])
            self._last_epoch = max((metric.step for metric in history), default=0)
            # Parameters cannot change: settings that did are tags.
            for resumption in record.resumed:
                tags |= dict(setting.split("=", 1) for setting in resumption.settings)
        self._tag(tags)

    def _tag(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            self._client.set_tag(self.run_id, _allowed(name), text)

    def _log(self, values: Mapping[str, float], step: int) -> None:
        now = round(1000 * time.time())
        metrics = [
            self._entities.Metric(_allowed(tag), value, now, step)
            for tag, value in values.items()
            if math.isfinite(value)
        ]
        self._client.log_batch(self.run_id, metrics=metrics)

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        if epoch > self._last_epoch:
            self._log(values, epoch)

    def finish(self, status: str, message: str, results: Mapping[str, float]) -> None:
        self._log(results, round(results.get("best/epoch", 0)))
        self._tag({"status": status, "message": message})
        self._client.set_terminated(self.run_id, self._STATUSES.get(status, "FAILED"))


def _allowed(name: str) -> str:
    """Returns a name without the characters that MLflow refuses, such as those of $schema."""
    return re.sub(r"[^\w\-. :/]", "_", name)


class TensorBoardLogger(Logger):
    """TensorBoard, in a folder of the run. It shows the new events of repeated epochs only.

    Methods raise StorageError if a file cannot be written.
    """

    package = "tensorboard"

    def __init__(self, path: Path, record: RunRecord, document: Json, epoch: int) -> None:
        self._path = path / TENSORBOARD
        with storing(self._path):
            self._writer = import_module("torch.utils.tensorboard.writer").SummaryWriter(
                str(self._path), purge_step=epoch + 1, flush_secs=10
            )
        self._add_text("document", document, epoch + 1)

    def _add_text(self, tag: str, value: Any, epoch: int) -> None:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        self._writer.add_text(tag, f"```json\n{text}\n```", epoch)

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        with storing(self._path):
            for tag, value in values.items():
                self._writer.add_scalar(tag, value, epoch)

    def finish(self, status: str, message: str, results: Mapping[str, float]) -> None:
        with storing(self._path):
            outcome = {"status": status, "message": message, **results}
            self._add_text("result", outcome, round(results.get("best/epoch", 0)))
            self._writer.close()


LOGGERS: dict[str, type[Logger]] = {
    kind.package: kind for kind in (WandbLogger, MlflowLogger, TensorBoardLogger)
}
"""Name in ``--log``, which is that of the package -> the logger."""


def require_loggers(names: Sequence[str]) -> None:
    """Raises RunError if there is no logger of a name, or its package is not installed."""
    for name in names:
        if name not in LOGGERS:
            raise RunError(f'there is no log "{name}"; there are {", ".join(LOGGERS)}')
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            raise RunError(
                f'--log {name} needs the Python package {name}: pip install "netdesc[{name}]", '
                f'or in a clone of netdesc: pip install -e ".[{name}]"'
            ) from error


class Logs:
    """The loggers of a run, which ``close`` ends when ``record`` has its outcome.

    A logger whose package fails, such as without a network, gets no more metrics, and ``warn`` is
    called once.
    """

    def __init__(
        self, names: Sequence[str], record: RunRecord, setup: Setup, warn: Callable[[str], None]
    ) -> None:
        self._names, self._record, self._setup, self._warn = names, record, setup, warn
        self._loggers: dict[str, Logger] = {}

    def open(self, path: Path, epoch: int) -> None:
        """Begins or continues the runs of the loggers. RunError if one cannot."""
        record, document = self._record, self._setup.description.document.model_dump(mode="json")
        for name in dict.fromkeys(self._names):
            kind = LOGGERS[name]
            try:
                logger = self._loggers[name] = kind(path, record, document, epoch)
            except _failures(kind) as error:
                raise RunError(f"--log {name}: {_brief(error)}; {kind.offline}") from error
            if logger.run_id is not None:
                record.update(log_ids=record.log_ids | {name: logger.run_id})

    def __call__(self, metrics: dict[str, Any]) -> None:
        """Passes the metrics of an epoch, as callbacks get them."""
        values: dict[str, float] = {}
        for metric, tag in TAGS.items():
            value = metrics.get(metric)
            if isinstance(value, dict):
                values |= {f"{tag}/{layer}": number for layer, number in value.items()}
            elif value is not None:
                values[tag] = value
        for name in [*self._loggers]:
            with self._surviving(name) as logger:
                logger.log(metrics["epoch"], values)

    @contextlib.contextmanager
    def _surviving(self, name: str) -> Iterator[Logger]:
        logger = self._loggers[name]
        try:
            yield logger
        except _failures(type(logger)) as error:
            del self._loggers[name]
            text = f"{name} gets no more metrics of this run: {_brief(error)}"
            self._warn(f"{text}; {logger.offline}")

    def close(self) -> None:
        record, scale = self._record, self._setup.scale
        results: dict[str, float] = {}
        for part, metrics, by in ("best", record.best, scale), ("test", record.test, scale.of_test):
            shown = {} if metrics is None else by.shown(metrics.model_dump())
            numbers = {tag: value for tag, value in shown.items() if isinstance(value, int | float)}
            results |= {f"{part}/{tag}": value for tag, value in numbers.items()}
        for name in [*self._loggers]:
            try:
                with self._surviving(name) as logger:
                    logger.finish(record.status, record.message or "", results)
            except KeyboardInterrupt:  # somebody does not want to wait for a network
                self._warn(f"{name} may lack the end of this run, because it was interrupted")


def _failures(kind: type[Logger]) -> tuple[type[Exception], ...]:
    return () if kind.error is None else (pkgutil.resolve_name(kind.error), OSError)


def _brief(error: Exception) -> str:
    """Returns the first line of a message without its full stop."""
    return str(error).strip().partition("\n")[0].rstrip(".")
