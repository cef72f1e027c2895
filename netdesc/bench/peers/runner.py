"""Measures one program in this process: ``python runner.py PROGRAM WORK.npz …``.

Prints one line of JSON for each work on standard output; output of the program goes to standard
error. If the program is not installed, the line says so. If it fails, the process ends with a
traceback.
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

# Python puts this file's folder on the path; its files would hide the programs of the same names.
sys.path[:] = [each for each in sys.path if Path(each or ".").resolve() != _FOLDER]


def _load_netdesc() -> None:
    """Imports netdesc from the package of this file, without putting its parent folder on the path.

    Other packages in that folder may belong to another interpreter; a program that is missing in
    this interpreter would be imported from there.
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
        # Return None only if the program is missing, but not if a package that it needs is.
        if f"{program.module}.".startswith(f"{error.name}."):
            return None
        raise
    return importlib.import_module(f"netdesc.bench.peers.{program.adapter}")


def run(name: str, path: Path) -> dict[str, Any]:
    """Measures the program ``name`` with the work at ``path``; returns an object for JSON."""
    adapter = load(name)
    if adapter is None:
        return {"status": "missing"}
    from netdesc.bench.peers import PROGRAMS
    from netdesc.bench.peers.measure import measure
    from netdesc.bench.peers.work import Work

    work = Work.read(path)
    task = work.settings["task"]
    result = measure(adapter.layer, work) if task == "layer" else getattr(adapter, task)(work)
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
