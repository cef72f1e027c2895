"""Settings of every test, made before torch or Numba is loaded."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Tests run side by side. A thread that waits for another must sleep then, not hold its processor.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# As many threads as tests ask for, on machines of fewer cores as well: else Numba has no more.
os.environ.setdefault("NUMBA_NUM_THREADS", "4")
# The programs that tests start find compiled modules, whoever keeps Python from them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
import torch
from hypothesis import HealthCheck, settings
from support.cli_process import Netdesc, Outcome, exit_code

from netdesc.kernels.engines import use_engine

# Triton reads this when it is loaded. Its kernels are interpreted where no GPU can run them.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

# The first example of a test may compile kernels, and machines that run tests are busy.
settings.register_profile(
    "netdesc",
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("netdesc")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compiles common kernels before the whole suite; workers would compile them once each."""
    is_worker = hasattr(session.config, "workerinput")
    if is_worker or session.config.args != session.config.getini("testpaths"):
        return
    # In another process, so that this one forks its workers without Numba's threads.
    script = Path(__file__).parent / "support" / "kernel_compiler.py"
    subprocess.run([sys.executable, str(script)], check=False)


@pytest.fixture(scope="module")
def reference_engine() -> Iterator[None]:
    """Computes without kernels, in tests of something else: they need not be compiled then."""
    with use_engine("reference"):
        yield


@pytest.fixture
def short_animations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds the last frame of animations for less time, as each frame takes long to draw."""
    monkeypatch.setattr("netdesc.events.animation._HOLD_S", 0.1)


@pytest.fixture
def netdesc(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Netdesc:
    """Runs a command in ``tmp_path`` and returns how it ended."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Outcome:
        assert isinstance(sys.stderr, io.TextIOWrapper)
        sys.stderr.reconfigure(errors="backslashreplace")  # as Python opens it
        code = exit_code(*arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run
