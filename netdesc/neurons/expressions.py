"""Expressions: what a neuron computes in a step, as a graph of operations.

Equal expressions are one object, so that a value that is used twice is computed once. Every
expression has a type:

- ``GRID``: an integer state, 32 bits, in units of 1/4096 of a threshold unit
- ``SHARE``: an integer multiplier in units of 1/4096 (a decay or a factor)
- ``REAL``: a float32; states that leave the grid are in threshold units
- ``BOOL``: a condition, such as a spike

An expression does not know how an engine computes it: each engine has a printer, a table from
operations to source text.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from enum import Enum
from typing import Any


class Type(Enum):
    """The type of an expression's value."""

    GRID = "a state"
    SHARE = "a decay or factor"
    REAL = "a real number"
    BOOL = "a condition"


GRID, SHARE, REAL, BOOL = Type.GRID, Type.SHARE, Type.REAL, Type.BOOL

STATE_UNIT = 4096
"""Number of state units in a threshold unit, and of parts in a share."""

STATE_LIMIT = 1 << 29
"""States saturate at ± this number, and so does what an input brings."""

PARAMETER_LIMIT = 1 << 27
"""Parameters of type GRID are clamped to ± this number, so that few sums with them saturate."""

LEAVES = {
    "constant": "the number ``value``",
    "parameter": "the neuron's parameter named ``value``, on the grid",
    "state": "the state named ``value`` at the end of the step before; 0 before the first step",
    "fired_before": "whether the neuron fired in the step before",
    "input": "the input named ``value``",
    # The others occur in the backward pass only.
    "output_gradient": "gradient of the output of this step",
    "carry": "number ``value`` of the gradients that the step after handed back; 0 at first",
    "stored": "slot ``value`` of what the forward pass stored in this step",
    "stored_before": "slot ``value`` of what the forward pass stored in the step before",
}
"""Operation -> what an expression without arguments stands for."""

OPERATIONS = {
    # on GRID or REAL
    "add": "a + b",
    "subtract": "a - b",
    "negate": "-a",
    "absolute": "|a|",
    "minimum": "the smaller; b in a tie",
    "maximum": "the larger; b in a tie",
    "where": "b if the condition a holds, else c",
    # on GRID
    "times": "state a times share b, divided by 4096, rounded toward zero",
    "scale": "state a times the whole number ``value``",
    "saturate": "state a, clamped to ± STATE_LIMIT",
    # on SHARE
    "rest": "4096 - a, the share that a decay loses",
    # on REAL
    "multiply": "a * b",
    "divide": "a / b",
    "fall": "exp(-a) of a >= 0; beyond 60, exp(-60)",
    # from GRID or SHARE to REAL
    "to_real": "a / 4096, as a real number",
    # to BOOL
    "greater": "a > b",
    "greater_equal": "a >= b",
    "less": "a < b",
    "less_equal": "a <= b",
    "and": "both hold",
    "or": "at least one holds",
    # gradients
    "with_gradient": "a; its gradient, times c, goes to b, times e to d, and so on",
    "unless_first": "a; 0 in the first step",
}
"""Operation -> the value of an expression with arguments a, b, c, ..."""

COMPARISONS = ("greater", "greater_equal", "less", "less_equal")

Value = int | float | str | None


class Expression:
    """An operation, its arguments, and the type of its value. Create it with ``expression``.

    ``value`` is the name or number of a leaf, or the factor of ``scale``.
    """

    __slots__ = ("__weakref__", "arguments", "is_invariant", "operation", "type", "value")

    is_invariant: bool
    """Whether the value is the same in all steps: it depends on parameters and constants alone."""

    def __init__(
        self, operation: str, arguments: tuple[Expression, ...], value: Value, type: Type
    ) -> None:
        self.operation = operation
        self.arguments = arguments
        self.value = value
        self.type = type
        # Asked for often, and equations may nest deeper than Python's stack allows.
        self.is_invariant = operation in ("constant", "parameter") or (
            bool(arguments)
            and operation != "unless_first"
            and all(each.is_invariant for each in arguments)
        )

    def __repr__(self) -> str:
        return self._shown(levels=4)

    def _shown(self, levels: int) -> str:
        """Returns the outer levels as text. All of them would be too long if much is shared."""
        inner = [each._shown(levels - 1) if levels else "…" for each in self.arguments]
        if self.value is not None:
            inner.insert(0, str(self.value))
        return f"{self.operation}({', '.join(inner)})" if inner else self.operation


_known: weakref.WeakValueDictionary[Any, Expression] = weakref.WeakValueDictionary()


def expression(
    operation: str, *arguments: Expression, value: Value = None, type: Type
) -> Expression:
    """Returns the expression of an operation, without simplification.

    The same arguments return the same object.
    """
    assert operation in (LEAVES if not arguments else OPERATIONS), operation
    key = operation, arguments, value, isinstance(value, float), type
    found = _known.get(key)
    if found is None:
        found = _known[key] = Expression(operation, arguments, value, type)
    return found


def in_order(roots: Iterable[Expression], with_gradients: bool = True) -> list[Expression]:
    """Returns all expressions below ``roots`` once each, arguments before what is made of them.

    The order depends on the roots alone, so that generated source is the same in each process.
    Without gradients, what only a ``with_gradient`` names as the gradient's way is left out.
    """
    order: dict[Expression, None] = {}
    waiting = [(root, False) for root in reversed(list(roots))]
    while waiting:
        each, has_arguments = waiting.pop()
        if each in order:
            continue
        if has_arguments or not each.arguments:
            order[each] = None
            continue
        waiting.append((each, True))
        arguments = each.arguments
        if each.operation == "with_gradient" and not with_gradients:
            arguments = arguments[:1]
        waiting += [(argument, False) for argument in reversed(arguments)]
    return list(order)
