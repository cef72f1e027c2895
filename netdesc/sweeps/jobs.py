"""Starts several processes of a sweep on this machine, and waits for them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from netdesc.machine import cores
from netdesc.runs.sweep_table import TrialRow
from netdesc.stop_signals import PARENT, STOP_SIGNALS, STOPPED, exit_code
from netdesc.sweeps.results import read_table
from netdesc.sweeps.worker import OnTrial

_RESTARTS = 3
"""Number of processes that are started for each one that was asked for, if they are killed."""
_READING_SHARE = 0.05
"""Largest share of the time in which the table is read."""


def run_jobs(
    folder: Path,
    jobs: int,
    arguments: Sequence[str],
    on_trial: OnTrial = lambda row: None,
    warn: Callable[[str], None] = lambda text: None,
) -> int:
    """Runs ``jobs`` processes that join the sweep in ``folder``. Returns 0 or an exit code.

    ``arguments`` are further ones of the command. Signals are passed on to the processes; the third
    one kills them. A process that others kill is told by ``warn`` and replaced, and its trial goes
    on. In the main thread only.
    """
    command = [sys.executable, "-m", "netdesc", "sweep", "--dir", str(folder), "-q", *arguments]
    threads = {"OMP_NUM_THREADS": str(max(1, cores().usable // jobs))}
    processes, signals = list["subprocess.Popen[bytes]"](), list[int]()
    code, restarts, due = 0, _RESTARTS * jobs, 0.0

    def start() -> None:
        processes.append(
            subprocess.Popen(
                command,
                env={**threads, **os.environ, PARENT: "1"},
                stdin=subprocess.PIPE,  # closes when this process ends
                process_group=0,  # the terminal signals this process, which passes it on
            )
        )

    def send(number: int, _frame: FrameType | None) -> None:
        signals.append(number)
        for process in processes:
            process.send_signal(number if len(signals) < 3 else signal.SIGKILL)

    def tell() -> None:
        for number, row in _ended(folder).items():
            if number not in told:
                told.add(number)
                on_trial(row)

    told = {*_ended(folder)}
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    handlers = {number: old for number, old in handlers.items() if old != signal.SIG_IGN}
    try:
        for number in handlers:
            signal.signal(number, send)
        for _ in range(jobs):
            start()
        while processes:
            time.sleep(0.05)
            if (began := time.monotonic()) >= due:
                tell()
                due = time.monotonic() + max(1.0, (time.monotonic() - began) / _READING_SHARE)
            for process in [process for process in processes if process.poll() is not None]:
                processes.remove(process)
                code = code or max(0, process.returncode)
                if process.returncode < 0 and not signals:
                    name, restarts = signal.Signals(-process.returncode).name, restarts - 1
                    warn(f"process {process.pid} ended by {name}; its trial can go on")
                    if restarts >= 0:
                        start()
                    else:
                        code = STOPPED
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for process in processes:  # after an error
            process.terminate()
    tell()
    return exit_code(signals[0]) if signals else code


def _ended(folder: Path) -> dict[int, TrialRow]:
    return {row.number: row for row in read_table(folder).trials if row.has_ended}
