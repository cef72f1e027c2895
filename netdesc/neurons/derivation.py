"""Derivation: which values of a step follow from which others, and from those of the step before.

A value follows from the arguments of its operation; a state of the step before from that step; and
an argument of a sum from the sum and the other argument. The last assumes that ``saturate`` did
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from netdesc.neurons.arithmetic import (
    add,
    compare,
    constant,
    negate,
    remake,
    rewrite,
    subtract,
    unless_first,
    where,
)
from netdesc.neurons.expressions import BOOL, GRID, SHARE, Expression, expression, in_order
from netdesc.neurons.neuron import Neuron

_COSTS = {"stored_before": 2, "saturate": 2, "times": 7}
"""Operation -> its cost in additions, where it is not 1."""

_YES, _NO = constant(1, GRID), constant(0, GRID)

Stored = tuple[Expression, ...]
_Value = tuple[Expression, bool]
"""An integer or condition of the forward step, and whether it is that of the step before."""
_Build = Callable[[tuple[Expression, ...]], Expression]


@dataclass(frozen=True, slots=True)
class _Rule:
    """How one value follows from others."""

    index: int
    value: _Value
    sources: tuple[_Value, ...]
    build: _Build
    cost: int


_Reached = dict[_Value, _Rule | None]
"""Value -> the rule by which it follows; None if it is stored. Sources stand before it."""


def spike_flag(neuron: Neuron) -> Expression:
    """Returns the spike as an integer, which can be stored."""
    assert neuron.spike is not None
    return where(neuron.spike, _YES, _NO)


class Derivation:
    """All ways in which what ``roots``, the step back, read may follow from stored values."""

    def __init__(self, neuron: Neuron, roots: list[Expression]) -> None:
        self._rules: list[_Rule] = []
        self._by_source: dict[_Value, list[_Rule]] = {}
        self._free: list[_Rule] = []  # numbers, with the gradient of something that varies
        self._roots = roots
        self._order = in_order(roots, with_gradients=False)
        step = in_order([*neuron.roots, *roots])
        integers = _integers(step)
        self._add_links(neuron, step)
        for a in step:
            if a in integers and not a.is_invariant and a.arguments:
                self._add_operation(a, is_before=False)
                self._add_operation(a, is_before=True)
        self._read = [
            (each, False)
            for each in dict.fromkeys(
                each
                for a in self._order
                if a not in integers
                for each in a.arguments
                if each in integers and not each.is_invariant
            )
        ]

    def _add_links(self, neuron: Neuron, step: list[Expression]) -> None:
        for a in step:
            if a.operation == "state":
                self._add((a, False), [(neuron.after[str(a.value)], True)], _unless_first)
            elif a.operation == "fired_before" and neuron.spike is not None:
                self._add((a, False), [(neuron.spike, True)], _unless_first)
        if neuron.spike is not None:
            for is_before in (False, True):
                flag = spike_flag(neuron), is_before
                self._add((neuron.spike, is_before), [flag], _from_flag)

    def _add(self, value: _Value, sources: Iterable[_Value], build: _Build, cost: int = 1) -> None:
        rule = _Rule(len(self._rules), value, tuple(sources), build, cost)
        self._rules.append(rule)
        if not rule.sources:
            self._free.append(rule)
        for source in rule.sources:
            self._by_source.setdefault(source, []).append(rule)

    def _add_operation(self, a: Expression, is_before: bool) -> None:
        """Adds how ``a`` follows from its arguments, and they from ``a`` and one another."""
        arguments = a.arguments[:1] if a.operation == "with_gradient" else a.arguments
        given = tuple(dict.fromkeys(each for each in arguments if not each.is_invariant))

        def compute(values: tuple[Expression, ...]) -> Expression:
            by_argument = dict(zip(given, values, strict=True))
            made = tuple(by_argument.get(each, each) for each in arguments)
            return made[0] if a.operation == "with_gradient" else remake(a, made)

        cost = _COSTS.get(a.operation, 1)
        self._add((a, is_before), [(each, is_before) for each in given], compute, cost)
        for index, solve in enumerate(_SOLUTIONS.get(a.operation, ())):
            unknown, others = arguments[index], arguments[:index] + arguments[index + 1 :]
            if not unknown.is_invariant and unknown not in others:
                self._add_solution((a, unknown, *others), is_before, solve)

    def _add_solution(
        self, terms: tuple[Expression, ...], is_before: bool, solve: Callable[..., Expression]
    ) -> None:
        total, unknown, *others = terms
        given = [total, *(each for each in others if not each.is_invariant)]

        def compute(values: tuple[Expression, ...]) -> Expression:
            by_term = dict(zip(given, values, strict=True))
            return solve(*(by_term.get(each, each) for each in (total, *others)))

        self._add((unknown, is_before), [(each, is_before) for each in given], compute)

    def cost(self, stored: Stored) -> int | None:
        """Returns the cost of deriving all that is read, None if ``stored`` does not suffice."""
        reached = self._reach(stored)
        if any(each not in reached for each in self._read):
            return None
        cost = 0
        for value in self._needed(reached):
            rule = reached[value]
            cost += rule.cost if rule else _COSTS["stored_before"] if value[1] else 0
        return cost

    def _reach(self, stored: Stored) -> _Reached:
        waiting: list[_Value] = [(a, is_before) for a in stored for is_before in (False, True)]
        reached: _Reached = dict.fromkeys(waiting)
        for rule in self._free:
            reached[rule.value] = rule
            waiting.append(rule.value)
        missing = [len(rule.sources) for rule in self._rules]
        for source in waiting:  # grows
            for rule in self._by_source.get(source, ()):
                missing[rule.index] -= 1
                if missing[rule.index] == 0 and rule.value not in reached:
                    reached[rule.value] = rule
                    waiting.append(rule.value)
        return reached

    def _needed(self, reached: _Reached) -> set[_Value]:
        needed: set[_Value] = set()
        waiting = list(self._read)
        while waiting:
            value = waiting.pop()
            if value not in needed:
                needed.add(value)
                rule = reached[value]
                waiting += rule.sources if rule else ()
        return needed

    def express(self, stored: Stored) -> list[Expression]:
        """Returns the roots in terms of ``stored``, which must suffice."""
        reached = self._reach(stored)
        needed = self._needed(reached)
        slots = {a: slot for slot, a in enumerate(stored)}
        made: dict[_Value, Expression] = {}
        for value, rule in reached.items():
            if value in needed:
                if rule is None:
                    leaf = "stored_before" if value[1] else "stored"
                    made[value] = expression(leaf, value=slots[value[0]], type=GRID)
                else:
                    made[value] = rule.build(tuple(made[each] for each in rule.sources))
        expressed: dict[Expression, Expression] = {}
        for a in self._order:
            if (a, False) in made:
                expressed[a] = made[a, False]
            elif a.operation == "with_gradient" and a.arguments[0] in expressed:
                expressed[a] = expressed[a.arguments[0]]
            elif all(each in expressed for each in a.arguments):
                expressed[a] = remake(a, tuple(expressed[each] for each in a.arguments))
        # Numbers and parameters, which need no derivation, may have gradients of their own, too.
        plain = rewrite((expressed[root] for root in self._roots), _without_gradient)
        return [plain[expressed[root]] for root in self._roots]


def _without_gradient(a: Expression, arguments: tuple[Expression, ...]) -> Expression:
    return arguments[0] if a.operation == "with_gradient" else remake(a, arguments)


def _integers(order: list[Expression]) -> set[Expression]:
    """Returns the expressions that are computed of integers and conditions alone."""
    found: set[Expression] = set()
    for a in order:
        arguments = a.arguments[:1] if a.operation == "with_gradient" else a.arguments
        if a.type in (GRID, SHARE, BOOL) and found.issuperset(arguments):
            found.add(a)
    return found


def _unless_first(values: tuple[Expression, ...]) -> Expression:
    return unless_first(values[0])


def _from_flag(values: tuple[Expression, ...]) -> Expression:
    return compare("greater", values[0], _NO)


def _subtrahend(total: Expression, minuend: Expression) -> Expression:
    return subtract(minuend, total)


def _unchanged(total: Expression) -> Expression:
    return total


_SOLUTIONS: dict[str, tuple[Callable[..., Expression], ...]] = {
    "add": (subtract, subtract),
    "subtract": (add, _subtrahend),
    "negate": (negate,),
    "saturate": (_unchanged,),
    "with_gradient": (_unchanged,),
}
"""Operation -> what each argument is, given the value of the operation and the other argument."""
