"""The processes that train one network together, and sums over them that have the same bits.

A batch is cut into shards, and each process computes some of them. What shards add up to is summed
in a fixed binary tree over all shards: first in each process, then over processes. So the bits of a
sum do not depend on the number of processes.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor


class Ranks:
    """One of ``size`` processes that train together; ``rank`` is its number, from 0.

    Only the first one writes files, prints and calls callbacks. All must call ``sum``, ``gather``,
    ``agree`` and ``broadcast`` in the same order. A process alone calls nothing of
    ``torch.distributed``.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's folder, prints, and calls callbacks."""
        return self.rank == 0

    def own(self, shards: int) -> range:
        """Returns the numbers of this process's shards, which ``size`` must divide."""
        assert shards % self.size == 0, "checked before the run begins"
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
        """Returns the first process's ``value``, a tree of plain values and tensors."""
        return value


ALONE = Ranks()


def tree_sum(values: Sequence[Tensor]) -> Tensor:
    """Sums pairs of neighbours, then pairs of these sums, and so on; a last one waits."""
    while len(values) > 1:
        pairs = [first + second for first, second in zip(values[::2], values[1::2], strict=False)]
        values = [*pairs, *values[len(pairs) * 2 :]]
    (total,) = values
    return total
