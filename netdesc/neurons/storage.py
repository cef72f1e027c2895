"""Storage: what the forward pass stores in each step, so that the step back can be computed.

Memory is what limits a training step: each stored value is written and read once a neuron, step and
sample. So few values are stored, and the others are derived from stored values of the same step and
of the step before.

Solving a sum for its one unknown assumes that ``saturate`` did nothing. In a step in which a state
did reach ± STATE_LIMIT, 131,072 threshold units, what is derived from that state's sum is off by
what saturation cut, and so are the gradients that read it: surrogates of states that are not
stored, and gradients of parameters. They stay finite. A neuron that has diverged so far has no
gradient of use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, islice

from netdesc.neurons.derivation import Derivation, Stored, spike_flag
from netdesc.neurons.expressions import GRID, Expression, in_order
from netdesc.neurons.neuron import Neuron
from netdesc.neurons.program import Backward

MAX_SETS = 600
"""Number of sets of stored values that are tried, so that compilation stays short."""

_STORED_COST = 24
"""Cost of a value that is written and read, in additions."""
_NO_STATE_COST = 3
"""Added for what is no state before its reset: states are what users want to look at, too."""


def choose_stored(neuron: Neuron, backward: Backward) -> tuple[Stored, Backward]:
    """Returns what to store, and the step back in terms of it.

    The cheapest set of candidates is taken from which all that the step back reads is derived.
    """
    roots = [*backward.inputs.values(), *backward.carries, *backward.parameters.values()]
    derivation = Derivation(neuron, roots)
    states = {*neuron.before_reset.values()}
    best: tuple[int, Stored] | None = None
    candidates, enough = _candidates(neuron, roots)
    for stored in _sets(candidates, len(enough)):
        cost = _STORED_COST * len(stored)
        if best is not None and cost >= best[0]:
            break
        derived = derivation.cost(stored)
        if derived is not None:
            cost += derived + _NO_STATE_COST * sum(a not in states for a in stored)
            best = min(best or (cost, stored), (cost, stored), key=lambda each: each[0])
    chosen = best[1] if best else _shrunk(enough, derivation)
    made = iter(derivation.express(chosen))
    return chosen, Backward(
        inputs={name: next(made) for name in backward.inputs},
        carries=tuple(next(made) for _ in backward.carries),
        parameters={name: next(made) for name in backward.parameters},
    )


def _sets(candidates: Stored, size: int) -> Iterator[Stored]:
    """Returns sets of less than ``size`` candidates, small ones first."""
    sets = (each for count in range(size) for each in combinations(candidates, count))
    return islice(sets, MAX_SETS)


def _shrunk(enough: Stored, derivation: Derivation) -> Stored:
    """Returns what is left of a set that suffices if what can be left out is, one by one."""
    for a in enough:
        fewer = tuple(each for each in enough if each is not a)
        if derivation.cost(fewer) is not None:
            enough = fewer
    return enough


def _candidates(neuron: Neuron, roots: list[Expression]) -> tuple[Stored, Stored]:
    """Returns what may be stored, and a set that always suffices."""
    read = in_order(roots, with_gradients=False)
    step = in_order([*neuron.roots, *roots])
    inputs = [a for a in step if a.operation == "input"]
    flags = [spike_flag(neuron)] if neuron.spike is not None else []
    enough = _worth_storing([*neuron.after.values(), *inputs, *flags])
    off_grid = [a.arguments[0] for a in read if a.operation == "to_real"]
    off_grid = [a.arguments[0] if a.operation == "absolute" else a for a in off_grid]
    if not any(a.operation == "fired_before" for a in step):
        flags = []
    states = [*neuron.before_reset.values(), *neuron.after.values()]
    return _worth_storing([*states, *off_grid, *inputs, *flags]), enough


def _worth_storing(values: Iterable[Expression]) -> Stored:
    """Returns the integers that vary and are of this step, once each, without their gradients."""
    plain = dict.fromkeys(a.arguments[0] if a.operation == "with_gradient" else a for a in values)
    integers = (a for a in plain if a.type is GRID and not a.is_invariant)
    return tuple(a for a in integers if a.operation != "state")
