"""Running the command line in a process of its own, for what it loads and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

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
