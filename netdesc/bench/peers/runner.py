"""Measures one program in this process: ``python runner.py PROGRAM WORK.npz``.

Prints one line of JSON on standard output, whatever the program itself prints. A program that is
not there is a result; one that fails ends with its traceback on standard error. Of several pieces
of work each is measured in a process that this one has forked when all was loaded, so that memory
is fresh; there is a line for each, up to the first that fails.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import json
import os
import platform
import signal
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

_FOLDER = Path(__file__).resolve().parent

# Python puts this file's folder on the path. Files there are named as the packages that they use.
sys.path[:] = [each for each in sys.path if Path(each or ".").resolve() != _FOLDER]


def _load_netdesc() -> None:
    """Import netdesc from where this file lies, without the packages that lie beside it.

    Those may be another interpreter's, and would stand in for what this one lacks.
    """
    folder = _FOLDER.parents[1]
    spec = importlib.util.spec_from_file_location(
        "netdesc", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["netdesc"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a tree without installing
            continue
    return {**found, "python": platform.python_version()}


def _is_missing(error: ModuleNotFoundError, module: str) -> bool:
    """Whether it is the program itself that is not there, rather than something that it needs."""
    return f"{module}.".startswith(f"{error.name}.")


def load(name: str) -> ModuleType | None:
    """The side of the program ``name``, all loaded that it needs; None where it is not there."""
    from netdesc.bench.peers import PROGRAMS

    program = PROGRAMS[name]
    try:
        importlib.import_module(program.module)
    except ModuleNotFoundError as error:
        if _is_missing(error, program.module):
            return None
        raise
    return importlib.import_module(f"netdesc.bench.peers.{program.side}")


def run(name: str, path: Path) -> dict[str, Any]:
    """The result of measuring the program ``name`` with the work at ``path``."""
    side = load(name)
    if side is None:
        return {"status": "missing"}
    from netdesc.bench.peers import PROGRAMS
    from netdesc.bench.peers.measure import measure
    from netdesc.bench.peers.work import Work, checksum

    work = Work.read(path)
    task = work.settings["task"]
    result = measure(side.layer, work) if task == "layer" else getattr(side, task)(work)
    versions = _versions(PROGRAMS[name].packages)
    if hasattr(side, "VERSION"):
        versions = {name: side.VERSION, **versions}
    return {
        "status": "done",
        "input_sha256": checksum({**work.spikes, **work.numbers}),
        "versions": versions,
        **result,
    }


def end_with_parent() -> None:
    """On Linux: who starts a measurement and is ended leaves none behind (prctl(2))."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def forked(name: str, paths: list[str]) -> str | None:
    """In a process forked for it, one of ``paths``; in this one None, when all of them have ended.

    If one has not ended well, this one ends in the same way.
    """
    side = load(name)
    if side is not None and hasattr(side, "prepare_forks"):
        side.prepare_forks()
    for path in paths:
        with warnings.catch_warnings():
            # Python warns of forking with threads about: those of numpy have nothing to do.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            end_with_parent()
            return path
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code < 0:
            os.kill(os.getpid(), -code)
        if code != 0:
            sys.exit(code)
    return None


if __name__ == "__main__":
    end_with_parent()
    _answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _load_netdesc()
    _name, *_paths = sys.argv[1:]
    _path = _paths[0] if len(_paths) == 1 else forked(_name, _paths)
    if _path is not None:
        print(json.dumps(run(_name, Path(_path))), file=_answer, flush=True)
    # All is said; on its way out Python would look through all modules for garbage, for a second.
    gc.disable()
    gc.freeze()
