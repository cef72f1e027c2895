"""``--processes``: starts several processes of a training on this machine, and waits for them."""

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
from netdesc.stop_signals import CTRL_C, PARENT, STOP_SIGNALS, STOPPED, exit_code

if TYPE_CHECKING:
    from netdesc.training.ranks import Ranks

_QUIT_S = 5.0
"""Time in which all must end after a second signal."""
_SAVING = (4, STOPPED, CTRL_C)
"""Exit codes of a process that has ended while the first one may still write a checkpoint."""
_GRACE_S = 30.0
"""Seconds after which the other processes are killed if one was killed or has failed."""


@contextlib.contextmanager
def join_launched(output: Output, device: str) -> Iterator[dict[str, "Ranks"]]:
    """Joins the processes that a launcher has started, for the block.

    Yields ``{"ranks": …}``, or an empty dict without a launcher. ``output`` is silent in all
    processes but the first.
    """
    if not os.environ.get("MASTER_ADDR"):
        yield {}
        return
    if os.environ.pop(PARENT, None):
        threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # torch would print lost connections
    from netdesc.training.joining import join

    with join(device) as ranks:
        output.silent = not ranks.is_first
        yield {"ranks": ranks}


def end_with_parent() -> None:
    """Waits until the process that started this one ends, and then ends this one, too."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def train_by_processes(
    output: Output, number: int, max_restarts: int, resume: Path | None, run_dir: Path | None
) -> int:
    """Runs this command in ``number`` processes. Returns their exit code.

    If one is killed, all are started again from the checkpoint, at most ``max_restarts`` times.
    UsageError if this is one of several processes already, or if restarts have no folder.
    """
    if os.environ.get("RANK"):
        raise click.UsageError(
            "a launcher has set RANK, so this is one of several processes: leave out --processes"
        )
    if max_restarts and not (resume or run_dir):
        raise click.UsageError("--max-restarts needs --run-dir RUN or --resume RUN")
    arguments = sys.argv[1:]
    while True:
        code, killed = _run_group(arguments, number)
        if killed:
            again = "all processes go on from the last checkpoint"
            output.warn(f"{killed}; {again if max_restarts else '--max-restarts would go on'}")
        if not (code and killed and max_restarts):
            return code
        max_restarts -= 1
        if run_dir and (run_dir / LOCK).is_file() and "--resume-or-start" not in arguments:
            arguments.append("--resume-or-start")


def _run_group(arguments: Sequence[str], number: int) -> tuple[int, str]:
    """Runs ``number`` processes of this command to their end, and passes signals on to them.

    Returns the exit code of the first process, and a text that names the first one that was killed.
    The text is empty if none was, or after a signal that ends them all.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    threads = {"OMP_NUM_THREADS": str(max(1, cores().usable // number))}
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(number)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "netdesc", *arguments],
            env={**threads, **os.environ, **group, PARENT: "1", "RANK": rank, "LOCAL_RANK": rank},
            stdin=subprocess.PIPE,  # closes when this process ends
            process_group=0,  # only this process gets signals of the terminal, and passes them on
        )
        for rank in map(str, range(number))
    ]
    signals: list[int] = []
    times: list[float] = []

    def send(signal_number: int, _frame: FrameType | None = None) -> None:
        signals.append(signal_number)
        times.append(time.monotonic())
        for process in processes:
            process.send_signal(signal_number)

    handlers = {signal_number: signal.getsignal(signal_number) for signal_number in STOP_SIGNALS}
    for signal_number, handler in handlers.items():
        if handler != signal.SIG_IGN:
            signal.signal(signal_number, send)
    deadline, killed = math.inf, ""
    while True:
        codes = [process.poll() for process in processes]
        now = time.monotonic()
        for process, code in zip(processes, codes, strict=True):
            if code and code < 0 and not killed and now < deadline:
                killed = f"process {process.pid} ended by {signal.Signals(-code).name}"
        if codes[0] is not None or any(code not in (None, 0, *_SAVING) for code in codes):
            deadline = min(deadline, now + _GRACE_S)  # the others notice it by themselves
        if times and times[-1] - times[0] > 1:  # a second signal: one may wait for a hung one
            deadline = min(deadline, times[-1] + _QUIT_S)
        if None not in codes:
            break
        if now > deadline:
            for process in processes:
                process.kill()
        time.sleep(0.05)
    for signal_number, handler in handlers.items():
        if handler != signal.SIG_IGN:
            signal.signal(signal_number, handler)
    code = processes[0].wait()
    if code < 0:  # killed, or ended before it could handle a signal
        code = exit_code(signals[0]) if signals else STOPPED
    return code, "" if signals else killed
