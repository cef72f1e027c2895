"""Imports go one way through the rooms, and the rooms that must stay light do."""

import ast
import collections
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "netdesc"

MAY_IMPORT: dict[str, set[str]] = {
    "neurons": set(),
    "description": {"neurons"},
    "graph": {"description", "neurons"},
    "events": {"description"},
    "runs": {"description"},
    "data": {"description", "graph", "events", "neurons"},
    "kernels": {"neurons"},
    "modules": {"graph", "kernels", "neurons", "description"},
    "losses": {"graph", "kernels", "neurons", "description"},
    "hardware": {"graph", "kernels", "neurons", "description"},
    "exchange": {"description", "graph", "neurons", "events", "kernels", "hardware", "modules"},
    "training": {
        "description", "graph", "events", "runs", "data", "kernels", "modules", "losses",
        "hardware", "exchange", "neurons",
    },
    "report": {"description", "graph", "events", "runs"},
    "sweeps": {"description", "graph", "runs", "data", "training", "neurons"},
    "api": {
        "description", "graph", "events", "runs", "data", "kernels", "modules", "losses",
        "training", "exchange", "hardware", "report", "sweeps", "neurons",
    },
    "cli": {
        "description", "graph", "events", "runs", "data", "kernels", "modules", "losses",
        "training", "exchange", "hardware", "report", "sweeps", "api", "neurons",
    },
}  # fmt: skip
"""Room -> the rooms that it may import; a document flows from the top to the bottom."""

MUST_NOT_IMPORT = {
    "neurons": {"torch", "numpy", "numba", "h5py"},
    "description": {"torch", "numpy", "numba", "h5py"},
    "graph": {"torch", "numba"},
    "hardware": {"torch", "numba"},
    "report": {"torch", "numba", "h5py"},
}
"""Room -> packages that none of its files names."""

LIGHT = {
    "netdesc": {"torch", "numpy", "pydantic", "click", "rich"},
    "netdesc.api.run": {"torch", "numba"},
    "netdesc.cli": {"torch", "numpy", "pydantic", "rich"},
    "netdesc.description": {"torch", "numpy"},
    "netdesc.events": {"torch", "matplotlib", "PIL"},
    "netdesc.graph": {"torch", "numpy"},
    "netdesc.hardware": {"torch", "numba"},
    "netdesc.neurons": {"torch", "numpy", "numba"},
    "netdesc.neurons.models": {"torch", "numpy"},
    "netdesc.report": {"torch", "numba", "h5py", "matplotlib", "PIL"},
}
"""Module -> packages that are not loaded after importing it, however indirectly."""


