"""Expressions: what a neuron computes in a step, as a graph of operations.

Equal expressions are one object, so that a value that is used twice is computed once. An expression
does not know how an engine computes it: each engine has a printer, a table from operations to
source text.

Whatever makes an expression simplifies it. A simplification changes no bit of an integer. In real
numbers it may round differently, but no NaN and no infinity is lost or made: ``0 * x`` and
``x - x`` stay, because x may be infinite.

Types are asserted. Whoever reads equations checks types first, and reports mistakes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, Iterable
from typing import Any, Final

from netdesc.neurons.operations import BOOL, GRID, LEAVES, OPERATIONS, REAL, SHARE, STATE_UNIT, Type

PARAMETER_LIMIT = 1 << 27
"""Parameters of type GRID are clamped to ± this number, so that few sums with them saturate."""

Value = int | float | str | None


class Expression:
    """An operation, its arguments, and the type of its value.

    ``value`` is the name or number of a leaf, or the factor of ``scale``. States times shares, and
    real numbers times real numbers, are written as products.
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
        # Stored: a property would recurse, and equations may nest deeper than Python's stack.
        self.is_invariant = operation in ("constant", "parameter") or (
            bool(arguments)
            and operation != "unless_first"
            and all(each.is_invariant for each in arguments)
        )

    def __add__(self, other: Expression) -> Expression:
        return make("add", self, other)

    def __sub__(self, other: Expression) -> Expression:
        return make("subtract", self, other)

    def __neg__(self) -> Expression:
        return make("negate", self)

    def __abs__(self) -> Expression:
        return make("absolute", self)

    def __mul__(self, other: Expression) -> Expression:
        return make("multiply" if self.type is REAL else "times", self, other)

    def __truediv__(self, other: Expression) -> Expression:
        return make("divide", self, other)

    def __repr__(self) -> str:
        return self._to_text(levels=4)

    def _to_text(self, levels: int) -> str:
        """Returns the outer levels as text. All of them would be too long if much is shared."""
        inner = [each._to_text(levels - 1) if levels else "…" for each in self.arguments]
        if self.value is not None:
            inner.insert(0, str(self.value))
        return f"{self.operation}({', '.join(inner)})" if inner else self.operation


_interned: weakref.WeakValueDictionary[Any, Expression] = weakref.WeakValueDictionary()


def expression(
    operation: str, *arguments: Expression, value: Value = None, type: Type
) -> Expression:
    """Returns the expression of an operation as it is: the same object for the same arguments."""
    assert operation in (LEAVES if not arguments else OPERATIONS), operation
    key = operation, arguments, value, isinstance(value, float), type
    interned = _interned.get(key)
    if interned is None:
        interned = _interned[key] = Expression(operation, arguments, value, type)
    return interned


def constant(value: float, type: Type) -> Expression:
    """Returns a number: an int in state units (GRID) or parts of 4096 (SHARE), a float (REAL)."""
    assert type in (GRID, SHARE, REAL)
    return expression("constant", value=float(value) if type is REAL else int(value), type=type)


def number(a: Expression) -> float | None:
    """Returns the value of a constant, None of any other expression."""
    if a.operation != "constant":
        return None
    assert isinstance(a.value, (int, float))
    return a.value


def parameter(name: str, type: Type) -> Expression:
    return expression("parameter", value=name, type=type)


ZERO: Final = constant(0.0, REAL)
ONE: Final = constant(1.0, REAL)
GRID_ZERO: Final = constant(0, GRID)


def make(operation: str, *arguments: Expression) -> Expression:
    """Returns the expression of an operation with arguments, simplified."""
    _, signatures, fold = OPERATIONS[operation]
    types = "".join(each.type.name[0] for each in arguments)
    assert types in signatures, (operation, arguments)
    simplify = _SIMPLER.get(operation)
    simpler = None if simplify is None else simplify(*arguments)
    if simpler is not None:
        return simpler
    numbers = [number(each) for each in arguments]
    if fold is None or None in numbers or (operation == "divide" and numbers[1] == 0):
        return expression(operation, *arguments, type=signatures[types])
    return constant(fold(*numbers), signatures[types])


def _add(a: Expression, b: Expression) -> Expression | None:
    if number(a) == 0:
        return b
    if number(b) == 0:
        return a
    if b.operation == "negate":
        return a - b.arguments[0]
    return b - a.arguments[0] if a.operation == "negate" else None


def _subtract(a: Expression, b: Expression) -> Expression | None:
    if number(b) == 0:
        return a
    if number(a) == 0:
        return -b
    return a + b.arguments[0] if b.operation == "negate" else None


