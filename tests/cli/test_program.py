"""The command as a process of its own: it loads and leaves fast, and no Ctrl-C is lost."""

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


_LOST = """
import signal, time
from netdesc.cli import main
from netdesc.cli.program import program

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

class Interrupted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def open_network(*_args, **_options):
    Interrupted()
    print("GOES ON")
    for _ in range(1000):
        time.sleep(0.01)

main.netdesc.main = open_network
program()
"""


def test_a_ctrl_c_that_python_loses_is_repeated():
    result = subprocess.run(
        [sys.executable, "-c", _LOST], capture_output=True, text=True, check=False, timeout=60
    )
    assert (result.returncode, result.stdout) == (130, "GOES ON\n")
