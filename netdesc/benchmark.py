"""How long an epoch takes, whole and by part, measured on the real training loop."""

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

from netdesc.compiler import train
from netdesc.description import load
from netdesc.kernels.cpu import backward, engine, events, forward, van_rossum
from netdesc.training import loop
from netdesc.training.record import circumstances

WARM_UP = 20
"""Epochs at the start that are not counted: they load kernels and fill caches."""

_PARTS: tuple[tuple[str, Any, str], ...] = (
    ("event lists", events, "_list_events"),
    ("weights to integers", forward, "quantized_rows"),
    ("forward", forward, "forward_by_events"),
    ("forward", forward, "forward_from_input"),
    ("loss filter", van_rossum, "filter_difference"),
    ("loss adjoint", van_rossum, "filter_adjoint"),
    ("neuron adjoint", backward, "adjoint"),
    ("matrix product", engine, "matmul"),
    ("weight gradient", backward, "weight_gradient_by_events"),
    ("optimizer", torch.optim.Adam, "step"),
    ("optimizer", torch.optim.AdamW, "step"),
    ("optimizer", torch.optim.SGD, "step"),
)
"""A part's name, and the function that does it, by its place."""

REST = "autograd and loop"


@dataclass(frozen=True)
class Timing:
    """Milliseconds an epoch: the median, and the tenth and ninetieth percentile."""

    part: str
    median_ms: float
    low_ms: float
    high_ms: float

    @classmethod
    def of(cls, part: str, seconds: Sequence[float]) -> Timing:
        low, median, high = (float(x) * 1e3 for x in np.percentile(seconds, [10, 50, 90]))
        return cls(part, median, low, high)


@dataclass(frozen=True)
class Report:
    """What a benchmark measured, and under which conditions."""

    epoch: Timing
    parts: list[Timing]
    epochs: int
    best_loss: float
    spike_rates: dict[str, float]
    conditions: dict[str, Any]


class _Stopwatch:
    """Seconds by epoch and part. The loop sets the learning rate once an epoch: that starts one."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.parts: list[dict[str, float]] = []

    def begin_epoch(self) -> None:
        self.starts.append(time.perf_counter())
        self.parts.append(defaultdict(float))

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **options)
            if self.parts:
                self.parts[-1][part] += time.perf_counter() - start
            return result

        return wrapper

    def announcing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            self.begin_epoch()
            return function(*arguments, **options)

        return wrapper


@contextlib.contextmanager
def _watched(watch: _Stopwatch) -> Iterator[None]:
    """Within the block, the functions of ``_PARTS`` are timed wherever they are called."""
    with contextlib.ExitStack() as undo:

        def replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
            undo.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, function)

        for part, owner, name in _PARTS:
            replace(owner, name, watch.timed(part, getattr(owner, name)))
        replace(loop, "set_learning_rate", watch.announcing(loop.set_learning_rate))
        yield


def time_epochs(file: Path, overrides: Sequence[str], epochs: int) -> Report:
    """Train ``file`` for ``epochs`` counted epochs in a temporary folder and time each.

    An epoch's time is that of the whole loop: data, passes, optimizer, metrics, checkpoints. Raises
    DescriptionError where the document is at fault.
    """
    total = WARM_UP + epochs + 1
    description = load(file, [*overrides, f"training.epochs={total}"])
    watch = _Stopwatch()
    with tempfile.TemporaryDirectory() as folder, _watched(watch):
        run = train(description, run_dir=Path(folder) / "run", progress="quiet")
    assert run.best is not None
    assert run.final is not None
    seconds = np.diff(watch.starts)[WARM_UP:]
    rows = watch.parts[WARM_UP:-1]
    names = list(dict.fromkeys(part for part, _, _ in _PARTS))
    parts = [Timing.of(name, [row[name] for row in rows]) for name in names]
    rest = [whole - sum(row.values()) for whole, row in zip(seconds, rows, strict=True)]
    return Report(
        epoch=Timing.of("epoch", list(seconds)),
        parts=[*(part for part in parts if part.median_ms > 0), Timing.of(REST, rest)],
        epochs=len(seconds),
        best_loss=run.best["loss"],
        spike_rates=run.final["spike_rates"],
        conditions=circumstances(torch.device("cpu")),
    )
