"""Captures repeated work on a GPU as a CUDA graph, and replays it.

A graph launches all kernels of the work in one call. Launching the kernels one by one can take
longer than they run. A graph holds memory addresses, so the tensors that it reads and writes must
stay at their addresses. Numbers that the program passes to kernels become constants of the graph.
"""

from collections.abc import Callable

import torch

Work = Callable[[], object]

WARM_UP = 3
"""The number of runs before the capture. These runs compile and load kernels, and allocate the
memory of libraries."""

MEMORY_FACTOR = 2
"""The free memory that a capture needs, as a multiple of the work's memory. The graph never frees
its memory, and work without a graph, such as validation, needs as much memory again."""


class CaptureError(RuntimeError):
    """The work cannot be captured as a CUDA graph; nothing was computed."""


class CudaGraphs:
    """Runs and captures work on an NVIDIA GPU, on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)

    def run(self, work: Work) -> int:
        """Runs the work, on the stream on which it will be captured.

        Returns an upper bound of the memory that the work takes, in bytes.
        """
        before = torch.cuda.memory_allocated(self._device)
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            work()
        current.wait_stream(self._stream)
        # The peak may come from earlier work. It is not reset, because a caller may measure it.
        return torch.cuda.max_memory_allocated(self._device) - before

    def free_bytes(self) -> int:
        """Returns the number of bytes that can still be allocated."""
        device = self._device
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused

    def capture(self, work: Work) -> Work:
        """Captures the work without running it, and returns a function that replays the work.

        Raises CaptureError if the work cannot be captured.
        """
        graph = torch.cuda.CUDAGraph()
        current = torch.cuda.current_stream(self._device)
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                work()
        except RuntimeError as error:  # CUDA refuses an operation in a capture, or memory is short
            torch.cuda.set_stream(current)  # torch does not do this if the capture fails at its end
            raise CaptureError(str(error).partition("\n")[0]) from error
        return graph.replay


class ReplayedWork:
    """Runs work directly in the first ``WARM_UP`` calls, then captures it and replays the graph.

    If the work cannot be captured, or ``obstacle`` was set to a reason in words not to do so, it
    always runs directly.
    """

    def __init__(self, work: Work, graphs: CudaGraphs) -> None:
        self._work, self._graphs = work, graphs
        self._runs = self._bytes = 0
        self._replay: Work | None = None
        self.obstacle: str | None = None

    @property
    def is_captured(self) -> bool:
        return self._replay is not None

    def __call__(self) -> None:
        if self._replay is None and self.obstacle is None and self._runs >= WARM_UP:
            self._capture()
        if self._replay is not None:
            self._replay()
        elif self.obstacle is not None:
            self._work()
        else:
            self._runs += 1
            self._bytes = self._graphs.run(self._work)

    def _capture(self) -> None:
        free, needed = self._graphs.free_bytes(), MEMORY_FACTOR * self._bytes
        if free < needed:
            self.obstacle = f"that takes {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free"
            return
        try:
            self._replay = self._graphs.capture(self._work)
        except CaptureError as error:
            self.obstacle = str(error)
