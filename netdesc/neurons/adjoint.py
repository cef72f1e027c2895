"""Reverse mode: the adjoint of a neuron's step, as expressions in the operations of the step.

All gradients are those of a loss with respect to a value in threshold units (a state), or to a
share divided by 4096. Rounding and saturation count as the identity.

The adjoint of a step passes carries to that of the step before: the gradient of each
``times(state, share)``, and that of all other uses of a state together. The step before multiplies
a carry by the share. There, this product and the sum with the state's own gradient are one fused
instruction, and the state that the gradient of the share needs is at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import cast

from netdesc.neurons.expressions import (
    ZERO,
    Expression,
    constant,
    expression,
    in_order,
    make,
    number,
    to_real,
    where,
)
from netdesc.neurons.operations import GRID, REAL, STATE_UNIT
from netdesc.neurons.program import Adjoint, Neuron


def differentiate(neuron: Neuron, learn: bool) -> Adjoint:
    """Returns the adjoint, with gradients of all learnable parameters if ``learn``.

    It reads values of the forward step, which ``choose_stored`` derives from what is stored.
    """
    return _ReverseMode(neuron, learn).adjoint()


@dataclass(frozen=True, slots=True)
class _Use:
    """A way in which a step reads a value of the step before. Its gradient is a carry."""

    reads: Expression
    """``state`` or ``fired_before``, or ``times`` of a state."""
    value: Expression
    """What was read, in the step that computes it."""
    share: Expression | None


_Gradients = tuple[Expression, ...]


def _times(
    mode: _ReverseMode, gradient: Expression, a: Expression, share: Expression
) -> _Gradients:
    return gradient * to_real(share), gradient * mode.convert_to_real(a)


def _choose(condition: Expression, gradient: Expression) -> _Gradients:
    return where(condition, gradient, ZERO), where(condition, ZERO, gradient)


def _where(mode: _ReverseMode, node: Expression, gradient: Expression) -> _Gradients:
    condition, a, b = node.arguments
    jump = ZERO
    if condition.operation in ("with_gradient", "fired_before"):
        jump = gradient * (mode.convert_to_real(a) - mode.convert_to_real(b))
    return jump, *_choose(condition, gradient)


def _absolute(_: _ReverseMode, node: Expression, gradient: Expression) -> _Gradients:
    a = node.arguments[0]
    return (where(make("greater_equal", a, constant(0, a.type)), gradient, -gradient),)


_RULES: dict[str, Callable[[_ReverseMode, Expression, Expression], _Gradients]] = {
    "add": lambda _, node, gradient: (gradient, gradient),
    "subtract": lambda _, node, gradient: (gradient, -gradient),
    "negate": lambda _, node, gradient: (-gradient,),
    "rest": lambda _, node, gradient: (-gradient,),
    "saturate": lambda _, node, gradient: (gradient,),
    "scale": lambda _, node, gradient: (gradient * constant(cast("int", node.value), REAL),),
    "absolute": _absolute,
    "minimum": lambda _, node, gradient: _choose(make("less", *node.arguments), gradient),
    "maximum": lambda _, node, gradient: _choose(make("greater", *node.arguments), gradient),
    "where": _where,
    "times": lambda mode, node, gradient: _times(mode, gradient, *node.arguments),
    "multiply": lambda _, node, gradient: tuple(gradient * a for a in node.arguments[::-1]),
    "to_real": lambda mode, node, gradient: (mode.convert_gradient(node.arguments[0], gradient),),
    "with_gradient": lambda _, node, gradient: (
        ZERO,
        *chain(*((gradient * factor, ZERO) for factor in node.arguments[2::2])),
    ),
}
"""Operation -> the gradients of its arguments, from that of its value.

