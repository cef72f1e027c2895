"""Fake CUDA graphs on the CPU: torch operations are recorded and replayed on the same tensors.

Like a CUDA graph, a replay uses the tensors and numbers of the recording and runs no Python code of
the step. Recording refuses what a capture refuses: to read a number from a tensor, and to copy
numbers to the device. Unlike a capture, recording computes, so all tensors are restored after it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from netdesc.training.cuda_graph import CaptureError, CudaGraphs

REFUSED = {
    "_local_scalar_dense", "item", "equal", "nonzero", "bincount", "lift_fresh", "unique_dim",
    "masked_select", "_unique2",
}  # fmt: skip

Recorded = tuple[Any, tuple[Any, ...], dict[str, Any], list[torch.Tensor]]


def tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Recorded] = []
        self.before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(x.dtype == torch.bool for x in tensors(args[1:]))
        if name in REFUSED or by_mask:
            raise CaptureError(f"{name} is not permitted in a capture")
        kwargs = kwargs or {}
        for tensor in tensors([args, kwargs]):
            storage = tensor.untyped_storage()
            if storage.nbytes() and storage.data_ptr() not in self.made | self.before.keys():
                whole = torch.empty(0, dtype=torch.uint8).set_(storage)
                self.before[storage.data_ptr()] = whole, whole.clone()
        result = func(*args, **kwargs)
        outputs = tensors(result)
        given = {each.untyped_storage().data_ptr() for each in tensors([args, kwargs])}
        fresh = [x for x in outputs if x.untyped_storage().data_ptr() not in given]
        self.made |= {each.untyped_storage().data_ptr() for each in fresh}
        self.operations.append((func, args, kwargs, outputs))
        return result

    def restore(self) -> None:
        for whole, kept in self.before.values():
            whole.copy_(kept)

    def replay(self) -> None:
        for func, args, kwargs, outputs in self.operations:
            for old, new in zip(outputs, tensors(func(*args, **kwargs)), strict=True):
                if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    old.copy_(new)


class CpuGraphs(CudaGraphs):
    """Counts its calls; the test sets its free memory, and which capture fails."""

    def __init__(self, free: int = 1 << 40, refuses: int = 0) -> None:
        self.free, self.refuses = free, refuses
        self.runs = self.captures = self.replays = 0

    def run(self, work: Callable[[], object]) -> int:
        self.runs += 1
        work()
        return 1000

    def free_bytes(self) -> int:
        return self.free

    def capture(self, work: Callable[[], object]) -> Callable[[], object]:
        self.captures += 1
        if self.captures == self.refuses:
            raise CaptureError("CUDA error: operation not permitted when stream is capturing")
        random = torch.get_rng_state()
        with Recording() as recording:
            work()
        recording.restore()
        torch.set_rng_state(random)

        def replay() -> None:
            self.replays += 1
            with torch.no_grad():
                recording.replay()

        return replay
