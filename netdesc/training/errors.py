"""Errors of training that the user can correct, each with the exit code of the command line."""

from __future__ import annotations

from typing import ClassVar


class TrainingError(ValueError):
    """Base class. The command line prints the message and exits with ``exit_code``."""

    exit_code: ClassVar[int] = 1


class WeightsError(TrainingError):
    """Initial weights do not fit the network, or a run has no best weights."""


class MissingWeightsError(WeightsError):
    """A weights file is missing or cannot be opened."""

    exit_code = 3


class DeviceUnavailableError(TrainingError):
    """The chosen device or engine is not available."""

    exit_code = 3
