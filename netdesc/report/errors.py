"""Why a report cannot be written."""

from __future__ import annotations

from typing import ClassVar


class ReportError(ValueError):
    """One clear message for the user; ``exit_code`` is what the command line returns for it."""

    exit_code: ClassVar[int] = 1


class UnwritableError(ReportError):
    """The report cannot be written where it should be."""

    exit_code = 3


class MissingError(ReportError):
    """There is no such run, or a file without which there is nothing to report."""

    exit_code = 3
