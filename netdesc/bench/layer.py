"""Times one layer of CUBA neurons, and the most similar layer of each other program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from netdesc.bench.facts import machine
from netdesc.bench.peers import ITSELF, PROGRAMS
from netdesc.bench.peers.work import Work
from netdesc.bench.programs import Answer, run, run_itself

NEURON = {"threshold": 4.0, "current_decay": 0.25, "voltage_decay": 0.1}
"""The neuron parameters in every program. A decay is the share that is lost in a step."""

WEIGHT_SPREAD = 0.9
"""Weights are uniform in ± WEIGHT_SPREAD / √(inputs · rate).

The input current of a step then has the same spread for all sizes. With the threshold above, a few
per cent of the neurons spike in a step, in every program.
"""


@dataclass(frozen=True)
class LayerSize:
    """The sizes of a layer and its input. ``rate``, in (0, 1], is spikes per step of each input."""

    kind: ClassVar[str] = "dense"

    inputs: int = 512
    neurons: int = 512
    steps: int = 500
    batch: int = 16
    rate: float = 0.05
    seed: int = 0

    @property
    def values(self) -> int:
        """The number of values of the layer's output: steps · batch · neurons."""
        return self.steps * self.batch * self.neurons

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.inputs,)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.neurons, self.inputs

    @property
    def text(self) -> str:
        return f"{self.kind} layer {self.inputs} to {self.neurons}"

    def work(self, device: str, repeats: int, *, input_gradient: bool = False) -> Work:
        """Draws input spikes [steps, batch, inputs], weights and the gradient of the output
        [neurons], with random numbers from ``seed``.
        """
        rng = np.random.default_rng(self.seed)
        bound = WEIGHT_SPREAD / math.sqrt(math.prod(self.weight_shape[1:]) * self.rate)
        weight = rng.uniform(-bound, bound, self.weight_shape)
        upstream_N = rng.standard_normal(self.neurons)
        shape = (self.steps, self.batch, self.inputs)
        settings = {
            "task": "layer",
            "kind": self.kind,
            "input_shape": [*self.input_shape],
            "neuron_type": "cuba",
            "neuron": NEURON,
            "device": device,
            "repeats": repeats,
            "input_gradient": input_gradient,
        }
        return Work(
            settings,
            {"input": rng.random(shape, dtype=np.float32) < self.rate},
            {"weight": weight.astype(np.float32), "upstream_N": upstream_N.astype(np.float32)},
        )


@dataclass(frozen=True)
class RecurrentSize(LayerSize):
    """The sizes of a layer that reads its own spikes, too, through small random weights."""

    kind: ClassVar[str] = "recurrent"


@dataclass(frozen=True)
class ConvSize(LayerSize):
    """The sizes of a convolution without padding, by default those of N-MNIST's first layer.

    ``shape`` is [channels, height, width] of the input, ``kernel`` the kernel's height and width.
    """

    kind: ClassVar[str] = "conv"

    inputs: int = field(init=False)
    neurons: int = field(init=False)
    shape: tuple[int, int, int] = (2, 34, 34)
    channels: int = 16
    kernel: int = 5

    def __post_init__(self) -> None:
        height, width = (size - self.kernel + 1 for size in self.shape[1:])
        object.__setattr__(self, "inputs", math.prod(self.shape))
        object.__setattr__(self, "neurons", self.channels * height * width)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.channels, self.shape[0], self.kernel, self.kernel

    @property
    def text(self) -> str:
        shape = "×".join(map(str, self.shape))
        return f"conv layer {shape} to {self.channels} channels {self.kernel}×{self.kernel}"


@dataclass(frozen=True)
class Measurement:
    """The measurement of one program; fields after ``reason`` are None unless ``status`` is done.

    Times in milliseconds are the median, 10th and 90th percentile of a forward and backward pass
    over the repeats. ``ratio`` is the median divided by netdesc's median. ``spike_rate`` is output
    spikes per neuron and step, None if the neurons do not spike. ``peak_bytes`` is roughly the peak
    memory of a pass minus the memory allocated before (see ``peers.memory``); ``peak_units`` is
    ``peak_bytes`` divided by (4 · steps · batch · neurons). ``path`` tells whether netdesc used
    event lists or a matrix product.
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
    def from_answer(
        cls, answer: Answer, size: LayerSize, reference_ms: float | None = None
    ) -> Measurement:
        """``reference_ms`` is netdesc's median time, None for netdesc itself."""
        if answer.status != "done":
            return cls(answer.name, answer.status, answer.reason)
        result = answer.result
        low, median, high = (float(x) * 1e3 for x in np.percentile(result["seconds"], [10, 50, 90]))
        peak = result["peak_bytes"]
        copied = ("what", "versions", "device", "threads", "spike_rate", "peak_bytes", "path")
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
            **{name: result[name] for name in copied},
        )


@dataclass(frozen=True)
class LayerComparison:
    """The measurements of a layer by several programs (netdesc first), and the conditions."""

    size: LayerSize
    input_gradient: bool
    machine: dict[str, object]
    programs: list[Measurement]

    @property
    def timed(self) -> str:
        """The computation that the measured time includes, in words."""
        gradients = "weights and input" if self.input_gradient else "weights, not of the input"
        return (
            f"forward and backward pass of the layer, from a given gradient of its output to the "
            f"gradient of the {gradients}; no loss, no optimizer"
        )

    def record(self) -> dict[str, Any]:
        """Returns the object that ``--json`` prints."""
        return {"timed": self.timed, "neuron": NEURON, **asdict(self)}


def compare(
    size: LayerSize,
    against: Sequence[str],
    interpreters: Mapping[str, str],
    *,
    device: str = "cpu",
    repeats: int = 20,
    input_gradient: bool = False,
    report: Callable[[str], None] = lambda text: None,
) -> LayerComparison:
    """Measures netdesc, then each program of ``against``, with the same input and weights.

    If a program lacks the kind of layer, is missing or fails, its measurement gives the reason.
    BenchError if the measurement of netdesc fails.
    """
    work, facts = size.work(device, repeats, input_gradient=input_gradient), machine()
    programs: list[Measurement] = []
    for name in (ITSELF, *against):
        report(f"measuring {name} …")
        if size.kind not in PROGRAMS[name].kinds:
            answer = Answer(name, "missing", f"it is not measured with {size.kind} layers", {})
        elif name == ITSELF:
            (answer,) = run_itself(work)
        else:
            answer = run(name, work, interpreters[name])
        found = Measurement.from_answer(answer, size, programs[0].median_ms if programs else None)
        programs.append(found)
        report(f"  {found.median_ms:.2f} ms" if found.status == "done" else f"  {found.status}")
    return LayerComparison(size, input_gradient, facts, programs)
