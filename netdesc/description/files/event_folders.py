"""Finds the recordings in folders that have a folder for each class."""

from __future__ import annotations

import os
from pathlib import Path

from netdesc.description.files.event_files import SUFFIXES


def class_files(folder: Path) -> dict[str, list[Path]]:
    """Returns the event files of each class, both in the order of their names. Raises OSError.

    Names that are all numbers are sorted by value. Other files and empty folders are passed over.
    """
    found: dict[str, list[Path]] = {}
    with os.scandir(folder) as classes:
        for each in classes:
            if each.is_dir():
                with os.scandir(each) as files:
                    names = [file.name for file in files if file.is_file()]
                found[each.name] = sorted(
                    Path(each.path, name) for name in names if name.lower().endswith(SUFFIXES)
                )
    names = sorted(name for name, files in found.items() if files)
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    return {name: found[name] for name in names}
