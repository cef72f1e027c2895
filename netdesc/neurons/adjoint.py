"""Reverse mode: the step back of a neuron, as expressions in the operations of the step.

All gradients are those of a loss with respect to a value in threshold units (a state), or to a
share divided by 4096. Rounding and saturation count as the identity.

A step hands adjoints, called carries, to the step before it: one for each ``times(state, share)``,
and one for all other uses of a state together. The step before multiplies a carry by the share.
There, this product and the sum with the state's own gradient are one fused instruction, and the
state that the gradient of the share needs is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
from netdesc.neurons.program import Backward, Neuron


def differentiate(neuron: Neuron, learn: bool) -> Backward:
    """Returns the step back, with gradients of all learnable parameters if ``learn``.

    It reads values of the forward step, which ``choose_stored`` derives from what is stored.
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


_Gradients = tuple[Expression, ...]


def _times(adjoint: _Adjoint, gradient: Expression, a: Expression, share: Expression) -> _Gradients:
    return gradient * to_real(share), gradient * adjoint.convert_to_real(a)


def _choose(condition: Expression, gradient: Expression) -> _Gradients:
    return where(condition, gradient, ZERO), where(condition, ZERO, gradient)


def _where(adjoint: _Adjoint, node: Expression, gradient: Expression) -> _Gradients:
    condition, a, b = node.arguments
    jump = ZERO
    if condition.operation in ("with_gradient", "fired_before"):
        jump = gradient * (adjoint.convert_to_real(a) - adjoint.convert_to_real(b))
    return jump, *_choose(condition, gradient)


def _absolute(_: _Adjoint, node: Expression, gradient: Expression) -> _Gradients:
    a = node.arguments[0]
    is_positive = make("greater_equal", a, constant(0, a.type))
    return (where(is_positive, gradient, -gradient),)


def _with_gradient(_: _Adjoint, node: Expression, gradient: Expression) -> _Gradients:
    pairs = (each for factor in node.arguments[2::2] for each in (gradient * factor, ZERO))
    return ZERO, *pairs


_RULES: dict[str, Callable[[_Adjoint, Expression, Expression], _Gradients]] = {
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
    "times": lambda adjoint, node, gradient: _times(adjoint, gradient, *node.arguments),
    "multiply": lambda _, node, gradient: (
        gradient * node.arguments[1],
        gradient * node.arguments[0],
    ),
    "to_real": lambda adjoint, node, gradient: (
        adjoint.convert_gradient(node.arguments[0], gradient),
    ),
    "with_gradient": _with_gradient,
}
"""Operation -> the gradients of its arguments, from that of its value.

Other operations have no gradient: comparisons, conditions, and what only surrogates contain.
"""


class _Adjoint:
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
                after = neuron.after[str(a.arguments[0].value)]
                self._uses.append(_Use(a, after, a.arguments[1]))
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

    def backward(self) -> Backward:
        own = [_carry(index) for index in range(len(self._uses))]
        carries = self._simplified(own)
        kept = _find_needed_carries(self._step_back(carries))
        slots = {own[index]: _carry(slot) for slot, index in enumerate(kept)}
        # ``_simplified`` may have replaced a carry by the negative of another one.
        slots |= {-carry: -slot for carry, slot in slots.items()}
        back = self._step_back([slots.get(carry, ZERO) for carry in carries])
        return replace(back, carries=tuple(back.carries[index] for index in kept))

    def _step_back(self, carried: list[Expression]) -> Backward:
        """``carried`` has each use's carry from the step after; the result, those for before."""
        adjoints: dict[Expression, Expression] = {}

        def add(a: Expression, gradient: Expression) -> None:
            if number(gradient) != 0:
                adjoints[a] = adjoints.get(a, ZERO) + gradient

        for use, carry in zip(self._uses, carried, strict=True):
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
                for argument, each in zip(node.arguments, gradients, strict=True):
                    add(argument, each)
        leaves = {(a.operation, a.value): each for a, each in adjoints.items() if not a.arguments}
        learnt = {name: leaves.get(("parameter", name), ZERO) for name in self._learnt}
        names = self._neuron.definition.inputs
        return Backward(
            inputs={name: leaves.get(("input", name), ZERO) for name in names},
            carries=tuple(adjoints.get(use.reads, ZERO) for use in self._uses),
            parameters={  # a decay has minus the gradient of its share
                name: -each if self._learnt[name] == "decay" else each
                for name, each in learnt.items()
            },
        )

    def _output_gradients(self) -> list[tuple[Expression, Expression]]:
        gradient = expression("output_gradient", type=REAL)
        spike, output = self._neuron.spike, self._neuron.output
        if spike is not None and output is not None:  # the payload, where the neuron fires
            payload = self.convert_to_real(output)
            return [(output, where(spike, gradient, ZERO)), (spike, gradient * payload)]
        return [(a, gradient) for a in (spike, output) if a is not None]

    def _simplified(self, own: list[Expression]) -> list[Expression]:
        """Returns what each carry is: 0, an earlier carry, its negative, or ``own``.

        All are 0 behind the last step. What is true of the carries that a step gets, and then of
        those that it hands back, is true in every step. All are assumed to be 0 at first; what
        does not stay true is given up. One more carry at least is distinguished each time.
        """
        assumed = [ZERO] * len(own)
        for _ in range(len(own) + 1):
            known = {ZERO: ZERO}
            found: list[Expression] = []
            for value, carry in zip(self._step_back(assumed).carries, own, strict=True):
                if value not in known:
                    known |= {-value: -carry, value: carry}  # x - x is both
                found.append(known[value])
            if found == assumed:
                return found
            assumed = found
        return own


def _find_needed_carries(back: Backward) -> list[int]:
    """Returns the indices of carries on which a gradient of an input or of a parameter depends."""
    waiting = [*back.inputs.values(), *back.parameters.values()]
    needed: set[int] = set()
    while waiting:
        for leaf in in_order([waiting.pop()]):
            if leaf.operation == "carry" and leaf.value not in needed:
                assert isinstance(leaf.value, int)
                needed.add(leaf.value)
                waiting.append(back.carries[leaf.value])
    return sorted(needed)


def _carry(index: int) -> Expression:
    return expression("carry", value=index, type=REAL)
