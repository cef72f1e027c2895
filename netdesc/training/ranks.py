"""The processes that train one network together, and sums over them that have the same bits.

A batch is cut into shards, and each process computes some of them. What shards add up to is summed
in a fixed binary tree over all shards: first in each process, then over processes. So the bits of a
sum do not depend on the number of processes.
"""

import contextlib
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from netdesc.training.members import Members

SMALL = 1 << 15
"""Number of elements up to which each process gets all tensors and sums them itself."""


class Ranks:
    """One of ``size`` processes that train together; ``rank`` is its number, from 0.

    This class is a process alone, which calls nothing of ``torch.distributed``. In a group, all
    must call ``sum``, ``gather``, ``agree`` and ``broadcast`` in the same order. They raise
    LostRankError if another process has ended, has failed, or does not answer.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's folder, prints, and calls callbacks."""
        return self.rank == 0

    def own(self, shards: int) -> range:
        """Returns the numbers of this process's shards, which ``size`` must divide."""
        assert shards % self.size == 0, "``require_shards`` is called before"
        share = shards // self.size
        return range(share * self.rank, share * (self.rank + 1))

    def sum(self, values_by_own_shard: Sequence[Tensor]) -> Tensor:
        """Sums tensors of one shape over all shards; every process gets the sum.

        There is one tensor for each of ``own(shards)``, in order; of a shard without samples it
        holds zeros. The tensors stay as they are, but the sum may be one of them.
        """
        return tree_sum(values_by_own_shard)

    def gather(self, value: Tensor) -> list[Tensor]:
        """Returns the tensors of all processes, of one shape, in the order of ranks."""
        return [value]

    def agree(self, code: int) -> int:
        """Returns the greatest of the numbers of all processes."""
        return code

    def broadcast(self, value: Any) -> Any:
        """Returns the first process's ``value``: plain values, and tensors on the CPU."""
        return value


ALONE = Ranks()


class JoinedRanks(Ranks):
    """A process of a ``group`` of ``torch.distributed``; ``members`` names the processes.

    No other object may hold the group: its connections are closed with the last reference.
    """

    def __init__(self, members: Members, group: Any) -> None:
        self._members, self._group = members, group
        self.rank, self.size = members.rank, members.size

    def leave(self) -> None:
        """Closes the connections, so that other processes do not wait for this one."""
        group, self._group = self._group, None
        if group is not None:
            dist.destroy_process_group(group)  # otherwise the process would be aborted at its end

    def sum(self, values_by_own_shard: Sequence[Tensor]) -> Tensor:
        total = tree_sum(values_by_own_shard)
        if self.size == 2 or total.numel() <= SMALL:  # for two, this moves no more bytes
            return tree_sum(self.gather(total))
        # Each process sums one part of all tensors, and sends the sum to the others.
        part = -(-total.numel() // self.size)
        padded = total.new_zeros(part * self.size)
        padded[: total.numel()] = total.flatten()
        parts = torch.empty_like(padded)
        with self._together():
            dist.all_to_all_single(parts, padded, group=self._group)
            dist.all_gather([*padded.split(part)], tree_sum(parts.split(part)), group=self._group)
        return padded[: total.numel()].view_as(total)

    def gather(self, value: Tensor) -> list[Tensor]:
        values = [torch.empty_like(value) for _ in range(self.size)]
        with self._together():
            dist.all_gather(values, value, group=self._group)
        return values

    def agree(self, code: int) -> int:
        agreed = torch.tensor(code)
        with self._together():
            dist.all_reduce(agreed, dist.ReduceOp.MAX, group=self._group)
        return int(agreed)

    def broadcast(self, value: Any) -> Any:
        values = [value if self.is_first else None]
        with self._together():
            dist.broadcast_object_list(values, group=self._group, group_src=0)
        return values[0]

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        except RuntimeError as error:  # a connection was closed, or the limit of time is over
            traceback.clear_frames(error.__traceback__)  # they hold the group
            self.leave()
            raise self._members.find_cause(time.monotonic() - start) from error


def tree_sum(values: Sequence[Tensor]) -> Tensor:
    """Sums pairs of neighbours, then pairs of these sums, and so on; a last one waits."""
    while len(values) > 1:
        pairs = [first + second for first, second in zip(values[::2], values[1::2], strict=False)]
        values = [*pairs, *values[len(pairs) * 2 :]]
    (total,) = values
    return total


class Silent:
    """Replaces an object that only the first process has, or no trial has. Methods do nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None
