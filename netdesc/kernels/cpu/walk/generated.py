"""Modules of kernels that are generated for one neuron, in a folder where Numba caches them.

A module is a copy of ``forward_kernels`` or ``backward_kernels`` with the functions of the neuron
in place of their imports from ``neuron_step``. It is a file, because Numba's cache needs one. Its
name is a hash of its text, of the sources of this engine, and of versions, so that it never
changes: a module that is there serves every process.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Literal

import llvmlite
import numba

import netdesc
from netdesc.kernels.cpu.runtime.kernel_cache import source_digest
from netdesc.kernels.cpu.walk import neuron_step
from netdesc.kernels.cpu.walk.printer import backward_source, forward_source
from netdesc.neurons.program import Program

Direction = Literal["forward", "backward"]

_PRINTERS: Mapping[Direction, Callable[[Program, int], str]] = {
    "forward": forward_source,
    "backward": lambda program, _: backward_source(program),
}

_VERSIONS = numba.__version__, llvmlite.__version__, netdesc.__version__, sys.version

_WRITTEN_AT = 1_000_000_000
"""Time stamp of all modules. Numba would compile a module again if its time stamp changed."""


_modules: dict[tuple[str, int, Direction], ModuleType] = {}


def kernels_of(program: Program, unit_bits: int, direction: Direction) -> ModuleType:
    """Returns the module with the kernels of a neuron; Numba compiles each at its first call.

    A state's unit is ``2^-unit_bits`` of a threshold unit.
    """
    key = program.key, unit_bits, direction
    if key not in _modules:
        _modules[key] = _load(module_source(program, unit_bits, direction), direction)
    return _modules[key]


def module_source(program: Program, unit_bits: int, direction: Direction) -> str:
    """Returns the text of a module: the file of the kernels with the neuron's functions."""
    path = Path(__file__).with_name(f"{direction}_kernels.py")
    text = path.read_text(encoding="utf-8")
    (place,) = (
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and node.module == neuron_step.__name__
    )
    lines = text.splitlines(keepends=True)
    before, after = lines[: place.lineno - 1], lines[place.end_lineno :]
    return "".join([*before, _PRINTERS[direction](program, unit_bits), "\n", *after])


def _load(source: str, direction: Direction) -> ModuleType:
    digest = hashlib.sha256(source_digest())
    digest.update("\0".join([*_VERSIONS, source]).encode())
    name = f"{direction}_{digest.hexdigest()[:24]}"
    spec = importlib.util.spec_from_file_location(f"netdesc_generated.{name}", _write(name, source))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _write(name: str, source: str) -> Path:
    """Writes a module atomically, unless it is there; returns its path."""
    folder = _cache_folder()
    path = folder / f"{name}.py"
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == source:
            return path
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as part:
        part.write(source)
    os.utime(part.name, (_WRITTEN_AT, _WRITTEN_AT))
    Path(part.name).replace(path)
    return path


@functools.cache
def _cache_folder() -> Path:
    """Returns a folder for the modules that can be written.

    It is ``NETDESC_CACHE``, or ``netdesc`` in the user's cache folder. If it cannot be written, it
    is a temporary folder that is deleted when the process ends.
    """
    chosen = os.environ.get("NETDESC_CACHE")
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(chosen) if chosen else Path(user) / "netdesc"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    return Path(_temporary_folder().name)


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="netdesc-kernels-", ignore_cleanup_errors=True)
