"""Operations: what a neuron can compute in a step, their types, and their values for numbers."""

import math
import operator
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple


class Type(Enum):
    """The type of an expression's value."""

    GRID = "a state"
    """An integer state, 32 bits. Its unit is ``2^-unit_bits`` of a threshold unit."""
    SHARE = "a decay or factor"
    """An integer multiplier in units of 1/4096."""
    REAL = "a real number"
    """A float32; states that leave the grid are in threshold units."""
    BOOL = "a condition"
    """A condition, such as a spike."""


GRID, SHARE, REAL, BOOL = Type.GRID, Type.SHARE, Type.REAL, Type.BOOL

STATE_UNIT = 4096
"""Number of state units in a threshold unit, if ``unit_bits`` is 12, and of parts in a share."""

STATE_LIMIT = 1 << 29
"""States saturate at ± this number, and so does what an input brings."""

MAX_FALL = 60.0
"""``fall`` treats larger arguments as this one, so that float32 keeps its result normal."""

LEAVES = {
    "constant": "the number ``value``",
    "parameter": "the neuron's parameter named ``value``, on the grid",
    "state": "the state named ``value`` at the end of the step before; 0 before the first step",
    "fired_before": "whether the neuron fired in the step before",
    "input": "the input named ``value``",
    # The others occur in the adjoint only.
    "output_gradient": "gradient of the output of this step",
    "carry": "number ``value`` of the gradients from the adjoint of the step after; 0 at first",
    "stored": "slot ``value`` of what the forward pass stored in this step",
    "stored_before": "slot ``value`` of what the forward pass stored in the step before",
}
"""Operation -> what an expression without arguments stands for."""


class Operation(NamedTuple):
    """An operation on arguments a, b, c, ..."""

    meaning: str
    signatures: dict[str, Type]
    """The types that the arguments may have together, by their initials -> that of the value."""
    fold: Callable[..., float] | None
    """The value for numbers, if the operation on constants is a constant."""


_Fold = Callable[[float], float] | Callable[[float, float], float]


def _operation(meaning: str, signatures: str, fold: _Fold | None = None) -> Operation:
    """``signatures`` are such as "GG>B RR>B": of two states, or two real numbers, a condition."""
    initials = {each.name[0]: each for each in Type}
    pairs = (each.split(">") for each in signatures.split())
    return Operation(meaning, {types: initials[result] for types, result in pairs}, fold)


OPERATIONS = {
    "add": _operation("a + b", "GG>G RR>R", operator.add),
    "subtract": _operation("a - b", "GG>G RR>R", operator.sub),
    "negate": _operation("-a", "G>G R>R", operator.neg),
    "absolute": _operation("|a|", "G>G R>R", abs),
    "minimum": _operation("the smaller; b in a tie", "GG>G RR>R", min),
    "maximum": _operation("the larger; b in a tie", "GG>G RR>R", max),
    "where": _operation("b if the condition a holds, else c", "BGG>G BRR>R"),
    "times": _operation(
        "state a times share b, divided by 4096, rounded toward zero",
        "GS>G",
        lambda a, share: math.trunc(a * share / STATE_UNIT),  # exact: it has 53 bits
    ),
    "scale": _operation("state a times the whole number ``value``", "G>G"),
    "saturate": _operation(
        "state a, clamped to ± STATE_LIMIT", "G>G", lambda a: max(-STATE_LIMIT, min(STATE_LIMIT, a))
    ),
    "rest": _operation("4096 - a, the other part", "S>S", lambda share: STATE_UNIT - share),
    "multiply": _operation("a * b", "RR>R", operator.mul),
    "divide": _operation("a / b", "RR>R", float.__truediv__),
    "fall": _operation(
        "exp(-a) of a >= 0; beyond 60, exp(-60)", "R>R", lambda a: math.exp(-min(a, MAX_FALL))
    ),
    "to_real": _operation("a / 4096, as a real number", "G>R S>R", lambda a: a / STATE_UNIT),
    "greater": _operation("a > b", "GG>B RR>B"),
    "greater_equal": _operation("a >= b", "GG>B RR>B"),
    "less": _operation("a < b", "GG>B RR>B"),
    "less_equal": _operation("a <= b", "GG>B RR>B"),
    "and": _operation("both hold", "BB>B"),
    "or": _operation("at least one holds", "BB>B"),
    "with_gradient": _operation("a; its gradient, times c, goes to b, times e to d, ...", ""),
    "unless_first": _operation("a; 0 in the first step", "G>G S>S R>R B>B"),
}