def imports(source: str) -> Iterator[str]:
    """Every module that ``source`` imports: in functions, under TYPE_CHECKING and by name, too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func) and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and str(argument.value).startswith("netdesc"):
                yield str(argument.value)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(room: str, source: str) -> list[str]:
    """The imports in ``source`` that a file of ``room`` must not have."""
    found = []
    for name in imports(source):
        top, *rest = name.split(".")
        if top == "netdesc":
            other = rest[0] if rest else ""
            wrong = other in MAY_IMPORT and other != room and other not in MAY_IMPORT[room]
        else:
            wrong = top in MUST_NOT_IMPORT.get(room, ())
        if wrong:
            found.append(name)
    return found


def room_files() -> Iterator[tuple[str, Path]]:
    for room in MAY_IMPORT:
        yield from ((room, path) for path in sorted((PACKAGE / room).rglob("*.py")))


MAX_LINES = 400
"""Of a file: it then holds one concept and is read in one sitting."""

MAX_PARAMETERS = 8
"""Of a function: what belongs together travels as one named tuple."""

MAX_PACKAGE_LINES = 54_890
MAX_TEST_LINES = 39_423


def line_count(folder: Path) -> int:
    return sum(len(path.read_text("utf-8").splitlines()) for path in folder.rglob("*.py"))


def test_package_and_tests_stay_within_their_budgets() -> None:
    assert line_count(PACKAGE) <= MAX_PACKAGE_LINES
    assert line_count(PACKAGE.parent / "tests") <= MAX_TEST_LINES


@pytest.mark.parametrize("folder", [PACKAGE, PACKAGE.parent / "tests"], ids=lambda path: path.name)
def test_no_file_is_long(folder: Path) -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in folder.rglob("*.py")}
    assert {path.name: length for path, length in lengths.items() if length > MAX_LINES} == {}


def _is_launched_by_triton(function: ast.FunctionDef) -> bool:
    """Triton passes every number of a kernel on its own."""
    return any("triton.jit" in ast.unparse(each) for each in function.decorator_list)


def test_no_function_has_many_parameters() -> None:
    found: dict[str, int] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and not _is_launched_by_triton(node):
                parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = sum(each.arg not in ("self", "cls") for each in parameters)
                if count > MAX_PARAMETERS:
                    found[f"{path.name}:{node.name}"] = count
    assert found == {}


def _kinds() -> set[str]:
    """The classes of sections that have a type: layers, neurons, losses, data, encodings, …"""
    trees = [ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("models/**/*.py")]
    return {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and ast.unparse(field).startswith("type: Literal")
    }


def test_facts_about_a_kind_stand_on_its_section() -> None:
    """A new kind is then a row in each table, and no condition anywhere."""
    kinds, found = _kinds(), []
    assert {"Cuba", "Dense", "SpikeTime", "SpikeFiles", "CosineSchedule"} <= kinds
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = ast.unparse(node) if isinstance(node, ast.Call) else ""
            asked = isinstance(node, ast.Call) and text.startswith("isinstance(")
            names = set(re.findall(r"\w+", ast.unparse(node.args[1]))) if asked else set()
            if names & kinds or re.match(r"getattr\((loss|layer|neuron|section), ['\"]", text):
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}: {text}")
    assert found == []


def module_name(path: Path) -> str:
    dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


def test_no_modules_import_one_another() -> None:
    """Imports in functions count, too."""
    files = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    needs: dict[str, set[str]] = {}
    for module, path in files.items():
        needs[module] = set()
        for name in imports(path.read_text("utf-8")):
            while name and name not in files:
                name = name.rpartition(".")[0]
            if name not in ("", "netdesc", module):
                needs[module].add(name)
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError, which names the modules


def test_no_folders_import_one_another() -> None:
    """Of the folders in one folder, none imports another that, however indirectly, imports it."""
    modules = {module_name(path) for path in PACKAGE.rglob("*.py")}
    needs: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        folder = module_name(path.parent / "__init__.py").split(".")
        for name in imports(path.read_text("utf-8")):
            while name and name not in modules:
                name = name.rpartition(".")[0]
            if not name:
                continue
            is_folder = (PACKAGE.parent / name.replace(".", "/") / "__init__.py").exists()
            other = name.split(".") if is_folder else name.split(".")[:-1]
            shared = next(
                (i for i, (a, b) in enumerate(zip(folder, other, strict=False)) if a != b),
                min(len(folder), len(other)),
            )
            if shared < min(len(folder), len(other)):
                here, there = ".".join(folder[: shared + 1]), ".".join(other[: shared + 1])
                needs.setdefault(here, set()).add(there)
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError, which names the folders


MAX_FILES = 400
MAX_SAME_NAME = 3


def test_files_are_few_and_have_names_of_their_own() -> None:
    files = list(PACKAGE.rglob("*.py"))
    assert len(files) <= MAX_FILES
    counts = collections.Counter(path.name for path in files if path.name != "__init__.py")
    assert {name: count for name, count in counts.items() if count > MAX_SAME_NAME} == {}


def test_every_folder_is_a_room() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room: str) -> None:
    paths = [path for other, path in room_files() if other == room]
    assert paths
    found = {
        str(path.relative_to(PACKAGE)): wrong
        for path in paths
        if (wrong := violations(room, path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("description", "from netdesc.graph import build_graph"),
        ("description", "def f():\n    import numpy as np"),
        ("exchange", "from netdesc import training"),
        ("hardware", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch.nn"),
    ],
)
def test_wrong_imports_are_noticed(room: str, source: str) -> None:
    assert len(violations(room, source)) == 1


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in sys.modules if '.' not in name))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not LIGHT[module] & set(result.stdout.split())
