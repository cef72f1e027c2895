"""Runs commands of netdesc, each in a fork of a process that has imported everything.

So a command takes no time to start, its memory and its processor time are its own, and it may
hang or crash. All commands compute with the reference engine, which needs no compiled kernels.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

MAX_CPU_S = 10
MAX_WALL_S = 240
"""After this time a command waits for something that does not come."""
MAX_MEMORY = 1 << 30
"""Bytes of memory that a command may hold, with torch's own 300 MB."""
_MAX_ADDRESSES = 6 << 30
"""Bytes of address space beyond what the process has at its start; this keeps the machine alive."""


_FAILED = 99
"""Exit code of a fork that ends with an exception."""


class Ended(NamedTuple):
    """How a command ended. ``code`` is negative if a signal has ended it."""

    code: int
    out: str
    err: str
    memory: int
    """The most bytes of memory that it held."""
    cpu_s: float


class ForkedCommands(AbstractContextManager["ForkedCommands"]):
    """The process that forks for each command."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=with_tests_on_path() | {"OMP_NUM_THREADS": "1", "COLUMNS": "100"},
        )

    def run(self, folder: Path, *arguments: str, interrupt_at: int | None = None) -> Ended:
        """Runs a command in ``folder``; presses Ctrl-C when the epoch ``interrupt_at`` begins."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"folder": str(folder), "arguments": arguments, "interrupt_at": interrupt_at}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Ended(**json.loads(self._process.stdout.readline()))

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def with_tests_on_path() -> dict[str, str]:
    """The environment of a process that imports ``support``."""
    path = (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, path))}


def import_everything() -> None:
    """Imports all modules of netdesc but those of CUDA and of the benchmarks."""
    import netdesc

    others = ("netdesc.kernels.cuda.", "netdesc.bench", "netdesc.__main__")
    for module in pkgutil.walk_packages(netdesc.__path__, "netdesc."):
        if not module.name.startswith(others):
            importlib.import_module(module.name)


def in_child(
    act: Callable[[], int | None], kill_after_s: float | None = None
) -> tuple[int, resource.struct_rusage]:
    """Calls ``act`` in a fork, and ends the fork with SIGKILL after ``kill_after_s`` seconds.

    Returns the exit code, and what the fork used. The code is the one that ``act`` returns, 0 for
    None, or -9 after SIGKILL.
    """
    child = os.fork()
    if child == 0:
        code = _FAILED
        try:
            code = act() or 0
        finally:
            if code == _FAILED:
                traceback.print_exc()
                sys.stderr.flush()
            os._exit(code)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage


def _run(request: dict[str, Any], out: int, err: int) -> int:
    """Runs a command in this process, which is a fork, within the limits."""
    from netdesc.cli.main import main

    os.chdir(request["folder"])
    tempfile.tempdir = request["folder"]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (2 * MAX_CPU_S, 2 * MAX_CPU_S))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _MAX_ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(MAX_WALL_S)
    if request["interrupt_at"] is not None:
        _interrupt_at(request["interrupt_at"])
    try:
        main(request["arguments"])  # always exits
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 98
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _interrupt_at(epoch: int) -> None:
    import pytest
    from support.training_task import at_epoch

    at_epoch(pytest.MonkeyPatch(), epoch, lambda: os.kill(os.getpid(), signal.SIGINT))


def serve() -> None:
    """Runs the commands that standard input names, one a line, until it ends."""
    import torch

    from netdesc.kernels.engines import use_engine

    import_everything()
    torch.set_num_threads(1)
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    with use_engine("reference"):
        for line in sys.stdin:
            request = json.loads(line)
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                code, usage = in_child(partial(_run, request, out.fileno(), err.fileno()))
                texts = []
                for file in (out, err):
                    file.seek(0)
                    texts.append(file.read().decode(errors="surrogateescape"))
            memory, cpu_s = usage.ru_maxrss << 10, usage.ru_utime + usage.ru_stime
            print(
                json.dumps(Ended(code, *texts, memory, cpu_s)._asdict()), file=answers, flush=True
            )


if __name__ == "__main__":
    serve()
