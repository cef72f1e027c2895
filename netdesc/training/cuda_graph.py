"""Work that is done again and again on a GPU, captured as a CUDA graph and replayed.

A graph starts all kernels of the work at once, where a program would take longer to start them one
by one than they take to compute. It knows addresses, not tensors: what it reads and writes must
stay where it is, and numbers that the program passed to kernels are its own for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

Work = Callable[[], object]

WARM_UP = 3
"""How often work is done as it is, before it is captured: kernels are compiled and loaded then,
libraries take their memory, and what is made once is made."""

MEMORY_FACTOR = 2
"""A capture must find so many times the memory that the work takes: once for the graph, which
never gives it back, and once for the same work done as it is, as in validation."""


class Graphs(Protocol):
    """What is asked of a device for that."""

    def run(self, work: Work) -> int:
        """Does the work where it can be captured later; returns the bytes it took, or more."""
        ...

    def free_bytes(self) -> int:
        """The memory that could be had."""
        ...

    def capture(self, work: Work) -> Work:
        """Returns what does the work again; doing it once is left to that. CaptureError."""
        ...


class CaptureError(RuntimeError):
    """The work cannot be captured, and was not done."""


class CudaGraphs:
    """Graphs of an NVIDIA GPU. Warm-up and capture share a stream that is not the default one."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)

    def run(self, work: Work) -> int:
        before = torch.cuda.memory_allocated(self._device)
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            work()
        current.wait_stream(self._stream)
        # The peak may be an earlier one; whoever measures that would miss it if it were reset.
        return torch.cuda.max_memory_allocated(self._device) - before

    def free_bytes(self) -> int:
        unused = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(
            self._device
        )
        return torch.cuda.mem_get_info(self._device)[0] + unused

    def capture(self, work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        current = torch.cuda.current_stream(self._device)
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                work()
        except RuntimeError as error:  # what CUDA does not allow in a capture, or too little memory
            torch.cuda.set_stream(current)  # torch forgets it where the end of a capture fails
            raise CaptureError(str(error).partition("\n")[0]) from error
        return graph.replay


class Replayed:
    """Work that is done as it is ``warm_up`` times, then captured, and replayed from then on.

    ``obstacle`` says why it is not captured, once that is known. It is then done as it is.
    """

    def __init__(self, work: Work, graphs: Graphs, warm_up: int = WARM_UP) -> None:
        self._work, self._graphs, self._warm_up = work, graphs, warm_up
        self._done = self._bytes = 0
        self._replay: Work | None = None
        self.obstacle: str | None = None

    @property
    def is_captured(self) -> bool:
        return self._replay is not None

    def __call__(self) -> None:
        if self._replay is None and self.obstacle is None and self._done >= self._warm_up:
            self._capture()
        if self._replay is not None:
            self._replay()
        elif self.obstacle is not None:
            self._work()
        else:
            self._done += 1
            self._bytes = self._graphs.run(self._work)

    def give_up(self, obstacle: str) -> None:
        """Does the work as it is from now on."""
        self.obstacle = obstacle

    def _capture(self) -> None:
        free, needed = self._graphs.free_bytes(), MEMORY_FACTOR * self._bytes
        if free < needed:
            self.give_up(f"that takes {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free")
            return
        try:
            self._replay = self._graphs.capture(self._work)
        except CaptureError as error:
            self.give_up(str(error))
