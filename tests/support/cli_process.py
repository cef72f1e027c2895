"""Running programs and the command line: in this process, or in one of their own."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from netdesc.cli.main import main

_CODE = """
import sys
from netdesc.cli.program import program
try:
    program()
finally:
    print("LOADED", *sys.modules)
"""


def run_python(script: str, *arguments: str | Path, **options: Any) -> Any:
    """Runs a program without errors in a process of its own, ``subprocess.CompletedProcess``."""
    command = [sys.executable, "-c", script, *arguments]
    options = {"capture_output": True, "text": True, "timeout": 300} | options
    result = subprocess.run(command, check=False, **options)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    return result


def exit_code(*arguments: str | Path) -> int:
    """Runs a command in this process; returns how it ended."""
    with pytest.raises(SystemExit) as exit:
        main([str(argument) for argument in arguments])
    assert isinstance(exit.value.code, int)
    return exit.value.code


_PEAK = """
import sys
from netdesc.cli.main import main
try:
    main(sys.argv[1:])
finally:
    (peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    print("PEAK", peak.split()[1])
"""


def peak_of(*arguments: str | Path, cwd: Path | None = None) -> tuple[int, int]:
    """Runs a command in a process of its own. Returns its exit code and its most bytes of memory.
    The kernel counts them from the start of the program, and not from that of its parent's copy."""
    command = [sys.executable, "-c", _PEAK, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    return ended.returncode, int(ended.stdout.rpartition("PEAK")[2]) << 10


class Ended(NamedTuple):
    code: int
    out: str
    loaded: set[str]
    """Names of the modules that were loaded in the end."""


def netdesc_process(*arguments: str | Path) -> Ended:
    """Runs the command as it is installed. The first run in a new checkout compiles modules."""
    command = [sys.executable, "-c", _CODE, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    out, _, loaded = result.stdout.rpartition("LOADED")
    return Ended(result.returncode, out, set(loaded.split()))


@dataclass(frozen=True)
class Outcome:
    """How a command in this process ended."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return json.loads(self.out)


Netdesc = Callable[..., Outcome]
"""Runs a command; its arguments are strings and paths."""


def write_json(name: str, data: Any) -> str:
    """Writes a file into the working directory, that of a test once it has ``netdesc``."""
    Path(name).write_text(data if isinstance(data, str) else json.dumps(data))
    return name
