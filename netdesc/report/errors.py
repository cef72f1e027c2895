"""Errors of the report."""

from __future__ import annotations

from typing import ClassVar


class ReportError(ValueError):
    """A report cannot be written. The message is for users; the command ends with ``exit_code``."""

    exit_code: ClassVar[int] = 1


class ReportAccessError(ReportError):
    """The run or a file that the report requires is missing, or a file cannot be written."""

    exit_code = 3
