"""Errors of the report."""

from __future__ import annotations

from typing import ClassVar


class ReportError(ValueError):
    """A report cannot be written. The message is for users; the command ends with ``exit_code``."""

    exit_code: ClassVar[int] = 1


class UnwritableError(ReportError):
    """The report's file cannot be written."""

    exit_code = 3


class MissingError(ReportError):
    """The run, or a file that the report requires, does not exist."""

    exit_code = 3