def _negate(a: Expression) -> Expression | None:
    if a.operation == "subtract":
        return a.arguments[1] - a.arguments[0]
    return a.arguments[0] if a.operation == "negate" else None


def _absolute(a: Expression) -> Expression | None:
    if a.operation in ("absolute", "fall"):
        return a
    return abs(a.arguments[0]) if a.operation == "negate" else None


def _multiply(a: Expression, b: Expression) -> Expression | None:
    for one, other in ((a, b), (b, a)):
        if number(one) == 1:
            return other
        if number(one) == -1:
            return -other
        if one.operation == "negate":
            return -(one.arguments[0] * other)
        if other.is_invariant and one.operation == "multiply" and not one.is_invariant:
            # (value · invariant) · invariant: the product of invariants is computed once a run.
            value, factor = one.arguments if one.arguments[1].is_invariant else one.arguments[::-1]
            if factor.is_invariant:
                return value * (factor * other)
    return None


def _divide(a: Expression, b: Expression) -> Expression | None:
    if number(b) == 1:
        return a
    return -(a.arguments[0] / b) if a.operation == "negate" else None


def _alike(a: Expression, b: Expression) -> Expression | None:
    return a if a is b else None


_Simpler = (
    Callable[[Expression], Expression | None]
    | Callable[[Expression, Expression], Expression | None]
)
_SIMPLER: dict[str, _Simpler] = {
    "add": _add,
    "subtract": _subtract,
    "negate": _negate,
    "absolute": _absolute,
    "times": lambda a, share: a if number(share) == STATE_UNIT or number(a) == 0 else None,
    "saturate": lambda a: a if a.operation == "saturate" else None,
    "rest": lambda share: share.arguments[0] if share.operation == "rest" else None,
    "multiply": _multiply,
    "divide": _divide,
    "and": _alike,
    "or": _alike,
    "unless_first": lambda a: a if number(a) == 0 else None,
}
"""Operation -> what is simpler than an expression of it, None if nothing is."""


def where(condition: Expression, a: Expression, b: Expression) -> Expression:
    return a if a is b else make("where", condition, a, b)


def to_real(a: Expression) -> Expression:
    return make("to_real", a)


def scale(a: Expression, factor: int) -> Expression:
    """Returns a state times a whole number."""
    assert a.type is GRID, a
    if factor in (1, -1):
        return a if factor == 1 else -a
    value = 0 if factor == 0 else number(a)
    if value is not None:
        return constant(value * factor, GRID)
    return expression("scale", a, value=factor, type=GRID)


def with_gradient(a: Expression, *pairs: Expression) -> Expression:
    """Returns ``a``, whose gradient goes to b times c, to d times e, ... of ``pairs`` b, c, d, e.

    Without pairs, no gradient passes.
    """
    assert len(pairs) % 2 == 0
    assert all(each.type is not BOOL for each in pairs[::2])
    assert all(each.type is REAL for each in pairs[1::2])
    return expression("with_gradient", a, *pairs, type=a.type)


def remake(a: Expression, *arguments: Expression) -> Expression:
    """Returns the operation of ``a`` with other arguments, simplified. A leaf stays."""
    if arguments == a.arguments:
        return a
    if a.operation == "scale":
        assert isinstance(a.value, int)
        return scale(arguments[0], a.value)
    if a.operation == "with_gradient":
        return with_gradient(*arguments)
    return make(a.operation, *arguments)


def in_order(
    roots: Iterable[Expression], with_gradients: bool = True, known: Container[Expression] = ()
) -> list[Expression]:
    """Returns all expressions below ``roots`` once each, arguments before what is made of them.

    The order depends on the roots alone, so that generated source is the same in each process.
    If ``with_gradients`` is False, what only the gradient of a ``with_gradient`` reads is left out.
    So is what is ``known``, and what only that reads.
    """
    order: dict[Expression, None] = {}
    waiting = [(root, False) for root in reversed(list(roots))]
    while waiting:
        each, has_arguments = waiting.pop()
        if each in order or each in known:
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


Change = Callable[[Expression, tuple[Expression, ...]], Expression]


def rewrite(roots: Iterable[Expression], change: Change) -> dict[Expression, Expression]:
    """Rewrites all expressions below ``roots``, arguments first.

    ``change`` takes an expression and its rewritten arguments, and returns what replaces it.
    Returns what each expression became.
    """
    changed: dict[Expression, Expression] = {}
    for each in in_order(roots):
        changed[each] = change(each, tuple(changed[argument] for argument in each.arguments))
    return changed
