"""The step of neurons as C text, with bounds that say which integers hold its values."""

import tomllib
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from netdesc.exchange.c.c_program import INT32, INT64, fill
from netdesc.hardware.integer_neurons import PAYLOAD_BITS, StepLines, first_assignments
from netdesc.kernels.fixed_point import DECAY_BITS
from netdesc.kernels.fixed_point import DEVICE_STATE_LIMIT as LIMIT
from netdesc.kernels.printing import TEXTS, LeafFields, Printer
from netdesc.neurons.expressions import in_order
from netdesc.neurons.operations import BOOL, GRID, REAL, SHARE, Type
from netdesc.neurons.program import Neuron
from netdesc.neurons.ranges import Ranges

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
