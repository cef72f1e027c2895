"""The address of netdesc, and its installed data, examples and templates; loads no torch."""

from pathlib import Path

from netdesc.caller import UserError

REPOSITORY = "https://github.com/OWNER/netdesc"
"""The address of netdesc's repository, with a placeholder for its owner, as in README."""

_PACKAGE = Path(__file__).resolve().parent

_FOLDERS = (_PACKAGE / "_shipped", _PACKAGE.parent)
"""The folders that may hold ``data`` and ``examples``: in a wheel, and in the repository. In both,
the second one holds ``netdesc``."""


class NotShippedError(UserError):
    """This installation lacks a data file or an example of netdesc."""

    exit_code = 3


def shipped(name: str) -> Path:
    """Returns an installed file or folder by its path in the repository.

    ``data`` and ``examples`` are in the same folder, so relative paths in an example are valid.
    NotShippedError if the file or folder is missing.
    """
    for folder in _FOLDERS:
        path = folder / name
        if path.exists():
            return path
    raise NotShippedError(
        f"{name} is missing beside netdesc, in {_PACKAGE}: install netdesc again, "
        "or work in a clone of its repository"
    )
