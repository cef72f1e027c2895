"""``run.json``: what a run says about itself."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from netdesc.report.errors import ReportError
from netdesc.report.files import read_text
from netdesc.runs.files import RECORD

MAX_BYTES = 16 << 20
ENDED = {"done", "diverged", "interrupted", "failed"}


class _Part(BaseModel):
    # Strict, but open: a later netdesc may say more.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Device(_Part):
    """The machine that a run was on."""

    type: str = ""
    name: str = ""
    instructions: str = ""
    threads: int | None = None


class Computed(_Part):
    """How a layer was computed, and the largest magnitudes of its states, in 1/4096."""

    layer: str
    engine: str = ""
    path: str | None = None
    peak_current: float | None = None
    peak_voltage: float | None = None


class Again(_Part):
    """A moment at which the run was taken up again, and the epochs that it had then."""

    at: str
    epochs_done: int


class Silence(_Part):
    """The losses of an output that never spikes, where the run notes them."""

    loss: float | None = None
    validation_loss: float | None = None


class Figures(_Part):
    """Figures of one epoch, which counts from 0."""

    epoch: int
    loss: float | None = None
    validation_loss: float | None = None
    accuracy: float | None = None
    validation_accuracy: float | None = None
    seconds: float | None = None
    learning_rate: float | None = None


class Record(_Part):
    """The fields of ``run.json`` that a report prints."""

    name: str
    status: str
    message: str | None = None
    started: str | None = None
    ended: str | None = None
    resumed: list[Again] = []
    engine: str = ""
    command: str = ""
    first_command: str | None = None
    """The one that began the run, where ``command`` took it up again."""
    directory: str = ""
    """The working directory of ``command``."""
    first_directory: str | None = None
    silence: Silence = Silence()
    samples: dict[str, int] = {}
    """By part: ``train`` and ``validation``."""
    labels_by_step: bool | None = None
    """Whether each step has a label; None where there are none, or the run is older."""
    pid: int | None = None
    versions: dict[str, str] = {}
    platform: str = ""
    device: Device = Device()
    epochs_done: int = 0
    seconds: float | None = None
    """Time spent in all epochs together."""
    stopped_early: bool = False
    layers: list[Computed] = []
    best: Figures | None = None
    final: Figures | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the record was brought up to date at the end of a sitting."""
        return self.status in ENDED

    @property
    def known(self) -> list[Figures]:
        """The epochs whose figures the record has."""
        return [each for each in (self.best, self.final) if each is not None]


def read_record(run: Path) -> Record:
    """The record of a run. ReportError where it is missing or damaged."""
    path = run / RECORD
    try:
        return Record.model_validate_json(read_text(path, MAX_BYTES))
    except ValidationError as error:
        raise ReportError(f"{path}: is no record of a run: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """The first of the faults, with its place."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
