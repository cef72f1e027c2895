"""Trains runs and kills them, for ``runs/test_resume.py``; started as a process of its own.

It imports everything once and forks before torch starts a thread, so that a run is quick. SIGKILL
ends a run before a chosen file operation; an operation that writes has then written half of its
data.
"""

import importlib
import json
import os
import pkgutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from support.training_task import untimed_metrics

import netdesc
from netdesc.training import progress, saver

FILES = (
    "checkpoints/last.safetensors",
    "checkpoints/best.safetensors",
    "network.json",
    "network.net",
)
"""Files of a run that are the same to the byte in a run that was killed and resumed."""


EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}
"""Events of Python's audit hooks that change files; the first argument is a path or a number."""


def import_everything() -> None:
    others = ("netdesc.kernels.cuda.", "netdesc.__main__")
    for module in pkgutil.walk_packages(netdesc.__path__, "netdesc."):
        if not module.name.startswith(others):
            importlib.import_module(module.name)
    numba.njit(lambda: 0)()  # the first call imports most of Numba


def in_child(act: Callable[[], None]) -> int:
    """Calls ``act`` in a fork; returns the exit code."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            act()
            code = 0
        finally:
            if code:
                traceback.print_exc()
                sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def watch_files(folder: Path, fatal: int) -> Callable[[], int]:
    """Kills the process before operation ``fatal`` on the files below ``folder``.

    Counts the operations that create, write, rename or remove a file or folder. Returns a function
    that returns their number.
    """
    done = 0

    def count_one(write_half: Callable[[], object] = lambda: None) -> None:
        nonlocal done
        done += 1
        if done == fatal:
            write_half()
            die()

    def is_ours(target: Any) -> bool:
        return isinstance(target, int) or os.fsdecode(target).startswith(str(folder))

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        is_read = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if event in EVENTS and not is_read and is_ours(arguments[0]):
            count_one()

    def wrap(owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def watched(target: Any, *arguments: Any, **options: Any) -> Any:
            if is_ours(target):
                content, *rest = arguments or (b"",)
                count_one(lambda: content and function(target, content[: len(content) // 2], *rest))
            return function(target, *arguments, **options)

        setattr(owner, name, watched)

    sys.addaudithook(audit)
    for owner, name in ((os, "fsync"), (os, "pwrite"), (Path, "write_bytes"), (Path, "write_text")):
        wrap(owner, name)
    return lambda: done


def save_often() -> None:
    """Writes a checkpoint after every third batch, and metrics after every epoch."""
    calls = count()
    saver.Saver.is_due = lambda self, now: next(calls) % 3 == 1  # type: ignore[method-assign]
    progress.Display.is_due = lambda self, now: True  # type: ignore[method-assign]


def run(document: Path, folder: Path, fatal: int = 0) -> None:
    """Starts a run, or resumes the one in the folder."""
    save_often()
    operations = watch_files(folder, fatal)
    if (folder / "network.lock.json").exists():
        netdesc.train(resume=folder, progress="quiet")
    else:
        netdesc.train(netdesc.load(document), run_dir=folder, engine="reference", progress="quiet")
    (folder.parent / f"{folder.name}.operations").write_text(str(operations()))


def activity(folder: Path) -> dict[str, Any]:
    with np.load(folder / "activity.npz") as arrays:
        return {name: array.tolist() for name, array in arrays.items()}


def differences(folder: Path, uninterrupted: Path) -> list[str]:
    """The files of a run that differ from those of the uninterrupted one, and what is left over."""
    found = [
        name
        for name in FILES
        if not (folder / name).exists()
        or (folder / name).read_bytes() != (uninterrupted / name).read_bytes()
    ]
    found += [
        each.__name__ for each in (untimed_metrics, activity) if each(folder) != each(uninterrupted)
    ]
    names = (
        {str(path.relative_to(run)) for path in run.rglob("*")} for run in (folder, uninterrupted)
    )
    return found + sorted(set.symmetric_difference(*names))


def report(at: str, folder: Path, uninterrupted: Path, status: list[int]) -> None:
    """Prints in what a killed and resumed run differs from the uninterrupted one."""
    different = differences(folder, uninterrupted)
    print(json.dumps({"at": at, "status": status, "different": different}), flush=True)


def kill_at_operations(document: Path, folder: Path, stride: int) -> None:
    """Kills at every ``stride``-th file operation, in the first session and in the second."""
    uninterrupted = folder / "uninterrupted"
    assert in_child(partial(run, document, uninterrupted)) == 0
    operations = int((folder / "uninterrupted.operations").read_text())
    for fatal in range(1, operations + 1, stride):
        killed = folder / f"operation-{fatal}"
        status = [
            in_child(partial(run, document, killed, number))
            for number in (fatal, fatal // 2 + 1, 0)
        ]
        report(f"operation {fatal} of {operations}", killed, uninterrupted, status)


if __name__ == "__main__":
    import_everything()
    torch.set_num_threads(1)
    document, folder, stride = sys.argv[1:]
    kill_at_operations(Path(document), Path(folder), int(stride))
