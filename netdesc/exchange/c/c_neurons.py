"""Layers of neurons in C: what arrives, the step of each neuron, and what is handed on."""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.exchange.c.c_program import INT32, INT64, UNIT, LayerJob, Source, fill, integer_type
from netdesc.exchange.c.c_synapses import SYNAPSES, Synapses, add_row, halves, sum_bound
from netdesc.hardware.integer_neurons import PAYLOAD_BITS, StepLines, first_assignments
from netdesc.hardware.integers import WEIGHT_BITS, layer_integers, recurrent_integers
from netdesc.kernels.fixed_point import DECAY_BITS
from netdesc.kernels.fixed_point import DEVICE_STATE_LIMIT as LIMIT
from netdesc.kernels.printing import TEXTS, LeafFields, Printer
from netdesc.neurons.equations import read
from netdesc.neurons.expressions import Value, in_order
from netdesc.neurons.operations import BOOL, GRID, REAL, SHARE, Type
from netdesc.neurons.program import Neuron
from netdesc.neurons.ranges import Ranges

MOST_BITS = 64
"""Spikes of so many steps are the bits of a number; of more, and values, they are a ring."""

MOST_ROUNDS = 64
"""Rounds in which the values of neurons that read their own output must stop to grow."""


class HandOn:
    """How a layer hands on its outputs, ``delay`` steps later: their largest number, and C text of
    that of neuron ``n``. With ``keeps``, the text ``last`` reads the output ``{}`` of the step
    before."""

    def __init__(
        self, job: LayerJob, graded: bool, delay: tuple[int, str], keeps: bool = False
    ) -> None:
        self._job, self._graded, (most, text) = job, graded, delay
        program, tag, self._kind, self.last, type = job.program, job.tag, "now", "", ""
        length = math.prod(job.layer.output_shape)
        program.list(tag, length, graded)
        if (graded and (most or keeps)) or most >= MOST_BITS:
            self._kind, type = "ring", f"{program.prefix}_value" if graded else "uint8_t"
            at = program.field("uint32_t", f"{tag}_at")
            past = program.field(type, f"{tag}_past", (most + 1) * length)
            self.last = f"{past}[{at} * {length} + {{}}]"
        elif most or keeps:
            self._kind = "bits"
            type = next(f"uint{bits}_t" for bits in (8, 16, 32, MOST_BITS) if most < bits)
            self.last = f"({program.field(type, f'{tag}_past', length)}[{{}}] & 1)"
        self._numbers = {"TAG": tag, "LENGTH": length, "TYPE": type, "MOST": most, "DELAY": text}

    def source(self, most: int) -> Source:
        return Source(f"&{self._job.tag}", self._graded, most, self._numbers["LENGTH"])

    def text(self, x: str, index: str = "n") -> str:
        """Returns text that hands on the outputs in the array ``x``, and sets it to 0."""
        value = f"{x}[n]" if self._kind == "now" else "late"
        push = self._job.program.push(self._job.tag, self._graded, index, value)
        return fill(self._kind, X=x, PUSH=push, **self._numbers)


