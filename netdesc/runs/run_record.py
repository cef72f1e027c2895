"""Writes and reads ``run.json``: the environment of a run, its status and its results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from netdesc.runs.errors import RunError
from netdesc.runs.folder import RECORD, read_text, restart_hint, write_file

MAX_BYTES = 16 << 20
ENDED = {"done", "diverged", "interrupted", "failed"}
"""The final statuses. A run at work, or a killed one, has another."""

Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class RecordPart(BaseModel):
    # Fields that later versions of netdesc may add are kept.
    model_config = ConfigDict(strict=True, extra="allow", validate_assignment=True)


class Device(RecordPart):
    """The device on which the run was trained."""

    type: str
    name: str = ""
    instructions: str = ""
    threads: int | None = None


class LayerExecution(RecordPart):
    """How a layer was computed in the last forward pass.

    ``path`` is ``events`` or ``product``, as in ``modules.network.LayerReport``. ``peaks``
    maps the states of the neurons to their largest magnitudes, in units of 1/4096.
    """

    layer: str
    engine: str = ""
    path: str | None = None
    peaks: dict[str, float] = {}


class VerifiedLayerRecord(RecordPart):
    """The numbers of outputs of a layer that are not 0, in three runs of the network."""

    layer: str
    neurons: int
    float: int
    integer: int
    exported: int | None = None


class VerificationRecord(RecordPart):
    """The comparison of the trained network with its export; ``summary`` says how it ended.

    ``export_problem`` says why there is no export; empty if there is one. The proof is ``empty`` if
    the output is the same for silence.
    """

    identical: bool
    summary: str
    empty: bool = False
    export_problem: str = ""
    layers: list[VerifiedLayerRecord] = []

    @property
    def is_proof(self) -> bool:
        return self.identical and not self.empty


class Resumption(RecordPart):
    """The time at which the run was resumed, and the number of complete epochs at that time.

    ``settings`` are the changed values of the document, as arguments of ``--set``.
    """

    at: str
    epochs_done: int
    settings: list[str] = []


class SilentLosses(RecordPart):
    """The losses that an output without spikes would have; None if the output is not spikes."""

    loss: float | None = None
    validation_loss: float | None = None


class Finding(RecordPart):
    """What training has found out about a network: a code, a sentence and a way out."""

    code: str
    message: str
    help: str = ""
    layer: str | None = None
    """The layer that the finding is about; None for the whole network."""
    fixes: list[tuple[str, list[str]]] = []
    """What may help, the most promising first: a purpose, and arguments of ``--set``."""
    epoch: int | None = None
    """The epoch, from 0, after which training told this; None if it was found at the end."""
    is_over: bool = False
    """Whether it was told during training, but is not so at the end."""

    @property
    def key(self) -> tuple[str, str | None]:
        """What is told once: a code and a layer."""
        return self.code, self.layer

    @property
    def is_told(self) -> bool:
        return self.epoch is not None

    @property
    def text(self) -> str:
        return f"{self.message}; {self.help}" if self.help else self.message

    @property
    def sentence(self) -> str:
        end = " This was over before the end." if self.is_over else ""
        return f"{self.text[:1].upper()}{self.text[1:]}.{end}"


class EpochMetrics(RecordPart):
    """The metrics of one epoch. ``epoch`` counts from 0."""

    epoch: int
    loss: float | None = None
    validation_loss: float | None = None
    accuracy: float | None = None
    validation_accuracy: float | None = None
    confidence: float | None = None
    validation_confidence: float | None = None
    seconds: float | None = None
    learning_rate: float | None = None

    @model_serializer(mode="wrap")
    def _without_none(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


@dataclass(frozen=True)
class Scale:
    """The divisor of each split's loss for people: its number of samples; 1 if losses are means.

    Divided by it, the losses of splits and of runs with other numbers of samples can be compared.
    The best loss has the divisor ``validation``; without validation, this is that of ``train``.
    """

    train: int = 1
    validation: int = 1
    test: int = 1

    @classmethod
    def of(cls, reduction: str, samples: Mapping[str, int]) -> "Scale":
        """Returns the divisors for losses of a ``reduction`` over these numbers by part."""
        train, validation, test = (samples.get(part, 0) for part in Scale.__annotations__)
        if reduction == "mean":
            return cls()
        return cls(train or 1, validation or train or 1, test or 1)

    @property
    def of_test(self) -> "Scale":
        """The divisors of what is measured on the test samples, whose loss is named ``loss``."""
        return Scale(self.test)

    @property
    def divisors(self) -> dict[str, int]:
        """Metric -> its divisor."""
        return {"loss": self.train, "validation_loss": self.validation}

    def shown(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Converts the metrics of an epoch as in the run's files: divides losses, counts from 1."""
        divisors = {name: by for name, by in self.divisors.items() if name in fields}
        losses = {name: fields[name] / divisor for name, divisor in divisors.items()}
        if "loss_terms" in fields:
            losses["loss_terms"] = [term / self.train for term in fields["loss_terms"]]
        return {**fields, **losses, "epoch": fields["epoch"] + 1}

    @property
    def unit(self) -> str:
        """The unit to print after a loss."""
        return "" if self == Scale() else " per sample"


