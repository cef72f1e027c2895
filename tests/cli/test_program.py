"""The command as a process of its own: it leaves fast, and loses no Ctrl-C."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.training_task import write_task

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


@pytest.mark.parametrize(
    ("name", "is_caught", "code"), [("SIGINT", True, 130), ("SIGTERM", False, 75)]
)
def test_a_signal_ends_the_loading_of_a_package_that_catches_it(
    tmp_path: Path, name: str, is_caught: bool, code: int
):
    interrupt = f"signal.raise_signal(signal.{name})"
    caught = f"try:\n    {interrupt}\nexcept BaseException:\n    print('GOES ON')"
    lost = f"class A:\n    def __del__(self):\n        {interrupt}\nA()\nprint('GOES ON')"
    (tmp_path / "package.py").write_text(f"import signal\n{caught if is_caught else lost}")
    result = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (code, "")
    assert "Traceback" not in result.stderr


_STOPPED = """
import signal, sys
from netdesc.cli import program
from netdesc.training import train

train.prepare = lambda *_, **__: signal.raise_signal(signal.SIGHUP)
program.program()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_signal_while_data_are_read_ends_the_command(tmp_path: Path):
    """It has nothing to save, and leaves no folder: the command can be given again."""
    document = write_task(tmp_path / "task")
    result = subprocess.run(
        [sys.executable, "-c", _STOPPED, "train", document, "--run-dir", tmp_path / "run"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (75, "")
    assert result.stderr.split() == ["stopped", "by", "SIGHUP"]
    assert not (tmp_path / "run").exists()