class NeuronLayer:
    """Writes a layer with synapses and neurons."""

    def __init__(self, job: LayerJob) -> None:
        self.job, self.layer, self.program = job, job.layer, job.program
        integers = layer_integers(job.layer, job.weights)
        self.delays, self.own = integers.delays, recurrent_integers(job.layer, job.weights)
        self.neuron, self.parameters = read(integers.definition), integers.on_grid()
        self.graded = integers.definition.output is not None
        self.pixels = self.layer.neurons // self.layer.channels
        unit = UNIT if self.own is not None and self.graded else job.unit
        weights = [halves(weight) for weight in integers.weights]
        self.synapses: Synapses = SYNAPSES[type(self.layer.section)](job, weights, unit)
        unit_bits = integers.definition.unit_bits - WEIGHT_BITS - integers.exponent
        self.shift = unit_bits - self.synapses.bits
        most, self.output = self._bounds()
        self.num = integer_type(most)

    def _bounds(self) -> tuple[int, int]:
        """Returns the largest magnitudes of all values of the layer, and of its output."""
        output = 0
        for _ in range(MOST_ROUNDS):
            fed = [self._fed_back(at, output) for at in range(len(self.synapses.sums))]
            sums = map(sum, zip(self.synapses.sums, fed, strict=True))
            arriving = map(sum, zip(self.synapses.bounds, fed, strict=True))
            inputs = [bound << max(0, self.shift) >> max(0, -self.shift) for bound in arriving]
            names = dict(zip(self.neuron.definition.inputs, inputs, strict=True))
            most, reached = step_bounds(self.neuron, self.parameters, names)
            if self.own is None or reached <= output:
                return max(most, reached, *sums, *inputs), reached
            output = reached
        return 1 << 64, output

    def _fed_back(self, at: int, output: int) -> int:
        """Bounds what arrives from the layer's own outputs."""
        if self.own is None:
            return 0
        last, unit = Source("", self.graded, output, self.layer.neurons), self.synapses.unit
        drive = int(np.abs(self.own.drive).max()) * unit
        return sum_bound(halves(self.own.weights[at]), [last], unit) + drive

    def write(self) -> tuple[Source, ...]:
        layer, axonal = self.layer, self.layer.delay
        reads_spike = reads_last_spike(self.neuron)
        delay = axonal, str(axonal)
        if self.delays is not None:
            delays = self.delays.astype(np.int64) + axonal
            delay = int(delays.max()), self._of_channel("delays", delays)
        keeps = self.own is not None or (reads_spike and not self.graded)
        hand_on, inputs = HandOn(self.job, self.graded, delay, keeps), len(self.synapses.sums)
        x = [self.program.sums(self.num, at, layer.neurons) for at in range(inputs)]
        body = self.job.loops(self.num, lambda source: self.synapses.body(source, x))
        if self.own is not None:
            body.append(self._feedback(hand_on.last, x))
        fired = hand_on.last.format("n")
        if reads_spike and self.graded:
            fired = self.program.field("uint8_t", f"{self.job.tag}_fired", layer.neurons) + "[n]"
        body.append(self._step(fired, x))
        channel = f"n % {layer.channels} * {self.pixels} + n / {layer.channels}"
        body.append(hand_on.text(x[0], "n" if self.pixels == 1 else channel))
        self.program.function(self.job, body)
        return (hand_on.source(self.output),)

    def _feedback(self, last: str, x: Sequence[str]) -> str:
        assert self.own is not None
        length, times = self.layer.neurons, Source("", self.graded, 0, 0).times(self.synapses.unit)
        rows: list[str] = []
        for at, weight in enumerate(self.own.weights):
            table = self.program.table(f"{self.job.tag}_own_weights{at}", halves(weight).T)
            rows.append(add_row(table, x[at], "m", length, times))
        return fill("feedback", LENGTH=length, NUM=self.num, LAST=last.format("m"), ROWS=rows)

    def _step(self, fired: str, x: Sequence[str]) -> str:
        layer, neuron, tag = self.layer, self.neuron, self.job.tag
        leaves: dict[tuple[str, Value], dict[str, str]] = {
            ("parameter", name): {"text": self._parameter(f"p{at}_{name}", values)}
            for at, (name, values) in enumerate(self.parameters.items())
        }
        leaves["fired_before", None] = {"text": f"{fired} != 0"}
        for at, name in enumerate(neuron.definition.inputs):
            leaves["input", name] = {"text": self._input(at, x[at])}
        cells: list[str] = []
        for at, state in enumerate(neuron.before_reset):
            cell = self.program.field("int32_t", f"{tag}_{at}_{ascii_name(state)}", layer.neurons)
            cells.append(f"{cell}[n]")
            leaves["state", state] = {"text": cells[at]}
        step = step_lines(neuron, self.num, leaves)
        stores = zip(cells, step.after, strict=True)
        lines = [*step.lines, *(f"{cell} = (int32_t){name};" for cell, name in stores)]
        if self.graded and reads_last_spike(neuron):
            lines.append(f"{fired} = (uint8_t)({step.fired});")
        lines += [f"{x[0]}[n] = {step.output};", *(f"{name}[n] = 0;" for name in x[1:])]
        return fill("neurons", STEP=lines, LENGTH=layer.neurons)

    def _of_channel(self, name: str, values: NDArray[Any]) -> str:
        """Returns the text of a value of a neuron's channel; a number if all are equal."""
        if (values == values.flat[0]).all():
            return str(values.flat[0])
        channel = f"n % {self.layer.channels}" if self.pixels > 1 else "n"
        return f"{self.program.table(f'{self.job.tag}_{name}', values)}[{channel}]"

    def _parameter(self, name: str, values: NDArray[Any]) -> str:
        text, kind = self._of_channel(ascii_name(name), values), values.dtype.kind
        return text if text.endswith("]") else f"({'float' if kind == 'f' else self.num}){text}"

    def _input(self, at: int, x: str) -> str:
        text = self.synapses.arriving[at].format(f"{x}[n]")
        if self.own is not None and self.own.drive.any():
            drive = halves(self.own.drive).astype(np.int64) * self.synapses.unit
            text = f"({text} + {self._of_channel('drive', np.atleast_1d(drive))})"
        return f"{text} {'/' if self.shift < 0 else '*'} {1 << abs(self.shift)}"


