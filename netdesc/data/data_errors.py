"""Errors of data, each with the exit code of the command line."""

from __future__ import annotations

from typing import ClassVar


class DataError(ValueError):
    """A data file is damaged, does not fit the network, or has another SHA-256 than expected."""

    exit_code: ClassVar[int] = 1


class MissingDataError(DataError):
    """A data file is missing or cannot be opened."""

    exit_code = 3
