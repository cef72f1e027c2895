"""The command as a process of its own: it takes little time to load and to leave."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import atexit, gc, sys
from netdesc.cli.program import program
collected = []
gc.callbacks.append(lambda phase, info: collected.append(phase) if phase == "start" else None)
atexit.register(
    lambda: print("LEFT", len(collected), gc.isenabled(), gc.get_freeze_count() > 100_000)
)
sys.argv = ["netdesc", *sys.argv[1:]]
program()
"""


def test_loading_and_leaving_hardly_look_for_garbage():
    arguments = ["compile", "examples/digits.json", "--engine", "reference", "--quiet"]
    result = subprocess.run(
        [sys.executable, "-c", _CODE, *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    left, times, enabled, frozen = result.stdout.split()[-4:]
    assert (left, enabled, frozen) == ("LEFT", "False", "True")
    assert int(times) < 60, "with Python's own thresholds it is more than 500"
