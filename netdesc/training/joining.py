"""Joins the group of processes that a launcher has started, as long as a training lasts.

A launcher is torchrun, ``--processes``, srun with MASTER_ADDR, or what initialises a group of
``torch.distributed`` itself, such as accelerate and Ray Train.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from netdesc.runs.errors import RunError
from netdesc.stop_signals import CTRL_C, STOPPED
from netdesc.training.members import LostRankError, Members, wait_limit
from netdesc.training.ranks import ALONE, JoinedRanks, Ranks

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

_joins = itertools.count()
"""Numbers the groups that this process joins. The keys of a group begin with its number."""


@contextlib.contextmanager
def join(device: str = "auto") -> Iterator[Ranks]:
    """Joins the group of a launcher for the block; without one, this process is alone.

    If the block raises, the other processes get LostRankError from their next call of ``Ranks``.
    The error gets the attribute ``is_told``: True if another process failed before and prints its
    message, so that only one is printed. RunError or LostRankError if the group cannot be joined.
    """
    if not dist.is_available():  # torch is built without it
        yield ALONE
        return
    from torch._C._distributed_c10d import PrefixStore
    from torch.distributed.distributed_c10d import _get_default_store

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
            cause = members.find_cause(0.0)
            if not cause.is_told:
                way = "on several machines, GLOO_SOCKET_IFNAME names the network that connects them"
                cause = LostRankError(f"{cause} while processes connected; {way}")
            raise cause from error
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
            ranks.leave()  # those that wait for this process notice it
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
    hint = "the launcher must set 0 <= RANK < WORLD_SIZE and LOCAL_RANK >= 0"
    raise RunError("RANK {}, WORLD_SIZE {} and LOCAL_RANK {}: {}".format(*texts, hint), 2)


def _open_store(rank: int, size: int) -> "Store":
    """Returns the store that all processes share. RunError if this process cannot reach it."""
    from torch._C._distributed_c10d import PrefixStore, TCPStore

    address, port = os.environ["MASTER_ADDR"], os.environ.get("MASTER_PORT") or "29500"
    is_host = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        store = TCPStore(address, int(port), size, is_host, wait_limit(), wait_for_workers=False)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        message = f"rank {rank} cannot reach the other processes at {address}:{port}: {reason}"
        hint = "start rank 0, and set MASTER_ADDR to its host and MASTER_PORT to a free port of it"
        raise RunError(f"{message}; {hint}", exit_code=3) from error
    return PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
