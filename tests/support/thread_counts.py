"""Results of kernels that must not depend on the number of threads."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def check_thread_counts(compute: Callable[[], Sequence[Tensor]]) -> None:
    """Asserts that ``compute`` returns the same numbers on 1, 2 and 3 threads."""
    before, found = torch.get_num_threads(), list[Sequence[Tensor]]()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(compute())
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))