Other operations have no gradient: comparisons, conditions, and what only surrogates contain.
"""


class _ReverseMode:
    def __init__(self, neuron: Neuron, learn: bool) -> None:
        self._neuron = neuron
        # ``to_real`` divides by 4096, whatever the unit of states is.
        self._unit = constant(STATE_UNIT / 2**neuron.definition.unit_bits, REAL)
        self._per_unit = constant(2**neuron.definition.unit_bits / STATE_UNIT, REAL)
        kinds = neuron.parameters.items()
        self._learnt = {name: kind for name, kind in kinds if learn and kind != "real"}
        self._order = in_order(neuron.roots)
        self._uses: list[_Use] = []
        for a in self._order:
            if a.operation == "times" and a.arguments[0].operation == "state":
                self._uses.append(_Use(a, neuron.after[str(a.arguments[0].value)], a.arguments[1]))
            elif a.operation == "state":
                self._uses.append(_Use(a, neuron.after[str(a.value)], None))
            elif a.operation == "fired_before" and neuron.spike is not None:
                self._uses.append(_Use(a, neuron.spike, None))

    def convert_to_real(self, a: Expression) -> Expression:
        if a.type is REAL:
            return a
        return to_real(a) * self._unit if a.type is GRID else to_real(a)

    def convert_gradient(self, a: Expression, gradient: Expression) -> Expression:
        """Returns the gradient of ``a`` from that of ``to_real(a)``."""
        return gradient * self._per_unit if a.type is GRID else gradient

    def adjoint(self) -> Adjoint:
        own = [_carry(index) for index in range(len(self._uses))]
        carries = self._merge_carries(own)
        needed = _needed_carries(self._adjoint_of(carries))
        slots = {own[index]: _carry(slot) for slot, index in enumerate(needed)}
        slots |= {-carry: -slot for carry, slot in slots.items()}
        adjoint = self._adjoint_of([slots.get(carry, ZERO) for carry in carries])
        return replace(adjoint, carries=tuple(adjoint.carries[index] for index in needed))

    def _adjoint_of(self, carries: Sequence[Expression]) -> Adjoint:
        """Returns the adjoint of a step that gets ``carries`` from the step after, one a use."""
        adjoints: dict[Expression, Expression] = {}

        def add(a: Expression, gradient: Expression) -> None:
            if number(gradient) != 0:
                adjoints[a] = adjoints.get(a, ZERO) + gradient

        for use, carry in zip(self._uses, carries, strict=True):
            if use.share is None:
                add(use.value, carry)
            elif number(carry) != 0:
                to_state, to_share = _times(self, carry, use.value, use.share)
                add(use.value, to_state)
                add(use.share, to_share)
        for a, gradient in self._output_gradients():
            add(a, gradient)
        states_times = {use.reads for use in self._uses if use.share is not None}
        for node in reversed(self._order):
            gradient = adjoints.get(node)
            if gradient is not None and node.arguments and node not in states_times:
                gradients = _RULES[node.operation](self, node, gradient)
                for argument, of_argument in zip(node.arguments, gradients, strict=True):
                    add(argument, of_argument)
        leaves = {(a.operation, a.value): gradient for a, gradient in adjoints.items()}
        learnt = {name: leaves.get(("parameter", name), ZERO) for name in self._learnt}
        names = self._neuron.definition.inputs
        return Adjoint(
            inputs={name: leaves.get(("input", name), ZERO) for name in names},
            carries=tuple(adjoints.get(use.reads, ZERO) for use in self._uses),
            parameters={  # a decay has minus the gradient of its share
                name: -gradient if self._learnt[name] == "decay" else gradient
                for name, gradient in learnt.items()
            },
        )

    def _output_gradients(self) -> list[tuple[Expression, Expression]]:
        gradient = expression("output_gradient", type=REAL)
        spike, output = self._neuron.spike, self._neuron.output
        if spike is not None and output is not None:  # the payload, where the neuron fires
            payload = self.convert_to_real(output)
            return [(output, where(spike, gradient, ZERO)), (spike, gradient * payload)]
        return [(a, gradient) for a in (spike, output) if a is not None]

    def _merge_carries(self, own: list[Expression]) -> list[Expression]:
        """Returns what equals each carry in every step: 0, an earlier one, its negative, or itself.

        This is a greatest fixed point, by partition refinement. The lattice is that of the sets of
        relations between carries: is 0, equals another, is minus another. F(R) are the relations
        between the carries that the adjoint returns if R holds between those that it gets. Less
        follows from less, so F is monotone. All carries are 0 after the last step, so that all
        relations hold there, and those of a fixed point of F hold in every step. The greatest
        leaves the fewest carries. It is where iteration from the top, all relations, ends: each
        round but the last splits a class of equal carries. Simplification of expressions might
        hide a relation and show it again; then the bottom is returned, no relation.
        """
        merged = [ZERO] * len(own)
        for _ in range(len(own) + 1):
            class_of = {ZERO: ZERO}
            values = self._adjoint_of(merged).carries
            for value, carry in zip(values, own, strict=True):
                if value not in class_of:
                    class_of |= {-value: -carry, value: carry}  # x - x is both
            refined = [class_of[value] for value in values]
            if refined == merged:
                return refined
            merged = refined
        return own


def _needed_carries(adjoint: Adjoint) -> list[int]:
    """Returns the indices of carries on which a gradient of an input or of a parameter depends.
    This is the least fixed point: those that such a gradient reads, and those that they read."""
    waiting = [*adjoint.inputs.values(), *adjoint.parameters.values()]
    needed: set[int] = set()
    while waiting:
        for leaf in in_order([waiting.pop()]):
            if leaf.operation == "carry" and leaf.value not in needed:
                assert isinstance(leaf.value, int)
                needed.add(leaf.value)
                waiting.append(adjoint.carries[leaf.value])
    return sorted(needed)


def _carry(index: int) -> Expression:
    return expression("carry", value=index, type=REAL)
