"""Joins the group of processes that a launcher has started, for the time of a training.

A launcher is torchrun, ``--processes``, srun with MASTER_ADDR, or what initialises a group of
``torch.distributed`` itself, such as accelerate and Ray Train.
"""

import contextlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store, _get_default_store
from torch.distributed.rendezvous import rendezvous

from netdesc.runs.errors import RunError
from netdesc.training.members import Members, PeerError, wait_limit
from netdesc.training.ranks import ALONE, JoinedRanks, Ranks

PARENT_VARIABLE = "NETDESC_PARENT"
"""Set by ``--processes``: standard input is a pipe that closes when the parent ends."""

_joins = itertools.count()
"""Numbers the groups of this process, and so keeps their keys in a store apart."""


class Place(NamedTuple):
    """What a launcher's variables say about a process."""

    rank: int
    size: int
    local_rank: int

    @classmethod
    def of_environment(cls) -> "Place | None":
        """Returns the place by torchrun's or srun's variables, None without an address to meet at.

        RunError if they are not numbers, or do not fit together.
        """
        if not os.environ.get("MASTER_ADDR"):
            return None
        rank, size = _number("RANK", "SLURM_PROCID"), _number("WORLD_SIZE", "SLURM_NTASKS")
        if rank is None or size is None:
            return None
        if rank >= size:
            raise RunError(f"RANK is {rank}, but WORLD_SIZE is {size}", exit_code=2)
        return cls(rank, size, _number("LOCAL_RANK", "SLURM_LOCALID") or 0)


def _number(*names: str) -> int | None:
    for name in names:
        if text := os.environ.get(name):
            if not (text.isascii() and text.isdigit()):
                raise RunError(f"{name} is {text!r}; it must be a number", exit_code=2)
            return int(text)
    return None


def exit_code_of(error: BaseException) -> int:
    """Returns the exit code that ``error`` names, 130 after Ctrl-C, else 70 for a bug."""
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        return code
    return 130 if isinstance(error, KeyboardInterrupt) else 70


@contextlib.contextmanager
def join(
    device: str = "auto", code_of: Callable[[BaseException], int] = exit_code_of
) -> Iterator[Ranks]:
    """Joins the group of a launcher for the block; without one, this process is alone.

    If the block raises, the others get PeerError from their next call of ``Ranks``, with the exit
    code ``code_of(error)``. If another process has failed before, this one raises PeerError
    instead, so that one message is printed. RunError or LostRankError if there is no group to join.
    """
    place = None if dist.is_initialized() else Place.of_environment()
    size = dist.get_world_size() if dist.is_initialized() else 1 if place is None else place.size
    if size == 1:
        yield ALONE
        return
    if place is not None:
        _end_with_parent()
    store, rank = _store(place)
    members = Members(store, rank, size, _choose_gpu(device, place))
    ranks = None
    try:
        members.sign_in()
        ranks = JoinedRanks(members, _connect(place, store, members))
        yield ranks
    except BaseException as error:
        if ranks is not None:
            ranks.leave()  # which breaks the connections of those that wait for this process
        if getattr(error, "is_told", False):
            raise
        is_first = members.tell(error, code_of(error))
        members.linger()
        if is_first or not isinstance(error, Exception):
            raise
        raise PeerError(str(error), code_of(error)) from error
    else:
        ranks.leave()


def _store(place: Place | None) -> tuple[Store, int]:
    """Returns the table that all processes share, and this process's number."""
    if place is None:
        base, rank = _get_default_store(), dist.get_rank()
    else:
        rank, address = place.rank, os.environ["MASTER_ADDR"]
        os.environ.setdefault("MASTER_PORT", "29500")
        try:
            base, _, _ = next(rendezvous("env://", rank, place.size, timeout=wait_limit()))
        except (RuntimeError, ValueError) as error:
            where = f"{address}:{os.environ['MASTER_PORT']}"
            reason = str(error).partition("\n")[0]
            message = f"rank {rank} cannot meet the other processes at {where}: {reason}"
            raise RunError(message, exit_code=3) from error
    return PrefixStore(f"netdesc/{next(_joins)}", base), rank


def _connect(place: Place | None, store: Store, members: Members) -> Any:
    """Returns a group of netdesc's own that connects all processes."""
    backend, limit = "cpu:gloo,cuda:nccl" if members.uses_gpu else "gloo", wait_limit()
    try:
        if place is None:
            return dist.new_group(backend=backend, timeout=limit)
        dist.init_process_group(
            backend, store=store, rank=members.rank, world_size=members.size, timeout=limit
        )
    except RuntimeError as error:
        raise members.find_cause(error, 0.0) from error
    return dist.group.WORLD


def _choose_gpu(device: str, place: Place | None) -> str:
    """Makes a GPU of this process's own the current one. Returns its name, empty for the CPU."""
    if device == "cpu" or not torch.cuda.is_available():
        return ""
    if place is not None:
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
    return str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)


def _end_with_parent() -> None:
    """Ends this process as SIGTERM does when the parent of ``--processes`` has ended."""
    if os.environ.pop(PARENT_VARIABLE, None) is None:
        return
    pipe = os.dup(sys.stdin.fileno())

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
