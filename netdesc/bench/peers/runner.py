"""Measures one program in this process: ``python runner.py PROGRAM WORK.npz …``.

Each WORK.npz file contains settings and arrays of a measurement. Prints one line of JSON for each
file on standard output; output of the program goes to standard error. If the program is not
installed, the line says so. If the program fails, the process ends with a traceback.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

_FOLDER = Path(__file__).resolve().parent

# Python puts this folder on the path. Files such as snntorch.py would then hide the real packages.
sys.path[:] = [each for each in sys.path if Path(each or ".").resolve() != _FOLDER]


def _load_netdesc() -> None:
    """Imports netdesc from the package of this file, without putting its parent folder on the path.

    The parent folder may contain packages of another interpreter. A program that this interpreter
    lacks would be imported from there.
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
        except PackageNotFoundError:  # the package runs from a source tree
            continue
    return {**found, "python": platform.python_version()}


def load(name: str) -> ModuleType | None:
    """Imports the adapter of the program ``name``; None if the program is not installed."""
    from netdesc.bench.peers import PROGRAMS

    program = PROGRAMS[name]
    try:
        importlib.import_module(program.module)
    except ModuleNotFoundError as error:
        # Not None if the program is installed and only a package that it needs is missing.
        if f"{program.module}.".startswith(f"{error.name}."):
            return None
        raise
    return importlib.import_module(f"netdesc.bench.peers.{program.adapter}")


def run(name: str, path: Path) -> dict[str, Any]:
    """Measures the program ``name`` with the work in the file ``path``; returns a JSON object."""
    adapter = load(name)
    if adapter is None:
        return {"status": "missing"}
    from netdesc.bench.peers import PROGRAMS
    from netdesc.bench.peers.measure import measure
    from netdesc.bench.peers.work import Work

    work = Work.read(path)
    task = work.settings["task"]
    function = getattr(adapter, task)  # that of oxford measures the epochs itself
    result = function(work) if task == "oxford" else measure(function, work)
    versions = _versions(PROGRAMS[name].packages)
    if hasattr(adapter, "VERSION"):
        versions = {name: adapter.VERSION, **versions}
    return {"status": "done", "versions": versions, **result}


if __name__ == "__main__":
    _answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _load_netdesc()
    _name, *_paths = sys.argv[1:]
    for _path in _paths:
        print(json.dumps(run(_name, Path(_path))), file=_answer, flush=True)
