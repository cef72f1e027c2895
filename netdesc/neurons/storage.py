"""Storage: what the forward pass stores in each step, so that the adjoint can be computed.

Memory is what limits a training step: each stored value is written and read once a neuron, step and
sample. Therefore few values are stored, and the others are derived from stored values of the same
step and of the step before. A value follows from the arguments of its operation; a state of the
step before from that step; and an argument of a sum from the sum and the other argument.

The last assumes that ``saturate`` did nothing. In a step in which a state did reach ± STATE_LIMIT
(131,072 threshold units; 2,048 in the finer units of sigma_delta), what is derived from that
state's sum is off by what saturation cut, and so are the gradients that read it: surrogates of
states that are not stored, and gradients of parameters, which were up to 16% off in random neurons.
They stay finite. A neuron that has diverged so far has no gradient of use.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, product

from netdesc.neurons import expressions
from netdesc.neurons.operations import GRID, REAL
from netdesc.neurons.program import Adjoint, Neuron

_UNLESS_FIRST = partial(expressions.make, "unless_first")

Stored = tuple[expressions.Expression, ...]
_Value = tuple[expressions.Expression, bool]
"""An integer or condition of the forward step, and whether it is that of the step before."""
_Rule = tuple[_Value, tuple[_Value, ...], Callable[..., expressions.Expression]]
"""A value, what it follows from, and how."""


def spike_flag(spike: expressions.Expression) -> expressions.Expression:
    """Returns a spike as an integer, which can be stored."""
    return expressions.where(spike, expressions.constant(1, GRID), expressions.GRID_ZERO)


class Derivation:
    """All ways in which what ``roots``, the adjoint, read may follow from stored values."""

    def __init__(self, neuron: Neuron, roots: list[expressions.Expression]) -> None:
        # Here a value is a value, wherever its gradient goes.
        flags = [] if neuron.spike is None else [spike_flag(neuron.spike)]
        self._plain = expressions.rewrite([*neuron.roots, *flags, *roots], _without_gradient)
        self._roots = [self._plain[root] for root in roots]
        self._order = expressions.in_order(self._roots)
        step = expressions.in_order([*(self._plain[root] for root in neuron.roots), *self._roots])
        self._invariant = [a for a in step if a.is_invariant]
        self._rules = [*self._link_steps(neuron, step), *_list_operation_rules(step)]
        self._readers: dict[_Value, list[int]] = {}
        for index, (_, sources, _) in enumerate(self._rules):
            for source in dict.fromkeys(sources):
                self._readers.setdefault(source, []).append(index)

    def _link_steps(self, neuron: Neuron, step: list[expressions.Expression]) -> Iterable[_Rule]:
        for a in step:
            if a.operation == "state":
                yield (a, False), ((self._plain[neuron.after[str(a.value)]], True),), _UNLESS_FIRST
            elif a.operation == "fired_before" and neuron.spike is not None:
                yield (a, False), ((self._plain[neuron.spike], True),), _UNLESS_FIRST
        if neuron.spike is not None:
            spike = self._plain[neuron.spike]
            for is_before in (False, True):
                yield (spike, is_before), ((spike_flag(spike), is_before),), _from_flag

    def suffices(self, stored: Stored) -> bool:
        """Returns whether the roots follow from ``stored``."""
        derived = {value for value, _, _ in self._rules_in_use(stored)}
        known = self._known_at_first(stored).keys() | derived
        expressed: set[expressions.Expression] = set()
        for a in self._order:
            if (a, False) in known or (
                a.operation not in _OF_FORWARD_STEP and expressed.issuperset(a.arguments)
            ):
                expressed.add(a)
        return expressed.issuperset(self._roots)

    def express(self, stored: Stored) -> list[expressions.Expression]:
        """Returns the roots in terms of ``stored``, which suffices."""
        known = self._known_at_first(stored)
        for value, sources, build in self._rules_in_use(stored):
            known[value] = build(*(known[each] for each in sources))
        expressed: dict[expressions.Expression, expressions.Expression] = {}
        for a in self._order:
            if (a, False) in known:
                expressed[a] = known[a, False]
            elif expressed.keys() >= {*a.arguments}:
                expressed[a] = expressions.remake(a, *(expressed[each] for each in a.arguments))
        return [expressed[root] for root in self._roots]

    def _known_at_first(self, stored: Stored) -> dict[_Value, expressions.Expression]:
        known: dict[_Value, expressions.Expression] = {}
        for is_before, leaf in ((False, "stored"), (True, "stored_before")):
            known |= {(a, is_before): a for a in self._invariant}
            for slot, a in enumerate(stored):
                known[self._plain[a], is_before] = expressions.expression(
                    leaf, value=slot, type=GRID
                )
        return known

    def _rules_in_use(self, stored: Stored) -> Iterable[_Rule]:
        """Yields a rule for each value that follows, so that it takes as few rules as possible.
        Each rule is looked at once for each of its sources, for equations may have thousands."""
        known = set(self._known_at_first(stored))
        missing = [len({*sources}) for _, sources, _ in self._rules]
        found: list[_Value] = list(known)
        while found:
            ready: list[int] = []
            for value in found:
                for index in self._readers.get(value, ()):
                    missing[index] -= 1
                    if missing[index] == 0:
                        ready.append(index)
            found = []
            for index in sorted(ready):
                if (value := self._rules[index][0]) not in known:
                    known.add(value)
                    found.append(value)
                    yield self._rules[index]


_OF_FORWARD_STEP = ("state", "fired_before", "input")  # leaves that the adjoint does not have


def _without_gradient(
    a: expressions.Expression, arguments: tuple[expressions.Expression, ...]
) -> expressions.Expression:
    return arguments[0] if a.operation == "with_gradient" else expressions.remake(a, *arguments)


def _list_operation_rules(step: list[expressions.Expression]) -> Iterable[_Rule]:
    """An expression follows from its arguments, and an argument from the expression and others."""
    for is_before, a in product((False, True), step):
        if a.is_invariant or not a.arguments or a.type is REAL:
            continue
        arguments = tuple((each, is_before) for each in a.arguments)
        yield (a, is_before), arguments, partial(expressions.remake, a)
        for index, solve in enumerate(_SOLUTIONS.get(a.operation, ())):
            others = arguments[:index] + arguments[index + 1 :]
            yield arguments[index], ((a, is_before), *others), solve


def _from_flag(flag: expressions.Expression) -> expressions.Expression:
    return expressions.make("greater", flag, expressions.GRID_ZERO)


_Solution = (
    Callable[[expressions.Expression], expressions.Expression]
    | Callable[[expressions.Expression, expressions.Expression], expressions.Expression]
)
_SOLUTIONS: dict[str, tuple[_Solution, ...]] = {
    "add": (lambda total, b: total - b, lambda total, a: total - a),
    "subtract": (lambda difference, b: difference + b, lambda difference, a: a - difference),
    "negate": (lambda negative: -negative,),
    "saturate": (lambda total: total,),
}
"""Operation -> what each argument is, given the value of the operation and the other argument."""


def choose_stored(neuron: Neuron, adjoint: Adjoint) -> tuple[Stored, Adjoint]:
    """Returns what to store, and the adjoint in terms of it.

    From all states, inputs and what leaves the grid, which suffice, values are left out one by one.
    That is done in two orders, and the smaller set is taken. In a tie, states are stored.
    """
    roots = [*chain(*adjoint.roots)]
    derivation = Derivation(neuron, roots)
    read = expressions.in_order(roots, with_gradients=False)
    inputs = [a for a in expressions.in_order([*neuron.roots, *roots]) if a.operation == "input"]
    flags = [] if neuron.spike is None else [spike_flag(neuron.spike)]
    states = [*neuron.after.values(), *neuron.before_reset.values()]
    differences = [a.arguments[0] for a in read if a.operation == "to_real"]
    differences = [a.arguments[0] if a.operation == "absolute" else a for a in differences]
    others = [*inputs, *flags]
    orders = ([*others, *differences, *states], [*others, *states, *differences])
    chosen = min((_least_stored(each, derivation) for each in orders), key=len)
    expressed = iter(derivation.express(chosen))
    return chosen, Adjoint(
        inputs={name: next(expressed) for name in adjoint.inputs},
        carries=tuple(next(expressed) for _ in adjoint.carries),
        parameters={name: next(expressed) for name in adjoint.parameters},
    )


def _least_stored(values: Iterable[expressions.Expression], derivation: Derivation) -> Stored:
    """Returns what is left of the integers that vary and are of this step, without their gradients,
    if what can be left out is, one by one."""
    plain = dict.fromkeys(a.arguments[0] if a.operation == "with_gradient" else a for a in values)
    integers = (a for a in plain if a.type is GRID and not a.is_invariant)
    stored = tuple(a for a in integers if a.operation != "state")
    for a in stored:
        fewer = tuple(each for each in stored if each is not a)
        if derivation.suffices(fewer):
            stored = fewer
    return stored
