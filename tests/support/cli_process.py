"""Running the command line: in this process, or in one of its own for what it loads and costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

_CODE = """
import sys
from netdesc.cli.program import program
try:
    program()
finally:
    print("LOADED", *sys.modules)
"""


class Ended(NamedTuple):
    code: int
    out: str
    loaded: set[str]
    """Names of the modules that were loaded in the end."""
    cpu_s: float
    """Processor time."""


def netdesc_process(*arguments: str | Path) -> Ended:
    """Runs the command as it is installed: with compiled modules, whoever keeps Python from them.

    The first run in a new checkout makes them.
    """
    before = os.times()
    result = subprocess.run(
        [sys.executable, "-c", _CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
    )
    after = os.times()
    out, _, loaded = result.stdout.rpartition("LOADED")
    cpu_s = _children_s(after) - _children_s(before)
    return Ended(result.returncode, out, set(loaded.split()), cpu_s)


def netdesc_timed(*arguments: str | Path) -> Ended:
    """The same with the processor time that it takes where nobody disturbs it.

    Two virtual cores may be one in truth, and then all takes up to twice its time. So how long a
    known piece of work takes is measured before and after.
    """
    netdesc_process(*arguments)
    before = _known_work_s()
    ended = netdesc_process(*arguments)
    slowness = min(before, _known_work_s()) / _KNOWN_WORK_S
    return ended._replace(cpu_s=ended.cpu_s / max(1.0, slowness))


_KNOWN_WORK_S = 0.12
"""What ``_known_work_s`` takes on a core of a 2-GHz Xeon (2023) that is not disturbed."""


def _known_work_s() -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", "import pydantic.main, click"], check=True)
    return _children_s(os.times()) - _children_s(before)


def _children_s(times: os.times_result) -> float:
    return times.children_user + times.children_system


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
