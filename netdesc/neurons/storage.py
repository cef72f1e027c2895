"""Storage: what the forward pass stores in each step, so that the step back can be computed.

Memory is what limits a training step: each stored value is written and read once a neuron, step and
sample. Therefore few values are stored, and the others are derived from stored values of the same
step and of the step before.

Solving a sum for its one unknown assumes that ``saturate`` did nothing. In a step in which a state
did reach ± STATE_LIMIT (131,072 threshold units; 2,048 in the finer units of sigma_delta), what is
derived from that state's sum is off by what saturation cut, and so are the gradients that read it:
surrogates of states that are not stored, and gradients of parameters, which were up to 16% off in
random neurons. They stay finite. A neuron that has diverged so far has no gradient of use.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from netdesc.neurons.derivation import Derivation, Stored, spike_flag
from netdesc.neurons.expressions import Expression, in_order
from netdesc.neurons.neuron import Neuron
from netdesc.neurons.operations import GRID
from netdesc.neurons.program import Backward


def choose_stored(neuron: Neuron, backward: Backward) -> tuple[Stored, Backward]:
    """Returns what to store, and the step back in terms of it.

    From all states, inputs and what leaves the grid, which suffice, values are left out one by one.
    That is done in two orders, and the smaller set is taken. In a tie, states are stored.
    """
    roots = [*chain(*backward.roots)]
    derivation = Derivation(neuron, roots)
    read = in_order(roots, with_gradients=False)
    inputs = [a for a in in_order([*neuron.roots, *roots]) if a.operation == "input"]
    flags = [] if neuron.spike is None else [spike_flag(neuron.spike)]
    states = [*neuron.after.values(), *neuron.before_reset.values()]
    differences = [a.arguments[0] for a in read if a.operation == "to_real"]
    differences = [a.arguments[0] if a.operation == "absolute" else a for a in differences]
    others = [*inputs, *flags]
    orders = ([*others, *differences, *states], [*others, *states, *differences])
    chosen = min((_shrunk(_storable(each), derivation) for each in orders), key=len)
    made = iter(derivation.express(chosen))
    return chosen, Backward(
        inputs={name: next(made) for name in backward.inputs},
        carries=tuple(next(made) for _ in backward.carries),
        parameters={name: next(made) for name in backward.parameters},
    )


def _shrunk(stored: Stored, derivation: Derivation) -> Stored:
    """Returns what is left of a set that suffices if what can be left out is, one by one."""
    for a in stored:
        fewer = tuple(each for each in stored if each is not a)
        if derivation.suffices(fewer):
            stored = fewer
    return stored


def _storable(values: Iterable[Expression]) -> Stored:
    """Returns the integers that vary and are of this step, once each, without their gradients."""
    plain = dict.fromkeys(a.arguments[0] if a.operation == "with_gradient" else a for a in values)
    integers = (a for a in plain if a.type is GRID and not a.is_invariant)
    return tuple(a for a in integers if a.operation != "state")
