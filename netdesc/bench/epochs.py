"""Times the epochs of the training loop, and the parts of an epoch."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netdesc.api.compile import weight_readers
from netdesc.bench.facts import machine
from netdesc.bench.parts import EPOCH_START, PARTS, Function, TimedFunctions, replace_function
from netdesc.bench.peers.torch_side import peak_bytes_on
from netdesc.bench.programs import BenchError
from netdesc.description import Description, load
from netdesc.graph import build_graph
from netdesc.training.record import environment
from netdesc.training.session import Hooks, Outcome
from netdesc.training.train import train

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
    def from_seconds(cls, part: str, seconds: Sequence[float]) -> Timing:
        low, median, high = (float(x) * 1e3 for x in np.percentile(seconds, [10, 50, 90]))
        return cls(part, median, low, high)


@dataclass(frozen=True)
class Report:
    """The measurements of a benchmark, and the conditions under which they were made.

    ``shares`` holds the fraction of the epochs' total time that each of ``parts`` took, measured in
    the run that times the parts. ``peak_bytes`` is roughly the peak memory of the run (on a GPU:
    GPU memory) minus the memory that was allocated before (see ``peers.memory``). It includes data,
    weights, activations and checkpoints, but not libraries and kernels, which an earlier run has
    already loaded.
    """

    epoch: Timing
    parts: list[Timing]
    shares: dict[str, float]
    epochs: int
    best_loss: float
    spike_rates: dict[str, float]
    peak_bytes: int | None
    conditions: dict[str, Any]
    machine: dict[str, object]


class _Stopwatch:
    """Records the start of each epoch, and the seconds of each part in each epoch."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.parts: list[dict[str, float]] = []

    def epochs(self) -> list[float]:
        """Returns the seconds of each epoch after the warm-up."""
        return [float(seconds) for seconds in np.diff(self.starts)[WARM_UP:]]

    @contextlib.contextmanager
    def timing(self, parts: TimedFunctions) -> Iterator[None]:
        """Times epochs and the functions of ``parts`` within the block."""
        with contextlib.ExitStack() as stack:
            for part, target in parts:
                stack.enter_context(
                    replace_function(target, functools.partial(self._time_function, part))
                )
            stack.enter_context(replace_function(EPOCH_START, self._start_epoch))
            yield

    def _time_function(self, part: str, function: Function) -> Function:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **options)
            if self.parts:
                self.parts[-1][part] += time.perf_counter() - start
            return result

        return wrapper

    def _start_epoch(self, function: Function) -> Function:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            self.starts.append(time.perf_counter())
            self.parts.append(defaultdict(float))
            return function(*arguments, **options)

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
    facts, whole, parts = machine(), _Stopwatch(), _Stopwatch()
    run = _train(description, device, parts, PARTS)
    peak = peak_bytes_on(torch.device(device))(lambda: _train(description, device, whole, ()))
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
        machine=facts,
    )


def _seconds_by_part(stopwatch: _Stopwatch) -> dict[str, list[float]]:
    """Returns lists with the seconds that each part of an epoch took, in all epochs after warm-up.

    The key ``REST`` holds the time of an epoch that belongs to no part.
    """
    epochs, rows = stopwatch.epochs(), stopwatch.parts[WARM_UP:-1]
    seconds = {part: [row[part] for row in rows] for part, _ in PARTS}
    seconds = {part: each for part, each in seconds.items() if any(each)}
    rest = [epoch - sum(row.values()) for epoch, row in zip(epochs, rows, strict=True)]
    return seconds | {REST: rest}


def _train(
    description: Description, device: str, stopwatch: _Stopwatch, parts: TimedFunctions
) -> Outcome:
    readers = weight_readers(build_graph(description.document))
    with tempfile.TemporaryDirectory() as folder, stopwatch.timing(parts):
        run = train(
            description,
            run_dir=Path(folder) / "run",
            device=device,
            progress="quiet",
            hooks=Hooks(readers=readers),
        )
    if run.status == "interrupted":
        raise KeyboardInterrupt
    epochs = description.document.training.epochs
    if len(stopwatch.starts) < epochs:
        message = run.message.partition(";")[0]  # the rest names the temporary folder
        raise BenchError(
            f"only {len(stopwatch.starts)} of {epochs} epochs could be timed: {message}"
        )
    return run
