"""Processes that train together, as forks of one that has imported everything.

``rank_processes.py FOLDER`` runs ``cases.json``, and writes how they ended to ``ended.json``.
"""

import json
import os
import resource
import signal
import sys
import warnings
from itertools import count
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from support.training_killer import import_everything

import netdesc
from netdesc.cli.main import main
from netdesc.training import members
from netdesc.training.ranks import JoinedRanks


def prepare(case: dict[str, Any], rank: int) -> None:
    """Kills this process, or fills its disk, when it asks the others for the n-th time."""
    agree, calls = JoinedRanks.agree, count()

    def watched(self: JoinedRanks, code: int) -> int:
        if next(calls) == case["at"]:
            if "killed" in case:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
        return agree(self, code)

    if "size" in case:
        members._LINGER_S = 0.1  # no other process reads why this one ends
    if rank == case.get("killed", case.get("full")):
        JoinedRanks.agree = watched  # type: ignore[method-assign]


def train_in_group(document: str, run: str) -> None:
    """Trains as a program does that has initialised a group itself."""
    dist.init_process_group("gloo")
    warnings.simplefilter("ignore")
    for name in (run, f"{run}-2"):
        stop = lambda metrics: print("called") or metrics["epoch"] == 1  # noqa: E731
        network = netdesc.load(document, {"training.shards": 4})
        netdesc.train(network, run_dir=name, callbacks=stop, progress="quiet")
    print("sum", dist.get_world_size())
    sys.exit(dist.destroy_process_group())


def start(case: dict[str, Any], rank: int, port: int, output: Path) -> int:
    if child := os.fork():
        return child
    file = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1), os.dup2(file, 2)
    names = ("SLURM_PROCID", "SLURM_NTASKS") if case.get("slurm") else ("RANK", "WORLD_SIZE")
    values = str(rank), str(case.get("size", len(case["commands"])))
    own = case.get("set", {}) | dict(zip(names, values, strict=True))
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} | own
    prepare(case, rank)
    code: Any = 99
    try:
        arguments = case["commands"][rank]
        train_in_group(*arguments) if case.get("group") else main(arguments)
    except SystemExit as error:
        code = error.code or 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def run_cases(folder: Path) -> None:
    """Runs the cases side by side, as they wait much for each other; last those ``after`` them."""
    cases, ended = json.loads((folder / "cases.json").read_text()), {}
    # Below those that systems give to connections, which other tests may open at this moment.
    ports = count(12_000 + 16 * (os.getpid() % 1_200))
    for is_last in (False, True):
        running = {}
        for name, case in cases.items():
            if case.get("after", False) == is_last:
                port = next(ports)
                outputs = [folder / f"{name}.{rank}" for rank in range(len(case["commands"]))]
                children = [start(case, rank, port, path) for rank, path in enumerate(outputs)]
                running[name] = children, outputs
        for name, (children, outputs) in running.items():
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            ended[name] = codes, [output.read_text() for output in outputs]
    (folder / "ended.json").write_text(json.dumps(ended))


if __name__ == "__main__":
    import_everything()
    torch.set_num_threads(1)
    run_cases(Path(sys.argv[1]))
