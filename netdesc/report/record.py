"""Reads ``run.json``, the record of a run."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from netdesc.report.errors import ReportError
from netdesc.report.files import read_text
from netdesc.runs.files import RECORD

MAX_BYTES = 16 << 20
ENDED = {"done", "diverged", "interrupted", "failed"}


class _Part(BaseModel):
    # Unknown keys are ignored, because later versions of netdesc may write more keys.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Device(_Part):
    """The device on which the run was trained."""

    type: str = ""
    name: str = ""
    instructions: str = ""
    threads: int | None = None


class LayerExecution(_Part):
    """How a layer was computed in the last forward pass.

    ``path`` is ``events`` or ``product``, as in ``modules.network.LayerReport``. ``peaks``
    maps the states of the neurons to their largest magnitudes, in units of 1/4096.
    """

    layer: str
    engine: str = ""
    path: str | None = None
    peaks: dict[str, float] = {}


class VerifiedLayerRecord(_Part):
    """The numbers of outputs of a layer that are not 0, in three runs of the network."""

    layer: str
    neurons: int
    float: int
    integer: int
    exported: int | None = None


class VerificationRecord(_Part):
    """The comparison of the trained network with its export; ``summary`` says how it ended.

    ``export_problem`` says why there is no export; empty if there is one.
    """

    identical: bool
    summary: str
    export_problem: str = ""
    layers: list[VerifiedLayerRecord]


class Resumption(_Part):
    """The time at which the run was resumed, and the number of complete epochs at that time."""

    at: str
    epochs_done: int


class SilentLosses(_Part):
    """The losses that an output without spikes would have; None if the run did not record them."""

    loss: float | None = None
    validation_loss: float | None = None


class EpochMetrics(_Part):
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


class Record(_Part):
    """The fields of ``run.json`` that the report uses."""

    name: str
    status: str
    message: str | None = None
    started: str | None = None
    ended: str | None = None
    resumed: list[Resumption] = []
    engine: str = ""
    command: str = ""
    first_command: str | None = None
    """The command that started the run; None if the run was not resumed, see ``command``."""
    directory: str = ""
    """The working directory of ``command``."""
    first_directory: str | None = None
    silence: SilentLosses = SilentLosses()
    samples: dict[str, int] = {}
    """The number of samples by part, ``train`` and ``validation``."""
    labels_by_step: bool | None = None
    """Whether each step has a label; None without labels, or in a run of an older netdesc."""
    versions: dict[str, str] = {}
    platform: str = ""
    device: Device = Device()
    epochs_done: int = 0
    seconds: float | None = None
    """The total time of all epochs in seconds."""
    stopped_early: bool = False
    stopped_by_callback: bool = False
    """Whether a callback of the user's Python program ended the run."""
    layers: list[LayerExecution] = []
    verification: VerificationRecord | None = None
    """None of a network without integers, before the end, or in a run of an older netdesc."""
    best: EpochMetrics | None = None
    final: EpochMetrics | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the record has the final status. False during training and for a killed run."""
        return self.status in ENDED

    def loss_divisors(self, reduction: str) -> dict[str, int]:
        """Returns the divisors that turn losses into losses per sample: metric -> divisor.

        A divisor is 1 if the loss is a mean or the record lacks the number of samples.
        """
        parts = {"loss": "train", "validation_loss": "validation"}
        if reduction == "mean":
            return dict.fromkeys(parts, 1)
        return {name: self.samples.get(part) or 1 for name, part in parts.items()}

    @property
    def recorded_epochs(self) -> list[EpochMetrics]:
        """The metrics of the best and of the last epoch, if they are in the record."""
        return [each for each in (self.best, self.final) if each is not None]


def read_record(run: Path) -> Record:
    """Reads the record of a run. Raises ReportError if the file is missing or damaged."""
    path = run / RECORD
    try:
        return Record.model_validate_json(read_text(path, MAX_BYTES))
    except ValidationError as error:
        raise ReportError(f"{path}: is not the record of a run: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Formats the first validation error: the path of the field, then the message."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
