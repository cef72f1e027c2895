"""Joins the group of processes that a launcher has started, for the time of a training.

A launcher is torchrun, ``--processes``, srun with MASTER_ADDR, or what initialises a group of
``torch.distributed`` itself, such as accelerate and Ray Train.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore
from torch.distributed.distributed_c10d import _get_default_store

from netdesc.runs.errors import RunError
from netdesc.stop_signals import CTRL_C, STOPPED
from netdesc.training.members import Members, wait_limit
from netdesc.training.ranks import ALONE, JoinedRanks, Ranks

_joins = itertools.count()
"""Numbers the groups of this process, and so keeps their keys in a store apart."""


@contextlib.contextmanager
def join(device: str = "auto") -> Iterator[Ranks]:
    """Joins the group of a launcher for the block; without one, this process is alone.

    If the block raises, the others get LostRankError from their next call of ``Ranks``. An error
    gets the attribute ``is_told``, which is True if another process fails, too, and was the first
    one: so one message is printed. RunError or LostRankError if there is no group to join.
    """
    is_ready = dist.is_initialized()
    rank, size, local_rank = (dist.get_rank(), dist.get_world_size(), 0) if is_ready else _place()
    if size == 1:
        yield ALONE
        return
    gpu = ""
    if device != "cpu" and torch.cuda.is_available():
        if not is_ready:
            torch.cuda.set_device(local_rank % torch.cuda.device_count())
        gpu = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
    base = _get_default_store() if is_ready else _open_store(rank, size)
    store = PrefixStore(f"netdesc/{next(_joins)}", base)
    members, ranks = Members(store, rank, size), None
    try:
        members.sign_in(gpu)
        options: Any = {"backend": "cpu:gloo,cuda:nccl" if gpu else "gloo", "timeout": wait_limit()}
        try:
            if is_ready:
                group = dist.new_group(**options)
            else:
                dist.init_process_group(rank=rank, world_size=size, store=store, **options)
                group = dist.group.WORLD
        except RuntimeError as error:
            raise members.find_cause(0.0) from error
        ranks = JoinedRanks(members, group)
        del group
        yield ranks
        members.tell("it has ended", STOPPED, "ended")
    except BaseException as error:
        if not getattr(error, "is_told", False):
            code = CTRL_C if isinstance(error, KeyboardInterrupt) else 1
            is_first = members.tell(str(error), getattr(error, "exit_code", code))
            error.is_told = not is_first  # pyright: ignore[reportAttributeAccessIssue]
        raise
    finally:
        if ranks is not None:
            ranks.leave()  # which breaks the connections of those that wait for this process
        members.linger()


def _place() -> tuple[int, int, int]:
    """Returns rank, number of processes, and rank on this machine, by the launcher's variables."""
    names = (("RANK", "SLURM_PROCID"), ("WORLD_SIZE", "SLURM_NTASKS"))
    texts = [os.environ.get(name) or os.environ.get(slurm) for name, slurm in names]
    texts.append(os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or "0")
    if not os.environ.get("MASTER_ADDR") or None in texts:
        return 0, 1, 0
    with contextlib.suppress(ValueError):
        rank, size, local_rank = (int(str(text)) for text in texts)
        if 0 <= rank < size and local_rank >= 0:
            return rank, size, local_rank
    raise RunError("RANK {}, WORLD_SIZE {} and LOCAL_RANK {} do not fit".format(*texts), 2)


def _open_store(rank: int, size: int) -> Store:
    """Returns the table that all processes share. RunError if this one cannot reach it."""
    address, port = os.environ["MASTER_ADDR"], os.environ.get("MASTER_PORT") or "29500"
    is_host = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        store = TCPStore(address, int(port), size, is_host, wait_limit(), wait_for_workers=False)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        message = f"rank {rank} cannot meet the other processes at {address}:{port}: {reason}"
        raise RunError(message, exit_code=3) from error
    return PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
