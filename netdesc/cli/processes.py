"""``--processes``: starts the processes of a training on this machine, and ends with them."""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from netdesc.cli.output import Output
from netdesc.machine import cores
from netdesc.runs.folder import LOCK
from netdesc.stop_signals import STOP_SIGNALS, STOPPED, exit_code

if TYPE_CHECKING:
    from netdesc.training.ranks import Ranks

PARENT = "NETDESC_PARENT"
"""Variable of a process that ends with its parent: then its standard input, a pipe, closes."""
_GRACE_S = 30.0
"""Time in which the others must end after one was killed or has failed."""


@contextlib.contextmanager
def joined(output: Output, device: str) -> Iterator[dict[str, "Ranks"]]:
    """Joins the others that a launcher has started for the block, and yields ``ranks`` if any.

    ``output`` is silent in all processes but the first.
    """
    if not os.environ.get("MASTER_ADDR"):
        yield {}
        return
    if os.environ.pop(PARENT, None):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # else torch tells of lost connections
    from netdesc.training.joining import join

    with join(device) as ranks:
        output.silent = not ranks.is_first
        yield {"ranks": ranks}


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def train_by_processes(
    output: Output, number: int, max_restarts: int, resume: Path | None, run_dir: Path | None
) -> int:
    """Runs this command by ``number`` processes. Returns their exit code.

    If one is killed, all are started again from the checkpoint, at most ``max_restarts`` times.
    """
    if os.environ.get("RANK"):
        raise click.UsageError("this is one process of several already: leave out --processes")
    if max_restarts and not (resume or run_dir):
        raise click.UsageError("--max-restarts needs --run-dir RUN or --resume RUN")
    arguments = sys.argv[1:]
    while True:
        code, killed = _run_group(arguments, number)
        if killed:
            output.warn(f"{killed}; starting all again" if max_restarts else killed)
        if not (code and killed and max_restarts):
            return code
        max_restarts -= 1
        if run_dir and (run_dir / LOCK).is_file() and "--resume-or-start" not in arguments:
            arguments.append("--resume-or-start")


def _run_group(arguments: Sequence[str], number: int) -> tuple[int, str]:
    """Runs ``number`` processes of this command to their end, and passes signals on to them.

    Returns the exit code, and names a process that has been killed, unless all were to end.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    threads = {"OMP_NUM_THREADS": str(max(1, cores().allowed // number))}
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(number)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "netdesc", *arguments],
            env={**threads, **os.environ, **group, PARENT: "1", "RANK": rank, "LOCAL_RANK": rank},
            stdin=subprocess.PIPE,  # which closes when this process ends
            process_group=0,  # so that a signal of the terminal comes once, from here
        )
        for rank in map(str, range(number))
    ]
    passed: list[int] = []

    def send(signal_number: int, _frame: FrameType | None = None) -> None:
        passed.append(signal_number)
        for process in processes:
            process.send_signal(signal_number)

    taken = [each for each in STOP_SIGNALS if signal.getsignal(each) != signal.SIG_IGN]
    previous = [(each, signal.signal(each, send)) for each in taken]
    end, killed = math.inf, ""
    while True:
        codes = [process.poll() for process in processes]
        now = time.monotonic()
        for process, code in zip(processes, codes, strict=True):
            if code and code < 0 and not killed and now < end:
                killed = f"process {process.pid} ended by {signal.Signals(-code).name}"
        if any(codes):
            end = min(end, now + _GRACE_S)  # the others notice it by themselves
        if None not in codes:
            break
        if now > end:
            for process in processes:
                process.kill()
        time.sleep(0.05)
    for each, handler in previous:
        signal.signal(each, handler)
    last = processes[0].wait()
    if last < 0:  # before it could handle a signal
        last = exit_code(passed[0]) if passed else STOPPED
    return last, "" if passed else killed
