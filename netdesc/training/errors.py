"""What can go wrong in training through no fault of netdesc, each with the exit code it means."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar


class TrainingError(ValueError):
    """One clear message for the user; ``exit_code`` is what the command line returns for it."""

    exit_code: ClassVar[int] = 1


class DataError(TrainingError):
    """A data file is damaged, does not fit the network, or is not the file that was promised."""


class MissingDataError(DataError):
    """A data file is not there or cannot be opened."""

    exit_code = 3


class WeightsError(TrainingError):
    """The given initial weights do not fit the network."""


class MissingWeightsError(WeightsError):
    """A file of weights is not there or cannot be opened."""

    exit_code = 3


class ResumeError(TrainingError):
    """A run cannot be continued as it stands."""


class MissingRunError(ResumeError):
    """There is no such run."""

    exit_code = 3


class RunDirectoryError(TrainingError):
    """The folder for a run is in use or already holds something."""

    exit_code = 2


class DeviceError(TrainingError):
    """The device that was asked for is not there."""

    exit_code = 3


class StorageError(TrainingError):
    """A file of the run could not be written."""

    exit_code = 3


_CAUSES = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
}


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turns an OSError while ``path`` is written into a StorageError that names it."""
    try:
        yield
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0) or error.strerror or str(error)
        raise StorageError(f"cannot write {path}: {cause}") from error