def ascii_name(name: str) -> str:
    """Returns a part of an identifier of C."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:24]


STATE_BOUND = LIMIT + 1
"""Largest magnitude of a state that wraps."""

_TIMES = {
    # Quotient and rest have the sign of the state: their products are cut as that of the state.
    INT32: "{0} / 4096 * {1} + {0} % 4096 * {1} / 4096",
    INT64: "{0} * {1} / 4096",
}


class _CPrinter(Printer):
    def line(self, name: str, type: Type, text: str) -> str:
        return f"const {self.types[type]} {name} = {text};"


def step_lines(neuron: Neuron, num: str, leaves: LeafFields) -> StepLines:
    """Returns the lines of a step, computed in the integers ``num``; leaves have a ``text``."""
    operations = fill("operations", NUM=num, LIMIT=LIMIT, TIMES=_TIMES[num])
    types = {GRID: num, SHARE: num, REAL: "float", BOOL: "int"}
    return StepLines(neuron, _CPrinter(TEXTS | tomllib.loads(operations), types), leaves)


def step_bounds(
    neuron: Neuron, parameters: Mapping[str, NDArray[Any]], inputs: Mapping[str, int]
) -> tuple[int, int]:
    """Returns the largest magnitudes of the values of a step, and of what neurons hand on.

    ``inputs`` are those of the inputs.
    """
    ranges, assigned = Ranges(neuron.parameters, STATE_BOUND), first_assignments(neuron)
    most = STATE_BOUND
    for a in in_order(neuron.roots, with_gradients=False):
        if a.type not in (GRID, SHARE):
            continue
        name = str(a.value)
        if a.operation == "parameter":
            interval = int(parameters[name].min()), int(parameters[name].max())
        elif a.operation == "input":
            interval = -inputs[name], inputs[name]
        else:  # what saturates in training is held by the device's rules here
            interval = ranges[a.arguments[0] if a.operation == "saturate" else a]
        reach = max(map(abs, interval))
        if a.operation == "times" and reach >= 1 << 31:
            reach <<= DECAY_BITS  # 64 bits hold the product
        most = max(most, reach)
        if a in assigned and a.arguments:
            interval = max(-STATE_BOUND, interval[0]), min(STATE_BOUND, interval[1])
        ranges.intervals[a] = interval
    if neuron.output is None:
        return most, 1
    output = max(map(abs, ranges[neuron.output])) >> (neuron.definition.unit_bits - PAYLOAD_BITS)
    return most, output + 1


def reads_last_spike(neuron: Neuron) -> bool:
    """Whether a step depends on whether the neuron fired in the step before."""
    order = in_order(neuron.roots, with_gradients=False)
    return any(a.operation == "fired_before" for a in order)
