"""Evaluates expressions with Python's unbounded integers and float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from netdesc.neurons.expressions import STATE_LIMIT, STATE_UNIT, Expression, in_order

OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "negate": lambda a: -a,
    "absolute": abs,
    "minimum": lambda a, b: a if a < b else b,
    "maximum": lambda a, b: a if a > b else b,
    "where": lambda condition, a, b: a if condition else b,
    "times": lambda a, share: int(math.copysign(abs(a * share) // STATE_UNIT, a * share)),
    "saturate": lambda a: max(-STATE_LIMIT, min(STATE_LIMIT, a)),
    "rest": lambda share: STATE_UNIT - share,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "fall": lambda a: math.exp(-min(a, 60.0)),
    "to_real": lambda a: a / STATE_UNIT,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "with_gradient": lambda a, *pairs: a,
}


def evaluate(roots: Iterable[Expression], leaf: Callable[[Expression], Any]) -> list[Any]:
    """Returns the values of expressions. ``leaf`` returns those of leaves other than constants."""
    roots = list(roots)
    values: dict[Expression, Any] = {}
    for each in in_order(roots):
        if each.operation == "constant":
            values[each] = each.value
        elif not each.arguments:
            values[each] = leaf(each)
        elif each.operation == "scale":
            values[each] = values[each.arguments[0]] * each.value
        else:
            arguments = (values[argument] for argument in each.arguments)
            values[each] = OPERATIONS[each.operation](*arguments)
    return [values[each] for each in roots]
