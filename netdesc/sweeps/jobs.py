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
from netdesc.runs.sweep_table import SweepTable
from netdesc.stop_signals import PARENT, STOP_SIGNALS, STOPPED, exit_code
from netdesc.sweeps.results import read_table
from netdesc.sweeps.worker import OnTrial

_RESTARTS = 3
"""Number of processes that are started for each one that was asked for, if they are killed."""
_QUIT_S = 5.0
"""Time in which all must end after a second signal."""
_READING_SHARE = 0.05
"""Largest share of the time in which the table is read."""


def run_jobs(
    folder: Path,
    number: int,
    arguments: Sequence[str],
    on_trial: OnTrial = lambda row: None,
    warn: Callable[[str], None] = lambda text: None,
) -> int:
    """Runs ``number`` processes that join the sweep in ``folder``. Returns 0 or an exit code.

    ``arguments`` are further ones of the command. Signals are passed on to the processes. One that
    is killed is told by ``warn`` and replaced, and its trial goes on. In the main thread only.
    """
    command = [sys.executable, "-m", "netdesc", "sweep", "--dir", str(folder), "-q", *arguments]
    threads = {"OMP_NUM_THREADS": str(max(1, cores().usable // number))}

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command,
            env={**threads, **os.environ, PARENT: "1"},
            stdin=subprocess.PIPE,  # closes when this process ends
            process_group=0,  # only this process gets signals of the terminal, and passes them on
        )

    signals, times = list[int](), list[float]()

    def send(signal_number: int, _frame: FrameType | None = None) -> None:
        signals.append(signal_number)
        times.append(time.monotonic())
        for process in processes:
            process.send_signal(signal_number)

    told = {row.number for row in read_table(folder).trials if row.reason or row.results}
    processes, code, restarts = list["subprocess.Popen[bytes]"](), 0, _RESTARTS * number
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    handlers = {number: old for number, old in handlers.items() if old != signal.SIG_IGN}
    try:
        for signal_number in handlers:
            signal.signal(signal_number, send)
        processes += [start() for _ in range(number)]
        due = 0.0
        while processes:
            time.sleep(0.05)
            if time.monotonic() >= due:
                began = time.monotonic()
                _tell(read_table(folder), told, on_trial)
                due = time.monotonic() + max(1.0, (time.monotonic() - began) / _READING_SHARE)
            if times and times[-1] - times[0] > 1 and time.monotonic() - times[-1] > _QUIT_S:
                for process in processes:
                    process.kill()
            for process in [process for process in processes if process.poll() is not None]:
                processes.remove(process)
                if process.returncode < 0 and not signals:
                    name = signal.Signals(-process.returncode).name
                    is_last = not restarts
                    way = "" if is_last else "; another process goes on with its trial"
                    warn(f"process {process.pid} ended by {name}{way}")
                    processes += [] if is_last else [start()]
                    code, restarts = (STOPPED if is_last else code), restarts - (not is_last)
                else:
                    code = code or max(0, process.returncode)
    finally:
        for signal_number, handler in handlers.items():
            signal.signal(signal_number, handler)
        for process in processes:  # after an error
            process.terminate()
    _tell(read_table(folder), told, on_trial)
    return exit_code(signals[0]) if signals else code


def _tell(table: SweepTable, told: set[int], on_trial: OnTrial) -> None:
    for row in table.trials:
        if row.status in ("done", "pruned", "failed") and row.number not in told:
            told.add(row.number)
            on_trial(row)
