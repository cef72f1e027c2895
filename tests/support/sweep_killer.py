"""Runs a sweep in processes that are killed at random moments; started as a process of its own.

It imports everything once and forks before torch starts a thread, as ``training_killer``.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from support.training_killer import import_everything

import netdesc


def start(document: Path, folder: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        netdesc.sweep(document, folder, engine="reference")
        code = 0
    finally:
        os._exit(code)


def kill_workers(document: Path, folder: Path, workers: int, kills: int) -> None:
    """Keeps so many workers running, and kills one at a time. Prints how many were killed."""
    chance, codes = random.Random(workers), list[int]()
    children = [start(document, folder) for _ in range(workers)]
    while children:
        is_over = codes.count(-signal.SIGKILL) >= kills
        if not is_over:
            time.sleep(chance.uniform(0.0, 0.4))
            os.kill(chance.choice(children), signal.SIGKILL)
        for child in [*children]:
            ended, status = os.waitpid(child, 0 if is_over else os.WNOHANG)
            if ended:
                children.remove(child)
                codes.append(os.waitstatus_to_exitcode(status))
                children += [start(document, folder)] if codes[-1] == -signal.SIGKILL else []
    print(codes.count(-signal.SIGKILL), sum(code not in (0, -signal.SIGKILL) for code in codes))


if __name__ == "__main__":
    import_everything()
    torch.set_num_threads(1)
    kill_workers(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
