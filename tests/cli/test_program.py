"""The command as a process of its own: it leaves fast, and loses no Ctrl-C."""

import subprocess
import sys
from pathlib import Path

import pytest

_CODE = """
import atexit, gc, sys
from netdesc.cli.program import program
atexit.register(lambda: print(len(gc.get_objects()), file=sys.stderr))  # without frozen ones
sys.argv = ["netdesc", "--help"]
program()
"""


def test_leaving_hardly_looks_for_garbage():
    arguments = [sys.executable, "-c", _CODE]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert int(result.stderr) < 1000


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
