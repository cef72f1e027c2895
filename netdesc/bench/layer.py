"""One dense layer of CUBA neurons, beside the nearest that other programs have."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from netdesc.bench.facts import machine
from netdesc.bench.peers import ITSELF
from netdesc.bench.peers.work import Work
from netdesc.bench.programs import Answer, BenchUsageError, Interpreters, run, run_itself

NEURON = {"threshold": 4.0, "current_decay": 0.25, "voltage_decay": 0.1}
"""The neurons of every program; decays are the share that is lost in a step."""

WEIGHT_SPREAD = 0.9
"""Weights are uniform in ± this / √(inputs · rate).

What arrives in a step then has the same spread whatever the sizes, so that with the threshold above
some per cent of the neurons spike in a step, in every program.
"""

MAX_NUMBERS = 1 << 40
"""Of a tensor: what is larger fits no machine, and far above it numpy's own errors begin."""


@dataclass(frozen=True)
class Size:
    """A layer and its input: ``rate`` is the share of inputs that spike in a step, in (0, 1]."""

    inputs: int = 512
    neurons: int = 512
    steps: int = 500
    batch: int = 16
    rate: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        """BenchUsageError where it cannot be measured on any machine."""
        if not 0 < self.rate <= 1:
            raise BenchUsageError(f"the rate is a share above 0 and up to 1, not {self.rate}")
        activity = self.steps * self.batch * max(self.inputs, self.neurons)
        if max(activity, self.inputs * self.neurons) > MAX_NUMBERS:
            raise BenchUsageError("these sizes need more than 4 TB; make one of them smaller")

    @property
    def values(self) -> int:
        """How many numbers a tensor of the layer's output has: steps · batch · neurons."""
        return self.steps * self.batch * self.neurons

    def work(self, device: str, repeats: int, *, input_gradient: bool = False) -> Work:
        """Spikes, weights [neurons, inputs] and upstream gradient [neurons], all from the seed."""
        draws = np.random.default_rng(self.seed)
        bound = WEIGHT_SPREAD / math.sqrt(self.inputs * self.rate)
        weight_OI = draws.uniform(-bound, bound, (self.neurons, self.inputs))
        upstream_N = draws.standard_normal(self.neurons)
        shape = (self.steps, self.batch, self.inputs)
        settings = {
            "task": "layer",
            "neuron": NEURON,
            "device": device,
            "repeats": repeats,
            "input_gradient": input_gradient,
        }
        return Work(
            settings,
            {"input": draws.random(shape, dtype=np.float32) < self.rate},
            {
                "weight_OI": weight_OI.astype(np.float32),
                "upstream_N": upstream_N.astype(np.float32),
            },
        )


@dataclass(frozen=True)
class Figures:
    """What was measured of one program; all but ``name`` to ``reason`` only where it is done.

    Milliseconds of a step forward and backward: the median, the tenth and the ninetieth percentile
    of the repeats. ``ratio`` is the median over netdesc's. ``spike_rate`` is the output's spikes by
    neuron and step. ``peak_bytes`` is the memory of a step at its peak beyond what was held before
    it (see ``peers.memory``), roughly, and ``peak_units`` the same in 4 bytes · steps · batch ·
    neurons. ``path`` is netdesc's: event lists or the matrix product.
    """

    name: str
    status: str
    reason: str
    what: str | None = None
    versions: dict[str, str] | None = None
    device: str | None = None
    threads: int | None = None
    median_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    repeats: int | None = None
    ratio: float | None = None
    spike_rate: float | None = None
    peak_bytes: int | None = None
    peak_units: float | None = None
    path: str | None = None

    @classmethod
    def of(cls, answer: Answer, size: Size, reference_ms: float | None = None) -> Figures:
        """``reference_ms`` is netdesc's median; None for netdesc itself."""
        if answer.status != "done":
            return cls(answer.name, answer.status, answer.reason)
        result = answer.result
        low, median, high = (float(x) * 1e3 for x in np.percentile(result["seconds"], [10, 50, 90]))
        peak = result["peak_bytes"]
        kept = ("what", "versions", "device", "threads", "spike_rate", "peak_bytes", "path")
        return cls(
            answer.name,
            answer.status,
            answer.reason,
            median_ms=median,
            low_ms=low,
            high_ms=high,
            repeats=len(result["seconds"]),
            ratio=median / (reference_ms or median),
            peak_units=None if peak is None else peak / (4 * size.values),
            **{name: result[name] for name in kept},
        )


@dataclass(frozen=True)
class Comparison:
    """The layer's figures by program, netdesc's first, and what they depend on."""

    size: Size
    input_gradient: bool
    machine: dict[str, object]
    programs: list[Figures]

    @property
    def timed(self) -> str:
        """What a figure is the time of."""
        gradients = "weights and input" if self.input_gradient else "weights, not of the input"
        return (
            f"forward and backward pass of the layer, from a given gradient of its output to the "
            f"gradient of the {gradients}; no loss, no optimizer"
        )

    def record(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {"timed": self.timed, "neuron": NEURON, **asdict(self)}


def compare(
    size: Size,
    against: Sequence[str],
    interpreters: Interpreters,
    *,
    device: str = "cpu",
    repeats: int = 20,
    input_gradient: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Measures netdesc, then each of ``against``, one after the other, on the same work.

    A program that is missing or fails is among the figures, with the reason. BenchError where
    netdesc's own measurement fails.
    """
    work, on = size.work(device, repeats, input_gradient=input_gradient), machine()
    programs: list[Figures] = []
    for name in (ITSELF, *against):
        note(f"measuring {name} …")
        if name == ITSELF:
            (answer,) = run_itself(work)
        else:
            answer = run(name, work, interpreters.of_program(name))
        found = Figures.of(answer, size, programs[0].median_ms if programs else None)
        programs.append(found)
        note(f"  {found.median_ms:.2f} ms" if found.status == "done" else f"  {found.status}")
    return Comparison(size, input_gradient, on, programs)
