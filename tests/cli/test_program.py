"""The command as a process of its own: it loads and leaves fast, and loses no Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


_INTERRUPTED = """
import signal, sys
from netdesc.cli import main, program

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
sys.path.insert(0, sys.argv[1])
main.netdesc.main = lambda **_: __import__("package")
program.program()
"""


@pytest.mark.parametrize("is_caught", [True, False])
def test_ctrl_c_ends_the_loading_of_a_package_that_catches_it(tmp_path: Path, is_caught: bool):
    interrupt = "signal.raise_signal(signal.SIGINT)"
    caught = f"try:\n    {interrupt}\nexcept BaseException:\n    print('GOES ON')"
    lost = f"class A:\n    def __del__(self):\n        {interrupt}\nA()\nprint('GOES ON')"
    (tmp_path / "package.py").write_text(f"import signal\n{caught if is_caught else lost}")
    result = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (130, "")
    assert "Traceback" not in result.stderr
