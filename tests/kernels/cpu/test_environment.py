"""If Numba's environment forbids kernels, one line says so, and no other engine is used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.training_task import write_task


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("NUMBA_DISABLE_JIT", "1", "NUMBA_DISABLE_JIT is set; unset it"),
        ("NUMBA_THREADING_LAYER", "nonsense", "finds no threading layer 'nonsense'; unset"),
        ("NUMBA_NUM_THREADS", "0", "Number of threads specified must be > 0"),
    ],
)
def test_environments_without_kernels(name: str, value: str, message: str, tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", epochs=2)
    command = [sys.executable, "-m", "netdesc", "train", task, "--run-dir", tmp_path / "run"]
    # Triton's interpreter, which tests use, would take ten seconds.
    environment = {key: each for key, each in os.environ.items() if key != "TRITON_INTERPRET"}
    environment |= {name: value}
    result = subprocess.run([*command, "-q"], env=environment, capture_output=True, text=True)
    assert result.returncode == 3
    # A warning may stand before it, such as of other processes that keep the cores busy.
    (line,) = (each for each in result.stderr.splitlines() if not each.startswith("warning: "))
    assert line.startswith("error: engine 'cpu' cannot run: ")
    assert message in line
    assert name in line
