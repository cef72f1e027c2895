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
from netdesc.cli import main
try:
    main(sys.argv[1:])
finally:
    print("LOADED", *sys.modules)
"""


class Ended(NamedTuple):
    code: int
    out: str
    loaded: set[str]
    """Names of the modules that were loaded in the end."""
    cpu_s: float
    """Processor time, which other work on the machine hardly changes."""


def netdesc_process(*arguments: str | Path) -> Ended:
    before = os.times()
    result = subprocess.run(
        [sys.executable, "-c", _CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    out, _, loaded = result.stdout.rpartition("LOADED")
    cpu_s = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return Ended(result.returncode, out, set(loaded.split()), cpu_s)


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
