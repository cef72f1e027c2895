"""Modules of kernels that are generated for one neuron, in the folder where these are cached.

A module is a copy of ``forward_kernels`` or ``backward_kernels`` with the functions of the neuron
in place of their imports from ``neuron_step``. It is a file, as Numba reads the text of one. Its
name is a hash of its text, of the sources of this engine, of versions and of the processor, so that
it never changes: a module that is there serves every process. Of many modules, those that have not
been used for longest are deleted.
"""

import ast
import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Literal

import netdesc
from netdesc.kernels.cache_folder import cache_folder, source_digest, temporary_folder, write
from netdesc.kernels.cpu.runtime.kernel_cache import GENERATED, machine_facts
from netdesc.kernels.cpu.walk import neuron_step
from netdesc.kernels.cpu.walk.printer import backward_source, forward_source
from netdesc.neurons.program import Program

Direction = Literal["forward", "backward"]

_PRINTERS: Mapping[Direction, Callable[[Program, int], str]] = {
    "forward": forward_source,
    "backward": lambda program, _: backward_source(program),
}

_KINDS = (*_PRINTERS, "integer")
"""Kinds of modules; those of the integer run have loops of the hardware simulation."""

_WRITTEN_AT = 1_000_000_000
"""Time stamp of all modules. Python would compile a module again if its time stamp changed.

So the time of a module's last use is the file's time of access.
"""

_MAX_MODULES = 120
"""Number of modules that are kept in the folder; most take 0.2 to 0.6 MB with their kernels."""

_modules: dict[tuple[str, int, Direction], ModuleType] = {}


def kernels_of(program: Program, unit_bits: int, direction: Direction) -> ModuleType:
    """Returns the module with the kernels of a neuron; Numba compiles each at its first call.

    A state's unit is ``2^-unit_bits`` of a threshold unit.
    """
    key = program.key, unit_bits, direction
    if key not in _modules:
        _modules[key] = load_module(module_source(program, unit_bits, direction), direction)
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


def load_module(source: str, kind: str) -> ModuleType:
    """Returns the module of a text; writes it unless it is there. ``kind`` begins its name."""
    digest = hashlib.sha256(source_digest())
    digest.update(repr([netdesc.__version__, *machine_facts(), source]).encode())
    name = f"{kind}_{digest.hexdigest()[:24]}"
    full_name = f"{GENERATED}{name}"  # Numba may import it by this name
    if full_name in sys.modules:  # another program has the same kernels
        return sys.modules[full_name]
    module = ModuleType(full_name)
    module.__file__ = str(_write(name, source))
    exec(compile(source, module.__file__, "exec"), module.__dict__)  # not the file, for safety
    sys.modules[full_name] = module
    return module


def _write(name: str, source: str) -> Path:
    """Writes a module unless it is there; into a temporary folder if the cache cannot be written.
    Returns its path."""
    folder = cache_folder()
    path = folder / f"{name}.py"
    with contextlib.suppress(OSError):
        if path.read_bytes() == source.encode():
            _note_use(path)
            return path
    if not write(path, source.encode()):
        path = temporary_folder() / path.name
        write(path, source.encode())
    _note_use(path)
    delete_unused(folder, _MAX_MODULES)
    return path


def _note_use(path: Path) -> None:
    """Notes that a module is used now. Does nothing if another user owns it."""
    with contextlib.suppress(OSError):
        os.utime(path, (time.time(), _WRITTEN_AT))


def delete_unused(folder: Path, keep: int) -> None:
    """Deletes all modules but the ``keep`` that were used last, and the kernels of these modules.

    A process that has loaded a deleted module goes on to use it.
    """
    with contextlib.suppress(OSError):
        modules = [path for kind in _KINDS for path in folder.glob(f"{kind}_*.py")]
        by_use = sorted((module.stat().st_atime, module) for module in modules)
        for _, module in by_use[: max(0, len(by_use) - keep)]:
            module.unlink(missing_ok=True)
            for kernel in (folder / "__pycache__").glob(f"{module.stem}.*"):
                kernel.unlink(missing_ok=True)
