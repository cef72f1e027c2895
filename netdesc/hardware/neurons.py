"""Simulates the device's neurons in exact integers with 24-bit states, from their equations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, DEVICE_STATE_LIMIT
from netdesc.neurons.definition import Definition
from netdesc.neurons.equations import read
from netdesc.neurons.expressions import Expression, in_order
from netdesc.neurons.operations import BOOL, REAL

PAYLOAD_BITS = 12
"""Graded outputs are in units of 2⁻¹² of a threshold unit."""

_MASK_24_BITS = (1 << 24) - 1

States = NDArray[np.int64]
"""A number for each neuron of a layer, [neurons]; states are in state units."""


def shift(values: States, bits: int) -> States:
    """Multiplies by 2 to the power of ``bits``. Rounds toward zero if ``bits`` is negative."""
    if bits >= 0:
        return values << bits
    return (values + ((values >> 63) & ((1 << -bits) - 1))) >> -bits


def _times(state: States, share: States) -> States:
    """Returns ``share · state / 4096``, rounded toward zero."""
    return shift(share * state, -DECAY_BITS)


def _wrap(state: States) -> States:
    """Wraps states into −2²³ < u ≤ 2²³, as the device's adders do."""
    return ((state + DEVICE_STATE_LIMIT) & _MASK_24_BITS) - DEVICE_STATE_LIMIT


def _clip(state: States) -> States:
    return np.minimum(np.maximum(state, -DEVICE_STATE_LIMIT), DEVICE_STATE_LIMIT)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "negate": np.negative,
    "absolute": np.abs,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "where": np.where,
    "times": _times,
    "saturate": lambda a: a,  # a device rule follows where it is assigned
    "rest": lambda a: DECAY_ONE - a,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "with_gradient": lambda a: a,
}


_CONSTANTS: dict[Any, Any] = {BOOL: np.bool_, REAL: np.float32}
"""Type of a constant -> that of numpy, if it is not int64."""

_LEAVES = ("state", "input", "fired_before")
"""Operations without arguments whose values change from step to step."""


class IntegerNeurons:
    """The neurons of one layer and their states.

    Each state wraps or is clipped at 24 bits whenever it is assigned, as ``Definition.wrapped``
    says. ``wrapped`` and ``clipped`` map each state to the number of values that exceeded 24 bits.
    """

    def __init__(self, definition: Definition, parameters: Mapping[str, Any], count: int) -> None:
        """``parameters`` are integers on the grid (see ``ParameterKind``), [] or [count]."""
        self._neuron = neuron = read(definition)
        self._assigned: dict[Expression, str] = {}
        for state, value in [*neuron.before_reset.items(), *neuron.after.items()]:
            # Equal states are one expression, which has the device rule of the first.
            self._assigned.setdefault(value, state)
        results = [*neuron.after.values(), neuron.spike, neuron.output]
        order = in_order([each for each in results if each is not None], with_gradients=False)
        self._leaves = [each for each in order if each.operation in _LEAVES]
        self._operations = [
            (each, _function(each), _arguments(each)) for each in order if each.arguments
        ]
        self._states = dict.fromkeys(neuron.states, np.zeros(count, np.int64))
        self._fired = np.zeros(count, np.bool_)
        self.wrapped = dict.fromkeys(definition.wrapped, 0)
        self.clipped = {state: 0 for state in neuron.states if state not in self.wrapped}
        self._fixed: dict[Expression, Any] = {}
        for each in order:
            if each.operation == "parameter":
                self._fixed[each] = np.asarray(parameters[str(each.value)])
            elif each.operation == "constant":
                self._fixed[each] = np.array(each.value, _CONSTANTS.get(each.type, np.int64))

    def step(self, *inputs: States) -> NDArray[Any]:
        """Runs one step with the inputs, [neurons] in state units each. Returns the output.

        The output is spikes, bool [neurons], or graded, int64 [neurons] in units of 1/4096.
        """
        neuron = self._neuron
        arrived = dict(zip(neuron.definition.inputs, inputs, strict=True))
        known = {"state": self._states, "input": arrived, "fired_before": {None: self._fired}}
        values = dict(self._fixed)
        for leaf in self._leaves:
            values[leaf] = known[leaf.operation][leaf.value]
        for each, function, arguments in self._operations:
            value = function(*[values[argument] for argument in arguments])
            state = self._assigned.get(each)
            values[each] = value if state is None else self._hold(state, value)
        shape = self._fired.shape
        for state, after in neuron.after.items():
            self._states[state] = np.broadcast_to(values[after], shape)
        if neuron.spike is not None:
            self._fired = np.broadcast_to(values[neuron.spike], shape)
        if neuron.output is None:
            return self._fired
        below = neuron.definition.unit_bits - PAYLOAD_BITS
        output = np.broadcast_to(values[neuron.output] >> below, shape)
        return output if neuron.spike is None else np.where(self._fired, output, 0)

    def _hold(self, state: str, value: States) -> States:
        """Returns what 24 bits hold of values that are assigned to a state. Counts the others."""
        counts, rule = (self.wrapped, _wrap) if state in self.wrapped else (self.clipped, _clip)
        held = rule(value)
        counts[state] += int(np.count_nonzero(held != value))
        return held


def _function(each: Expression) -> Callable[..., Any]:
    if each.operation == "scale":
        assert isinstance(each.value, int)
        return functools.partial(np.multiply, each.value)
    return _OPERATIONS[each.operation]


def _arguments(each: Expression) -> tuple[Expression, ...]:
    return each.arguments[:1] if each.operation == "with_gradient" else each.arguments
