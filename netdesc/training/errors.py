"""Errors of training that the user can correct, each with the exit code of the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from netdesc.atomic_write import failure_reason


class TrainingError(ValueError):
    """Base class. The command line prints the message and exits with ``exit_code``."""

    exit_code: ClassVar[int] = 1


class WeightsError(TrainingError):
    """Initial weights do not fit the network, or a run has no best weights."""


class MissingWeightsError(WeightsError):
    """A weights file is missing or cannot be opened."""

    exit_code = 3


class ResumeError(TrainingError):
    """A run cannot be resumed."""


class MissingRunError(ResumeError):
    """The run does not exist."""

    exit_code = 3


class RunDirectoryError(TrainingError):
    """The folder for a new run is in use or not empty."""

    exit_code = 2


class DeviceUnavailableError(TrainingError):
    """The chosen device or engine is not available."""

    exit_code = 3


class MissingPackageError(TrainingError):
    """A Python package that an option needs is not installed."""

    exit_code = 3


class StorageError(TrainingError):
    """A file of the run could not be written."""

    exit_code = 3


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Converts an OSError within the block to a StorageError that names ``path`` and the reason."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {failure_reason(error)}") from error
