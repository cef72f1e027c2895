"""Finds the data and the examples that come with netdesc. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

_FOLDERS = (_PACKAGE / "_shipped", _PACKAGE.parent)
"""A wheel puts them inside the package; in the repository they are beside it."""


class NotShippedError(ValueError):
    """A file that belongs to netdesc is missing from this installation."""

    exit_code = 3


def shipped(name: str) -> Path:
    """The path of a file or folder that comes with netdesc, such as ``examples/oxford.json``.

    ``data`` and ``examples`` are in one folder, so relative paths in an example are valid.
    NotShippedError if it is missing.
    """
    for folder in _FOLDERS:
        path = folder / name
        if path.exists():
            return path
    raise NotShippedError(
        f"{name} is missing beside netdesc, in {_PACKAGE}: install netdesc again, "
        "or work in a clone of its repository"
    )
