"""Captures repeated work on a GPU as a CUDA graph, and replays it.

A graph launches all kernels of the work in one call; launching them one by one can take longer than
they compute. A graph holds addresses and not tensors, so what it reads and writes must stay at its
address. Numbers that the program passed to kernels become constants of the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

Work = Callable[[], object]

WARM_UP = 3
"""The work runs this often before it is captured, because the first runs compile and load kernels
and allocate the memory of libraries."""

MEMORY_FACTOR = 2
"""A capture needs this many times the work's memory free: once for the graph, which never releases
it, and once for the same work without a graph, as in validation."""


class Graphs(Protocol):
    """Runs and captures work on a device."""

    def run(self, work: Work) -> int:
        """Runs the work on the stream of a later capture; returns at least the bytes it takes."""
        ...

    def free_bytes(self) -> int:
        """The memory that can still be allocated."""
        ...

    def capture(self, work: Work) -> Work:
        """Captures the work without running it; returns its replay. CaptureError."""
        ...


class CaptureError(RuntimeError):
    """The work cannot be captured, and did not run."""


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
        # May be the peak of earlier work. It is not reset, because others may be measuring it.
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
        except RuntimeError as error:  # CUDA refuses an operation in a capture, or memory is short
            torch.cuda.set_stream(current)  # torch does not restore it if ending the capture fails
            raise CaptureError(str(error).partition("\n")[0]) from error
        return graph.replay


class ReplayedWork:
    """Runs work ``warm_up`` times, then captures it, and replays it from then on.

    If it cannot be captured, ``obstacle`` says why, and the work runs without a graph.
    """

    def __init__(self, work: Work, graphs: Graphs, warm_up: int = WARM_UP) -> None:
        self._work, self._graphs, self._warm_up = work, graphs, warm_up
        self._runs = self._bytes = 0
        self._replay: Work | None = None
        self.obstacle: str | None = None

    @property
    def is_captured(self) -> bool:
        return self._replay is not None

    def __call__(self) -> None:
        if self._replay is None and self.obstacle is None and self._runs >= self._warm_up:
            self._capture()
        if self._replay is not None:
            self._replay()
        elif self.obstacle is not None:
            self._work()
        else:
            self._runs += 1
            self._bytes = self._graphs.run(self._work)

    def stop_capturing(self, obstacle: str) -> None:
        """Runs the work without a graph from now on."""
        self.obstacle = obstacle

    def _capture(self) -> None:
        free, needed = self._graphs.free_bytes(), MEMORY_FACTOR * self._bytes
        if free < needed:
            self.stop_capturing(
                f"that takes {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free"
            )
            return
        try:
            self._replay = self._graphs.capture(self._work)
        except CaptureError as error:
            self.stop_capturing(str(error))
