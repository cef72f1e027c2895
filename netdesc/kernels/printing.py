"""What the printers of the CPU and the CUDA engine share: which values a step computes, and when.

Source text computes values alone: of ``with_gradient``, whose gradients are a program's step back,
it computes the first argument.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from netdesc.neurons.expressions import Expression, in_order


def value_of(a: Expression) -> Expression:
    """Returns the expression that computes the value of ``a``."""
    while a.operation == "with_gradient":
        a = a.arguments[0]
    return a


def argument_values(a: Expression) -> tuple[Expression, ...]:
    """Returns the expressions that compute the arguments of ``a``."""
    return tuple(map(value_of, a.arguments))


def values_in_order(
    roots: Iterable[Expression], known: Container[Expression] = ()
) -> list[Expression]:
    """Returns what computes ``roots``, arguments first, without what computes ``known`` alone."""
    order = in_order(roots, with_gradients=False, known=known)
    return [a for a in order if a.operation != "with_gradient"]


def invariants_read(roots: Iterable[Expression]) -> list[Expression]:
    """Returns the values that are the same in all steps, and that a step reads or returns."""
    roots = list(roots)
    read = dict.fromkeys(map(value_of, roots))
    for a in values_in_order(roots):
        if not a.is_invariant:
            read |= dict.fromkeys(argument_values(a))
    return [a for a in read if a.is_invariant]


def write_tuple(items: Iterable[str]) -> str:
    """Returns the text of a tuple of ``items``, which are texts."""
    items = list(items)
    return f"({', '.join(items)}{',' * (len(items) == 1)})"
