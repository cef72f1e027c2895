"""Simulates the device's neurons in exact integers with 24-bit states, from their equations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, DEVICE_STATE_LIMIT
from netdesc.neurons.definition import Definition
from netdesc.neurons.equations import read
from netdesc.neurons.expressions import BOOL, Expression, in_order
from netdesc.neurons.neuron import Neuron

_MASK_24_BITS = (1 << 24) - 1

States = NDArray[np.int64]
"""A number for each neuron of a layer, [neurons]; states are in state units."""


def _times(state: States, share: States) -> States:
    """Returns ``share · state / 4096``, rounded toward zero."""
    product = share * state
    return (product + ((product >> 63) & (DECAY_ONE - 1))) >> DECAY_BITS


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
    "saturate": lambda a: a,  # of a state that is assigned: its device rule follows
    "rest": lambda a: DECAY_ONE - a,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "with_gradient": lambda a: a,
}


_LEAVES = ("state", "input", "fired_before")
"""Operations without arguments whose values change from step to step."""


class IntegerNeurons:
    """The neurons of one layer and their states.

    Each state wraps or is clipped at 24 bits whenever it is assigned, as ``Definition.wrapped``
    says. ``wrapped`` and ``clipped`` count the values that exceeded 24 bits.
    """

    def __init__(self, definition: Definition, parameters: Mapping[str, Any], count: int) -> None:
        """``parameters`` are integers on the grid (see ``ParameterKind``), [] or [count]."""
        self._neuron = neuron = read(definition)
        self._shift = definition.unit_bits - 12
        self._rules: dict[Expression, Callable[[States], States]] = {}
        for state, value in _assigned_values(neuron):
            self._rules.setdefault(value, _wrap if state in definition.wrapped else _clip)
        results = [*neuron.after.values(), neuron.spike, neuron.output]
        order = in_order([each for each in results if each is not None], with_gradients=False)
        self._leaves = [each for each in order if each.operation in _LEAVES]
        self._operations = [
            (each, _function(each), _arguments(each)) for each in order if each.arguments
        ]
        self._states = dict.fromkeys(neuron.states, np.zeros(count, np.int64))
        self._fired = np.zeros(count, np.bool_)
        self.wrapped = 0
        self.clipped = 0
        self._fixed: dict[Expression, Any] = {}
        for each in order:
            if each.operation == "parameter":
                self._fixed[each] = np.asarray(parameters[str(each.value)], np.int64)
            elif each.operation == "constant":
                self._fixed[each] = np.array(each.value, bool if each.type is BOOL else np.int64)

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
            rule = self._rules.get(each)
            values[each] = value if rule is None else self._hold(value, rule)
        self._states = {state: values[value] for state, value in neuron.after.items()}
        if neuron.spike is not None:
            self._fired = values[neuron.spike]
        if neuron.output is None:
            return self._fired
        output = values[neuron.output] >> self._shift
        return output if neuron.spike is None else np.where(self._fired, output, 0)

    def _hold(self, value: States, rule: Callable[[States], States]) -> States:
        """Returns what 24 bits hold of states that are assigned, and counts the others."""
        held = rule(value)
        beyond = int(np.count_nonzero(held != value))
        if rule is _wrap:
            self.wrapped += beyond
        else:
            self.clipped += beyond
        return held


def _function(each: Expression) -> Callable[..., Any]:
    if each.operation == "scale":
        assert isinstance(each.value, int)
        return functools.partial(np.multiply, each.value)
    return _OPERATIONS[each.operation]


def _arguments(each: Expression) -> tuple[Expression, ...]:
    return each.arguments[:1] if each.operation == "with_gradient" else each.arguments


def _assigned_values(neuron: Neuron) -> Iterator[tuple[str, Expression]]:
    """Yields what ``step``, and then what ``reset`` assigns to states."""
    yield from neuron.before_reset.items()
    for state, after in neuron.after.items():
        chosen = after.arguments[0] if after.operation == "with_gradient" else after
        if chosen is not neuron.before_reset[state] and chosen.operation == "where":
            yield state, chosen.arguments[1]
