"""``network.lock.json``: a document that reproduces a run, wherever its defaults go later."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netdesc.description.files.data_files import file_paths, file_sha256
from netdesc.description.load import Description


def lock_text(description: Description, directory: str | Path, versions: Mapping[str, str]) -> str:
    """The text of a lock for a description, to be written into ``directory``.

    It is the whole document with every default, and a section ``lock``: each value's origin, each
    file's place and SHA-256, the seed, and ``versions`` as given. Raises OSError where a data file
    has gone since the description was loaded.
    """
    base = Path(directory).absolute()
    files = [
        _locked(path, description.resolve(path), base)
        for path in dict.fromkeys(file_paths(description.document).values())
    ]
    lock: dict[str, Any] = {
        "origins": dict(description.origins),
        "files": files,
        "seed": description.document.training.seed,
        "versions": dict(versions),
    }
    whole = description.document.model_dump(mode="json") | {"lock": lock}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _locked(quoted: str, path: Path, base: Path) -> dict[str, str]:
    absolute = Path(os.path.abspath(path))
    try:
        location = Path(os.path.relpath(absolute, base)).as_posix()
    except ValueError:  # on another drive than the lock
        location = absolute.as_posix()
    return {
        "path": quoted,
        "location": location,
        "absolute": absolute.as_posix(),
        "sha256": file_sha256(absolute),
    }