class RunRecord(RecordPart):
    """The fields of ``run.json``.

    ``status`` is ``running``, ``done``, ``diverged``, ``interrupted`` or ``failed``. If the process
    is killed, the status stays ``running``.
    """

    name: str
    status: str = "running"
    message: str | None = None
    exit_code: int | None = None
    """The exit code of the command that ended the run; None before, and if the run has failed."""
    started: str | None = None
    ended: str | None = None
    resumed: list[Resumption] = []
    lock_sha256: str
    """The SHA-256 of ``network.lock.json``."""
    former_locks: list[str] = []
    """The SHA-256 of each lock that the run had before values were changed. A run that was killed
    while it resumed may have one of them, and its checkpoint as well."""
    engine: str
    """The engine that the user chose."""
    command: str = ""
    first_command: str | None = None
    """The command that started the run; None if the run was not resumed, see ``command``."""
    directory: str = ""
    """The working directory of ``command``."""
    first_directory: str | None = None
    pid: int | None = None
    host: str = ""
    boot: str = ""
    """An id of the machine's last start, empty where the system has none."""
    ranks: int = 1
    """The number of processes that train together."""
    job: dict[str, str] = {}
    """The variables by which a scheduler named the job, such as ``SLURM_JOB_ID``."""
    versions: dict[str, str] = {}
    platform: str = ""
    device: Device
    samples: dict[str, Count] = {}
    """The number of samples by part, ``train``, ``validation`` and ``test``."""
    log_ids: dict[str, str] = {}
    """Names of loggers -> how they name this run, in which they go on when it is resumed."""
    memory_data: dict[str, Any] | None = None
    """The settings and the SHA-256 of arrays in memory on which the run trains."""
    loss: str | None = None
    """The name of the loss of a Python program; None for the document's own."""
    labels_by_step: bool | None = None
    """Whether each step has a label; None without labels, or in a run of an older netdesc."""
    parameters: int | None = None
    synapses: int | None = None
    spikes_per_sample: float | None = None
    """The mean number of spikes of all neurons for a validation sample, without validation a
    training sample, with the best weights; only of trials of a sweep that compares it."""
    silence: SilentLosses | None = None
    epochs_done: Count = 0
    seconds: float | None = None
    """The total time of all epochs in seconds."""
    stopped_early: bool = False
    stopped_by_callback: bool = False
    """Whether a callback of the user's Python program ended the run."""
    layers: list[LayerExecution] = []
    verification: VerificationRecord | None = None
    """None of a network without integers, before the end, or in a run of an older netdesc."""
    findings: list[Finding] = []
    """What training has found out about learning, at its end by importance; empty in a run of an
    older netdesc."""
    best: EpochMetrics | None = None
    final: EpochMetrics | None = None
    test: EpochMetrics | None = None
    """Loss and score of the best weights on the test samples, measured once, after training."""

    _path: Path | None = PrivateAttr(default=Path(RECORD))

    @classmethod
    def create(cls, run: Path, **fields: Any) -> "RunRecord":
        """Returns the record of a run that starts now, without writing the file."""
        record = cls(started=now(), **fields)
        record._path = run.absolute() / RECORD  # a callback may change the working directory
        return record

    @property
    def text(self) -> str:
        """The record as JSON text; bytes of a path that are not UTF-8 become question marks."""
        text = json.dumps(self.model_dump(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        return text.encode("utf-8", "replace").decode()

    def update(self, **fields: Any) -> None:
        """Changes ``fields`` and writes the file atomically. Raises StorageError if this fails."""
        for name, value in fields.items():
            setattr(self, name, value)
        if self._path is not None:
            write_file(self._path, self.text.encode())

    def detach(self) -> None:
        """Writes no file from now on, because another process does."""
        self._path = None

    @property
    def locks(self) -> list[str]:
        """The SHA-256 of each ``network.lock.json`` that the run may have."""
        return [self.lock_sha256, *self.former_locks]

    def change_lock(self, sha256: str) -> None:
        """Changes the SHA-256 of the lock, without writing ``run.json``."""
        self.former_locks = [lock for lock in self.locks if lock != sha256]
        self.lock_sha256 = sha256

    def mark_resumed(self, settings: Sequence[str], environment: Mapping[str, Any]) -> None:
        """Records that the run is resumed now, and drops what is found only at its end.

        StorageError if ``run.json`` cannot be written.
        """
        if self.first_command is None:
            self.first_command, self.first_directory = self.command, self.directory
        resumption = Resumption(at=now(), epochs_done=self.epochs_done, settings=[*settings])
        self.resumed.append(resumption)
        at_end = dict.fromkeys(("message", "exit_code", "ended", "verification", "test"))
        told = [finding for finding in self.findings if finding.is_told]
        self.update(**environment, **at_end, status="running", findings=told)

    def scale(self, reduction: str) -> Scale:
        """Returns the divisors of losses; 1 where the record lacks the number of samples."""
        return Scale.of(reduction, self.samples)


def read_record(run: Path) -> RunRecord:
    """Reads the record of a run. Raises RunError if the file is missing or damaged."""
    path = run / RECORD
    try:
        record = RunRecord.model_validate_json(read_text(path, MAX_BYTES))
    except RunError as error:
        raise RunError(f"{error}; {restart_hint(run)}", error.exit_code) from error
    except ValidationError as error:
        damage = f"is not the record of a run: {explain(error)}"
        raise RunError(f"{path}: {damage}; {restart_hint(run)}") from error
    record._path = path.absolute()
    return record


def explain(error: ValidationError) -> str:
    """Formats the first validation error: the path of the field, then the message."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def now() -> str:
    """Returns the local time as ISO 8601, with seconds and the offset from UTC."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
