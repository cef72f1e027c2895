"""Processes that train together, simulated by threads of which one runs at a time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from torch import Tensor

from netdesc.training.ranks import Ranks, tree_sum

Result = TypeVar("Result")


class Meeting:
    """Lets threads run in turns, from one exchange of values to the next."""

    def __init__(self, size: int) -> None:
        self.size, self._left = size, set[int]()
        self._turn, self._changed = 0, threading.Condition()
        self._values: list[Any] = [None] * size

    def exchange(self, rank: int, value: Any) -> list[Any]:
        self._values[rank] = value
        self.pass_on(rank)
        self.wait(rank)  # all others have had their turn since
        values = [*self._values]
        self.pass_on(rank)  # all copy the values before one is replaced
        self.wait(rank)
        return values

    def pass_on(self, rank: int) -> None:
        with self._changed:
            self._turn = (rank + 1) % self.size
            self._changed.notify_all()

    def wait(self, rank: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._turn == rank or self._turn in self._left)
            assert self._turn == rank, f"rank {self._turn} has left before rank {rank}"

    def leave(self, rank: int) -> None:
        with self._changed:
            self._left.add(rank)
            self._changed.notify_all()


class SimulatedRanks(Ranks):
    def __init__(self, meeting: Meeting, rank: int) -> None:
        self._meeting, self.rank, self.size = meeting, rank, meeting.size

    def sum(self, values_by_own_shard: Sequence[Tensor]) -> Tensor:
        return tree_sum(self._meeting.exchange(self.rank, tree_sum(values_by_own_shard)))

    def gather(self, value: Tensor) -> list[Tensor]:
        return self._meeting.exchange(self.rank, value.clone())

    def agree(self, code: int) -> int:
        return max(self._meeting.exchange(self.rank, code))

    def broadcast(self, value: Any) -> Any:
        return self._meeting.exchange(self.rank, value)[0]


def run_ranks(size: int, work: Callable[[Ranks], Result]) -> list[Result]:
    """Calls ``work`` as each of ``size`` processes, and returns what they return."""
    if size == 1:
        return [work(Ranks())]
    meeting = Meeting(size)

    def run(rank: int) -> Result:
        try:
            meeting.wait(rank)
            result = work(SimulatedRanks(meeting, rank))
            meeting.pass_on(rank)
            return result
        finally:
            meeting.leave(rank)

    with ThreadPoolExecutor(size) as pool:
        return [future.result() for future in [pool.submit(run, rank) for rank in range(size)]]
