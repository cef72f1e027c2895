"""Writes ``network.lock.json``, a document with all defaults that reproduces a run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netdesc.description.file_references import FileReference, file_references, file_sha256
from netdesc.description.load import Description


def lock_text(
    description: Description,
    directory: str | Path,
    versions: Mapping[str, str],
    loss: str | None = None,
) -> str:
    """Returns the text of a lock that will be written into ``directory``.

    The lock is the document with all defaults and a section ``lock``, which contains the origin of
    each value, the location and SHA-256 of each file, the seed, ``versions``, and the name of a
    ``loss`` of a Python program. OSError if a data file cannot be read, UnicodeEncodeError if its
    path relative to ``directory`` is not UTF-8 text.
    """
    base = Path(directory).absolute()
    references = {each.path: each for each in file_references(description.document)}
    resolve = description.resolve
    lock: dict[str, Any] = {
        "origins": dict(description.origins),
        "files": [_locked_file(each, resolve(path), base) for path, each in references.items()],
        "seed": description.document.training.seed,
        "versions": dict(versions),
        "loss": loss,
    }
    whole = description.document.model_dump(mode="json") | {"lock": lock}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _locked_file(reference: FileReference, path: Path, base: Path) -> dict[str, str | None]:
    absolute = Path(os.path.abspath(path))
    try:
        location = Path(os.path.relpath(absolute, base)).as_posix()
    except ValueError:  # on another drive than the lock
        location = absolute.as_posix()
    location.encode()  # raises UnicodeEncodeError, with the location as its object
    return {
        "path": reference.path,
        "location": location,
        # This path is used only if the lock was moved, so bytes that are not UTF-8 are replaced.
        "absolute": absolute.as_posix().encode("utf-8", "backslashreplace").decode(),
        "sha256": file_sha256(absolute) if hasattr(reference.holder, "sha256") else None,
    }
