"""Reverse mode: the step back of a neuron, as expressions in the operations of the step.

All gradients are those of a loss with respect to a value in threshold units (a state), or to a
share divided by 4096. Rounding and saturation count as the identity.

What a step hands to the step before it are the adjoints of the *uses* of states: of each
``times(state, share)`` there is, and of all other uses of a state together. The step before
multiplies by the share: there, the product and the sum with what drives the state are one fused
instruction, and the state that the gradient of the share needs is at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netdesc.neurons.arithmetic import (
    ZERO,
    add,
    compare,
    constant,
    multiply,
    negate,
    number,
    subtract,
    to_real,
    where,
)
from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.expressions import (
    GRID,
    REAL,
    STATE_UNIT,
    Expression,
    expression,
    in_order,
)
from netdesc.neurons.neuron import Neuron
from netdesc.neurons.program import Backward

_GRID_SLOPE: dict[ParameterKind, float] = {
    "decay": -1.0,
    "factor": 1.0,
    "threshold": 1.0,
    "grid": 1.0,
}
"""Kind of a learnable parameter -> slope of its value on the grid. Rounding has the slope 1."""


def differentiate(neuron: Neuron, learn: bool) -> Backward:
    """Returns the step back. It reads values of the forward step, which are not yet derived from
    what is stored. With ``learn``, it has gradients of all learnable parameters.
    """
    return _Adjoint(neuron, learn).backward()


@dataclass(frozen=True, slots=True)
class _Use:
    """A way in which a step reads a value of the step before. Its adjoint is carried."""

    reads: Expression
    """``state`` or ``fired_before``, or ``times`` of a state."""
    value: Expression
    """What was read, in the step that computes it."""
    share: Expression | None


class _Sweep:
    """Adjoints of one step. ``give`` adds to the adjoint of an expression."""

    def __init__(self, neuron: Neuron) -> None:
        self.adjoints: dict[Expression, Expression] = {}
        # ``to_real`` divides by 4096, whatever the unit of states is.
        self._unit = constant(STATE_UNIT / 2**neuron.definition.unit_bits, REAL)
        self._per_unit = constant(2**neuron.definition.unit_bits / STATE_UNIT, REAL)

    def give(self, a: Expression, gradient: Expression) -> None:
        if number(gradient) != 0:
            known = self.adjoints.get(a)
            self.adjoints[a] = gradient if known is None else add(known, gradient)

    def real(self, a: Expression) -> Expression:
        """Returns ``a`` as a real number; a state in threshold units."""
        if a.type is REAL:
            return a
        real = to_real(a)
        return multiply(real, self._unit) if a.type is GRID else real

    def times(self, a: Expression, share: Expression, gradient: Expression) -> None:
        """Goes back through ``times(a, share)``."""
        self.give(a, multiply(gradient, to_real(share)))
        self.give(share, multiply(gradient, self.real(a)))

    def leave_grid(self, a: Expression, gradient: Expression) -> None:
        """Goes back through ``to_real(a)``."""
        self.give(a, multiply(gradient, self._per_unit) if a.type is GRID else gradient)

    def choose(
        self, condition: Expression, a: Expression, b: Expression, gradient: Expression
    ) -> None:
        """Gives to the branch that was taken: a where the condition holds, else b."""
        self.give(a, where(condition, gradient, ZERO))
        self.give(b, where(condition, ZERO, gradient))


def _where(sweep: _Sweep, node: Expression, gradient: Expression) -> None:
    condition, a, b = node.arguments
    sweep.choose(condition, a, b, gradient)
    if condition.operation in ("with_gradient", "fired_before"):
        jump = subtract(sweep.real(a), sweep.real(b))
        sweep.give(condition, multiply(gradient, jump))


def _scale(sweep: _Sweep, node: Expression, gradient: Expression) -> None:
    assert isinstance(node.value, int)
    sweep.give(node.arguments[0], multiply(gradient, constant(node.value, REAL)))


def _absolute(sweep: _Sweep, node: Expression, gradient: Expression) -> None:
    a = node.arguments[0]
    is_positive = compare("greater_equal", a, constant(0, a.type))
    sweep.give(a, where(is_positive, gradient, negate(gradient)))


def _extreme(comparison: str) -> _Rule:
    def rule(sweep: _Sweep, node: Expression, gradient: Expression) -> None:
        a, b = node.arguments
        sweep.choose(compare(comparison, a, b), a, b, gradient)

    return rule


def _sum(sign_a: int, sign_b: int) -> _Rule:
    def rule(sweep: _Sweep, node: Expression, gradient: Expression) -> None:
        for a, sign in zip(node.arguments, (sign_a, sign_b), strict=False):
            sweep.give(a, gradient if sign > 0 else negate(gradient))

    return rule


def _multiply(sweep: _Sweep, node: Expression, gradient: Expression) -> None:
    a, b = node.arguments
    sweep.give(a, multiply(gradient, b))
    sweep.give(b, multiply(gradient, a))


def _with_gradient(sweep: _Sweep, node: Expression, gradient: Expression) -> None:
    for a, factor in zip(node.arguments[1::2], node.arguments[2::2], strict=True):
        if number(factor) != 0:
            sweep.give(a, multiply(gradient, factor))


_Rule = Callable[[_Sweep, Expression, Expression], None]

_RULES: dict[str, _Rule] = {
    "add": _sum(1, 1),
    "subtract": _sum(1, -1),
    "negate": _sum(-1, 0),
    "rest": _sum(-1, 0),
    "saturate": _sum(1, 0),
    "scale": _scale,
    "absolute": _absolute,
    "minimum": _extreme("less"),
    "maximum": _extreme("greater"),
    "where": _where,
    "times": lambda sweep, node, gradient: sweep.times(
        node.arguments[0], node.arguments[1], gradient
    ),
    "multiply": _multiply,
    "to_real": lambda sweep, node, gradient: sweep.leave_grid(node.arguments[0], gradient),
    "with_gradient": _with_gradient,
}
"""Operation -> what gives the adjoint of an expression to its arguments.

