"""Where the data and the examples that come with netdesc lie. Loads nothing."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

_HOMES = (_PACKAGE / "_shipped", _PACKAGE.parent)
"""Inside the package, where a wheel puts them, or beside it, where the repository has them."""


class NotShippedError(ValueError):
    """This installation of netdesc lacks a file that belongs to it."""

    exit_code = 3


def shipped(name: str) -> Path:
    """The file or folder ``name`` of the repository's ``data`` or ``examples``.

    ``shipped("data/oxford")`` and ``shipped("examples/oxford.json")`` lie to one another as in the
    repository, so that relative paths in an example hold. NotShippedError where it is missing.
    """
    for home in _HOMES:
        path = home / name
        if path.exists():
            return path
    raise NotShippedError(
        f"{name} is missing beside netdesc, in {_PACKAGE}: install netdesc again, "
        "or work in a clone of its repository"
    )
