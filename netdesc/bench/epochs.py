"""How long an epoch takes, whole and by part, measured on the real training loop."""

from __future__ import annotations

import contextlib
import functools
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netdesc.bench.facts import machine, stolen_share, ticks
from netdesc.bench.peers.torch_side import growth_on
from netdesc.bench.programs import BenchError
from netdesc.compiler import weight_readers
from netdesc.description import Description, load
from netdesc.graph import Dense, build_graph
from netdesc.kernels.cpu import (
    backward,
    bit_rows,
    events,
    forward,
    from_above,
    last_layer,
    product,
    trains,
    van_rossum,
    weights,
)
from netdesc.kernels.cpu.buffers import give_back
from netdesc.training import Run, loop, train
from netdesc.training.parts import read_parts
from netdesc.training.record import circumstances
from netdesc.training.samples import SampleSpec
from netdesc.training.step import TrainingStep

WARM_UP = 20
"""Epochs at the start that are not counted: they load kernels and fill caches."""

_Part = tuple[str, Any, str]

_PARTS: tuple[_Part, ...] = (
    ("event lists", events, "_count"),
    ("event lists", bit_rows, "_pack"),
    ("event lists", bit_rows, "list_events"),
    ("event lists", trains, "_list"),
    ("weights to integers", weights, "_quantize_all"),
    ("forward", forward, "forward_by_events"),
    ("forward", forward, "forward_from_input"),
    ("loss filter", van_rossum, "filter_difference"),
    ("loss adjoint", van_rossum, "filter_adjoint"),
    ("adjoint", backward, "adjoint"),
    ("adjoint and weights", backward, "adjoint_by_events"),
    ("last layer and loss", last_layer, "there_and_back"),
    ("product and adjoint", from_above, "adjoint_from_above"),
    ("matrix product", product, "matmul"),
    ("optimizer", TrainingStep, "update"),
)
"""A part's name, and the function that does it, by its place."""

REST = "all else of the loop"


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
    """What a benchmark measured, and under which conditions.

    ``peak_bytes`` is the memory that the whole run took at its peak beyond what was held before it
    (see ``peers.memory``; of the card, on a card): data, weights, passes and checkpoints, but no
    libraries and kernels, which an earlier run has loaded. ``activity_bytes`` are 4 for each step,
    sample of a batch and neuron. ``stolen`` is the share of the processors' time that a virtual
    machine's host gave to others while epochs were timed.
    """

    epoch: Timing
    parts: list[Timing]
    epochs: int
    best_loss: float
    spike_rates: dict[str, float]
    peak_bytes: int | None
    activity_bytes: int
    stolen: float | None
    conditions: dict[str, Any]
    machine: dict[str, object]


class _Stopwatch:
    """Seconds by epoch and part. The loop sets the learning rate once an epoch: that starts one."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.parts: list[dict[str, float]] = []

    def begin_epoch(self) -> None:
        self.starts.append(time.perf_counter())
        self.parts.append(defaultdict(float))

    def epochs(self) -> list[float]:
        """Seconds of every epoch that counts."""
        return [float(seconds) for seconds in np.diff(self.starts)[WARM_UP:]]

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
def _watched(watch: _Stopwatch, parts: Sequence[_Part]) -> Iterator[None]:
    """Within the block, epochs and the functions of ``parts`` are timed wherever they start."""
    with contextlib.ExitStack() as undo:

        def replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
            undo.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, function)

        for part, owner, name in parts:
            replace(owner, name, watch.timed(part, getattr(owner, name)))
        replace(loop, "set_learning_rate", watch.announcing(loop.set_learning_rate))
        yield


def time_epochs(
    file: Path,
    overrides: Sequence[str],
    epochs: int,
    device: str = "cpu",
    note: Callable[[str], None] = lambda text: None,
) -> Report:
    """Train ``file`` twice for ``epochs`` counted epochs, in a temporary folder, after a short run.

    In the first one every part is timed, which costs some time of its own; parts that a card
    computes are not told apart. The second is timed as a whole: data, passes, optimizer, metrics,
    checkpoints. Its memory is its own: it takes no kernel that the first has not loaded. Raises
    DescriptionError where the document is at fault, BenchError where a run ends too early.
    """
    description = load(file, [*overrides, f"training.epochs={WARM_UP + epochs + 1}"])
    note(f"training {file} for {epochs} epochs …")
    on, whole, parts = machine(), _Stopwatch(), _Stopwatch()
    _train(load(file, [*overrides, "training.epochs=1"]), device, _Stopwatch(), ())
    run = _train(description, device, parts, _PARTS)
    give_back()

    def train_whole() -> None:
        _train(description, device, whole, ())

    before = ticks()
    peak = growth_on(torch.device(device))(train_whole)
    stolen = stolen_share(before)
    assert run.best is not None
    assert run.final is not None
    rows = parts.parts[WARM_UP:-1]
    rest = [seconds - sum(row.values()) for seconds, row in zip(parts.epochs(), rows, strict=True)]
    names = list(dict.fromkeys(part for part, _, _ in _PARTS))
    timings = [Timing.of(name, [row[name] for row in rows]) for name in names]
    return Report(
        epoch=Timing.of("epoch", whole.epochs()),
        parts=[*(timing for timing in timings if timing.median_ms > 0), Timing.of(REST, rest)],
        epochs=epochs,
        best_loss=next(run.best[name] for name in ("validation_loss", "loss") if name in run.best),
        spike_rates=run.final["spike_rates"],
        peak_bytes=peak,
        activity_bytes=_activity_bytes(description),
        stolen=stolen,
        conditions=circumstances(torch.device(device)),
        machine=on,
    )


def _activity_bytes(description: Description) -> int:
    graph = build_graph(description.document)
    samples = len(read_parts(description, SampleSpec.of(graph), warn=lambda _: None).train)
    batch = min(samples, description.document.training.batch_size or samples)
    shapes = (layer.output_shape for layer in graph.layers if isinstance(layer, Dense))
    return 4 * graph.steps * batch * sum(map(math.prod, shapes))


def _train(description: Description, device: str, watch: _Stopwatch, parts: Sequence[_Part]) -> Run:
    with tempfile.TemporaryDirectory() as folder, _watched(watch, parts):
        run_dir = Path(folder) / "run"
        run = train(
            description,
            run_dir=run_dir,
            device=device,
            progress="quiet",
            readers=weight_readers(build_graph(description.document)),
        )
    if run.status == "interrupted":
        raise KeyboardInterrupt
    wanted = description.document.training.epochs
    if len(watch.starts) < wanted:
        message = run.message.partition(";")[0]  # what follows is of a folder that has gone
        raise BenchError(f"only {len(watch.starts)} of {wanted} epochs could be timed: {message}")
    return run
