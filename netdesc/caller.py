"""Errors and warnings that name the line of the program that called netdesc."""

import linecache
import sys
import traceback
import warnings
from pathlib import Path
from types import FrameType

_INNER_PACKAGES = {"netdesc", "torch", "contextlib", "functools"}
"""Frames of these are not the caller's: torch, for example, calls a network's ``forward``."""


class UserError(ValueError):
    """Base class of the errors that a document, a file or an argument of the user causes.

    IPython, and so a notebook, prints the caller's line and the message in place of the traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """Returns the lines that IPython prints."""
        frames = traceback.walk_tb(self.__traceback__)
        callers = [(frame, line) for frame, line in frames if not _is_inner(frame)]
        lines: list[str] = []
        for frame, line in callers[-1:]:
            file = frame.f_code.co_filename
            where = f"{file}, line" if Path(file).exists() else "line"  # a notebook's cell is none
            lines.append(f"{where} {line}: {linecache.getline(file, line).strip()}")
        return [*lines, f"{type(self).__name__}: {self}"]


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Gives a Python warning that points at the caller's line, from any depth in the package."""
    frame = sys._getframe(1)
    while _is_inner(frame) and frame.f_back is not None:
        frame = frame.f_back
    values = frame.f_globals
    registry = values.setdefault("__warningregistry__", {})
    file, module = frame.f_code.co_filename, values.get("__name__")
    warnings.warn_explicit(message, category, file, frame.f_lineno, module, registry)


def _is_inner(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in _INNER_PACKAGES
