"""Times the epochs of the training loop, and the parts of an epoch."""

import contextlib
import functools
import gc
import pkgutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from netdesc.api.load import load
from netdesc.caller import UserError
from netdesc.description import Description
from netdesc.machine import return_freed_memory
from netdesc.training.environment import environment
from netdesc.training.outcome import Outcome
from netdesc.training.setup import TrainingOptions
from netdesc.training.train import train

Function = Callable[..., Any]

_CPU = "netdesc.kernels.cpu"

PARTS: Sequence[tuple[str, str]] = (
    ("event lists", f"{_CPU}.spikes:_pack"),
    ("event lists", f"{_CPU}.spikes:_count_by_row"),
    ("event lists", f"{_CPU}.spikes:_list_sources"),
    ("weights to the grid", f"{_CPU}.synapses.weights:_quantize_all"),
    ("weights to the grid", f"{_CPU}.synapses.weights:_round_all"),
    ("forward", f"{_CPU}.segment:forward_by_events"),
    ("forward", f"{_CPU}.segment:forward_from_current"),
    ("backward", f"{_CPU}.segment:backward_to_current"),
    ("backward", f"{_CPU}.segment:weight_gradient_by_events"),
    ("loss", f"{_CPU}.engine:spike_time"),
    ("matrix product", f"{_CPU}.gemm:_multiply"),
    ("optimizer", "netdesc.training.step:EagerStep.update"),
)
"""Parts of an epoch with the functions that compute them. A part may have several."""

EPOCH_START = "netdesc.training.loop:set_learning_rate"
"""The function whose call marks the start of an epoch."""

WARM_UP = 20
"""The number of epochs at the start that are not timed: they load kernels and fill caches."""

REST = "all else of the loop"


@dataclass(frozen=True)
class Timing:
    """The time of a part of an epoch in ms: median, 10th and 90th percentile over the epochs."""

    part: str
    median_ms: float
    low_ms: float
    high_ms: float

    @classmethod
    def from_seconds(cls, part: str, seconds: Sequence[float]) -> "Timing":
        low, median, high = (float(x) * 1e3 for x in np.percentile(seconds, [10, 50, 90]))
        return cls(part, median, low, high)


@dataclass(frozen=True)
class Report:
    """The measurements of a benchmark, and the conditions under which they were made.

    ``shares`` holds the fraction of the epochs' total time that each of ``parts`` took, measured in
    the run that times the parts. ``peak_bytes`` is roughly the peak memory of the run (on a GPU:
    GPU memory) minus the memory that was allocated before. It includes data, weights, activations
    and checkpoints, but not libraries and kernels, which an earlier run has already loaded. It is
    None where the system does not tell it.
    """

    epoch: Timing
    parts: list[Timing]
    shares: dict[str, float]
    epochs: int
    best_loss: float
    spike_rates: dict[str, float]
    peak_bytes: int | None
    conditions: dict[str, Any]


class BenchError(UserError):
    """A measurement failed; the error holds one message for the user."""

    exit_code = 3


class _Stopwatch:
    """Records the start of each epoch, and the seconds of each part in each epoch."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.parts: list[dict[str, float]] = []

    def epochs(self) -> list[float]:
        """Returns the seconds of each epoch after the warm-up."""
        return [float(seconds) for seconds in np.diff(self.starts)[WARM_UP:]]

    @contextlib.contextmanager
    def timing(self, parts: Sequence[tuple[str, str]]) -> Iterator[None]:
        """Times epochs and the functions of ``parts`` within the block."""
        with contextlib.ExitStack() as stack:
            for part, target in (*parts, (None, EPOCH_START)):
                function = pkgutil.resolve_name(target)
                timed = functools.wraps(function)(self._time_function(part, function))
                stack.enter_context(mock.patch(target.replace(":", "."), timed))
            yield

    def _time_function(self, part: str | None, function: Function) -> Function:
        """Wraps a function: its calls are timed as ``part`` or, if that is None, start an epoch."""

        def wrapper(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            if part is None:
                self.starts.append(start)
                self.parts.append(defaultdict(float))
            result = function(*arguments, **options)
            if part is not None and self.parts:
                self.parts[-1][part] += time.perf_counter() - start
            return result

        return wrapper


def time_epochs(
    file: Path,
    overrides: Sequence[str],
    epochs: int,
    device: str = "cpu",
    report: Callable[[str], None] = lambda text: None,
) -> Report:
    """Trains the document ``file`` twice and times ``epochs`` epochs after the warm-up of each run.

    The first run times the parts of an epoch, which makes it slightly slower; work on a GPU is not
    divided into parts. The second run times whole epochs: data, forward and backward pass,
    optimizer, metrics and checkpoints. Runs are written to temporary folders. DescriptionError if
    the document is invalid, BenchError if a run ends too early.
    """
    description = load(file, [*overrides, f"training.epochs={WARM_UP + epochs + 1}"])
    report(f"training {file} for {epochs} epochs …")
    whole, parts = _Stopwatch(), _Stopwatch()
    run = _train(description, device, parts, PARTS)
    peak = peak_bytes(device, lambda: _train(description, device, whole, ()))
    assert run.best is not None
    assert run.final is not None
    best = run.scale.shown(run.best)
    seconds = _seconds_by_part(parts)
    total = sum(map(sum, seconds.values()))
    return Report(
        epoch=Timing.from_seconds("epoch", whole.epochs()),
        parts=[Timing.from_seconds(part, each) for part, each in seconds.items()],
        shares={part: sum(each) / total for part, each in seconds.items()},
        epochs=epochs,
        best_loss=next(best[name] for name in ("validation_loss", "loss") if name in best),
        spike_rates=run.final["spike_rates"],
        peak_bytes=peak,
        conditions=environment(torch.device(device)),
    )


def _seconds_by_part(stopwatch: _Stopwatch) -> dict[str, list[float]]:
    """Returns the seconds of each part in all epochs after warm-up; ``REST`` is of no part."""
    epochs, rows = stopwatch.epochs(), stopwatch.parts[WARM_UP:-1]
    seconds = {part: [row[part] for row in rows] for part, _ in PARTS}
    seconds = {part: each for part, each in seconds.items() if any(each)}
    rest = [epoch - sum(row.values()) for epoch, row in zip(epochs, rows, strict=True)]
    return seconds | {REST: rest}


def _train(
    description: Description, device: str, stopwatch: _Stopwatch, parts: Sequence[tuple[str, str]]
) -> Outcome:
    with tempfile.TemporaryDirectory() as folder, stopwatch.timing(parts):
        options = TrainingOptions(Path(folder) / "run", device=device, progress="quiet")
        run = train(description, options)
    if run.status == "interrupted":
        raise KeyboardInterrupt
    epochs = description.document.training.epochs
    if len(stopwatch.starts) < epochs:
        message = run.message.partition(";")[0]  # the rest names the temporary folder
        timed = f"only {len(stopwatch.starts)} of {epochs} epochs could be timed"
        raise BenchError(f"{timed}: {message}")
    return run


def peak_bytes(device: str, work: Callable[[], object]) -> int | None:
    """Runs ``work`` and returns the peak memory that it took in bytes; None if unknown.

    On a CPU this is the peak of the process's resident set during the work, minus its size before.
    It is read on Linux alone, where the recorded peak can be reset.
    """
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    gc.collect()
    return_freed_memory()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forgets earlier peaks
    before = _resident_peak()
    work()
    after = _resident_peak()
    return None if before is None or after is None else max(0, after - before)


def _resident_peak() -> int | None:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