Other operations have no gradient: comparisons, conditions, and what only surrogates contain.
"""


class _Adjoint:
    """Builds the step back of one neuron."""

    def __init__(self, neuron: Neuron, learn: bool) -> None:
        self._neuron = neuron
        kinds = neuron.parameters.items()
        self._learnt = {name: _GRID_SLOPE[kind] for name, kind in kinds if learn and kind != "real"}
        handed_on = neuron.spike if neuron.output is None else neuron.output
        assert handed_on is not None
        self._handed_on = handed_on
        roots = [handed_on, *neuron.after.values(), *([neuron.spike] if neuron.spike else [])]
        self._order = in_order(roots)
        self._uses = list(self._find_uses())

    def _find_uses(self) -> list[_Use]:
        after = self._neuron.after
        spike = self._neuron.spike
        found: list[_Use] = []
        for a in self._order:
            if a.operation == "times" and a.arguments[0].operation == "state":
                found.append(_Use(a, after[str(a.arguments[0].value)], a.arguments[1]))
            elif a.operation == "state":
                found.append(_Use(a, after[str(a.value)], None))
            elif a.operation == "fired_before" and spike is not None:
                found.append(_Use(a, spike, None))
        return found

    def _sweep(self, carried: list[Expression]) -> _Sweep:
        """Goes back through one step. ``carried`` has what came from the step after, by use."""
        sweep = _Sweep(self._neuron)
        for use, carry in zip(self._uses, carried, strict=True):
            if number(carry) == 0:
                continue
            if use.share is None:
                sweep.give(use.value, carry)
            else:
                sweep.times(use.value, use.share, carry)
        self._give_output(sweep)
        states_times = {use.reads for use in self._uses if use.share is not None}
        for node in reversed(self._order):
            gradient = sweep.adjoints.get(node)
            if gradient is not None and node.arguments and node not in states_times:
                _RULES[node.operation](sweep, node, gradient)
        return sweep

    def _give_output(self, sweep: _Sweep) -> None:
        gradient = expression("output_gradient", type=REAL)
        spike, output = self._neuron.spike, self._neuron.output
        if output is None or spike is None:
            sweep.give(self._handed_on, gradient)
        else:  # the payload, where the neuron fires
            sweep.give(output, where(spike, gradient, ZERO))
            sweep.give(spike, multiply(gradient, sweep.real(output)))

    def _carried_by(self, sweep: _Sweep) -> list[Expression]:
        return [sweep.adjoints.get(use.reads, ZERO) for use in self._uses]

    def backward(self) -> Backward:
        own = [_carry(index) for index in range(len(self._uses))]
        carries = self._merged(self._without_zeros(own))
        kept = self._read_by_results(carries)
        numbers = dict.fromkeys(own, ZERO) | {a: _carry(i) for i, a in enumerate(kept)}
        sweep = self._sweep([_substitute(carry, numbers) for carry in carries])
        handed_back = self._carried_by(sweep)
        return Backward(
            inputs=self._inputs(sweep),
            carries=tuple(handed_back[own.index(carry)] for carry in kept),
            parameters=self._parameters(sweep),
        )

    def _without_zeros(self, own: list[Expression]) -> list[Expression]:
        """Returns the carries, and 0 for those that are 0 in every step.

        All are 0 behind the last step. A carry is needed if it is not 0 with those needed so far.
        """
        needed = [ZERO] * len(own)
        while True:
            now = self._carried_by(self._sweep(needed))
            grown = [
                ZERO if number(value) == 0 else carry for value, carry in zip(now, own, strict=True)
            ]
            if grown == needed:
                return needed
            needed = grown

    def _merged(self, carries: list[Expression]) -> list[Expression]:
        """Returns the carries, and for those that equal another one, or its negative, that one."""
        while True:
            now = self._carried_by(self._sweep(carries))
            first: dict[Expression, Expression] = {}
            same: dict[Expression, Expression] = {}
            for index, (value, carry) in enumerate(zip(now, carries, strict=True)):
                if carry is not _carry(index):
                    continue  # 0 or merged
                if value in first:
                    same[carry] = first[value]
                elif negate(value) in first:
                    same[carry] = negate(first[negate(value)])
                else:
                    first[value] = carry
            if not same:
                return carries
            carries = [_substitute(carry, same) for carry in carries]

    def _read_by_results(self, carries: list[Expression]) -> list[Expression]:
        """Returns the carries on which a gradient of an input or of a parameter depends."""
        sweep = self._sweep(carries)
        handed_back = self._carried_by(sweep)
        waiting = [*self._inputs(sweep).values(), *self._parameters(sweep).values()]
        read: set[Expression] = set()
        while waiting:
            for leaf in in_order([waiting.pop()]):
                if leaf.operation == "carry" and leaf not in read:
                    read.add(leaf)
                    waiting.append(handed_back[carries.index(leaf)])
        return [a for index, a in enumerate(carries) if a in read and a is _carry(index)]

    def _inputs(self, sweep: _Sweep) -> dict[str, Expression]:
        names = self._neuron.definition.inputs
        leaves = {name: expression("input", value=name, type=GRID) for name in names}
        return {name: sweep.adjoints.get(leaf, ZERO) for name, leaf in leaves.items()}

    def _parameters(self, sweep: _Sweep) -> dict[str, Expression]:
        found: dict[str, Expression] = {}
        for a in self._order:
            if a.operation == "parameter" and str(a.value) in self._learnt:
                gradient = sweep.adjoints.get(a, ZERO)
                slope = self._learnt[str(a.value)]
                found[str(a.value)] = gradient if slope > 0 else negate(gradient)
        return {name: found.get(name, ZERO) for name in self._learnt}


def _carry(index: int) -> Expression:
    return expression("carry", value=index, type=REAL)


def _substitute(carry: Expression, by: dict[Expression, Expression]) -> Expression:
    """Replaces a carry, or the carry that is negated."""
    if carry.operation == "negate":
        return negate(_substitute(carry.arguments[0], by))
    return by.get(carry, carry)
