"""The folder of a sweep: the names of its files, and ``sweep.json``, which holds its document."""

import hashlib
import importlib.metadata
import json
from pathlib import Path
from shlex import quote

from netdesc import __version__
from netdesc.atomic_write import is_temporary
from netdesc.description.json_pointer import dotted, leaves
from netdesc.description.load import check_text, require_valid
from netdesc.description.overrides import json_text
from netdesc.description.source import MAX_BYTES, Source
from netdesc.description.sweep_space import SweepSpace, sweep_space
from netdesc.runs.errors import RunError
from netdesc.runs.folder import read_text, write_file
from netdesc.runs.listing import value_json

SWEEP_FILE, JOURNAL, WORKERS, TRIALS = "sweep.json", "journal.log", "workers", "trials"
FORMAT = 1


def trial(folder: Path, number: int) -> Path:
    """Returns the folder of a trial, in which each seed has the folder of a run, as ``seed0``."""
    return folder / TRIALS / f"{number:04}"


def read(folder: Path) -> SweepSpace:
    """Reads the document of a sweep. RunError if the file is missing or of another version."""
    path = folder / SWEEP_FILE
    if not path.is_file():
        begin = f"netdesc sweep DOCUMENT.json --dir {quote(str(folder))}"
        text = f"{folder} is no sweep: there is no {SWEEP_FILE} in it; one begins with: {begin}"
        raise RunError(text, exit_code=3)
    try:
        content = json.loads(read_text(path, 8 * MAX_BYTES))
        version, text, document = content["format"], content["document"], Path(content["path"])
        is_whole = hashlib.sha256(text.encode()).hexdigest() == content["sha256"]
    except (json.JSONDecodeError, LookupError, TypeError, AttributeError, RecursionError):
        version, text, document, is_whole = FORMAT, "", path, False
    if version != FORMAT or not is_whole:
        what = f"has format {version}, not {FORMAT}" if version != FORMAT else "is damaged"
        way = "restore it, go on with the netdesc that wrote it, or name another folder"
        raise RunError(f"{path} {what}; {way}")
    return sweep_space(require_valid(check_text(Source(text, str(path)), document)))


def write(space: SweepSpace, folder: Path) -> None:
    """Writes ``sweep.json``, with the values of ``--set`` in the document's text.

    RunError, which says what differs, if the folder holds a sweep of another document.
    """
    require_sweep_or_nothing(folder)
    if (folder / SWEEP_FILE).exists():
        return _require_same(read(folder), space, folder)
    description = space.description
    is_changed = bool(description.source_map.overridden)
    text = json_text(description.source_map.data, 2) if is_changed else description.text
    content = {
        "format": FORMAT,
        "path": str(description.path),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "versions": {"netdesc": __version__, "optuna": importlib.metadata.version("optuna")},
        "document": text,
    }
    return write_file(folder / SWEEP_FILE, json_text(content, 2).encode() + b"\n")


def require_sweep_or_nothing(folder: Path) -> None:
    """Raises RunError if a folder without a sweep has any files."""
    names = {path.name for path in folder.iterdir() if not is_temporary(path.name)}
    if SWEEP_FILE not in names and names - {JOURNAL, "journal.lock", "journal.owner"}:
        raise RunError(f"{folder} is not empty, and holds no sweep; name another folder", 2)


def _require_same(old: SweepSpace, new: SweepSpace, folder: Path) -> None:
    a, b = (space.description.source_map.data for space in (old, new))
    pairs = [*leaves(a, b), *((at, value, other) for at, other, value in leaves(b, a))]
    texts = {
        dotted(at): f"{dotted(at)} is {value_json(value)}, but {value_json(other)} in the document"
        for at, value, other in pairs
        if value != other
    }
    if texts:
        is_plan = [*texts] == ["sweep.trials"]
        way = "change it with --trials, such as --trials +20, or " if is_plan else ""
        listed = "; ".join([*texts.values()][:8]) + (" …" if len(texts) > 8 else "")
        text = f"{folder} holds a sweep of another document: {listed}; {way}name another folder"
        raise RunError(text, exit_code=2)
