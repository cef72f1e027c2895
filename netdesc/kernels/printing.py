"""What the printers of engines and the integer run share: values of a step, and lines of source.

Source text computes values alone: of ``with_gradient``, whose gradients are a program's step back,
it computes the first argument.
"""

from collections.abc import Callable, Container, Iterable, Mapping

from netdesc.neurons.expressions import Expression, in_order
from netdesc.neurons.operations import STATE_UNIT

TEXTS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "saturate": "saturate({})",
    "rest": f"{STATE_UNIT} - {{}}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "fall": "fall({})",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "and": "{} & {}",
    "or": "{} | {}",
}
"""Operation -> its text, whose arguments are names."""


def value_of(a: Expression) -> Expression:
    """Returns the expression that computes the value of ``a``."""
    while a.operation == "with_gradient":
        a = a.arguments[0]
    return a


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
            read |= dict.fromkeys(map(value_of, a.arguments))
    return [a for a in read if a.is_invariant]


def write_tuple(items: Iterable[str]) -> str:
    """Returns the text of a tuple of ``items``, which are texts."""
    items = list(items)
    return f"({', '.join(items)}{',' * (len(items) == 1)})"


def write_function(decorator: str, name: str, arguments: str, lines: Iterable[str]) -> str:
    """Returns the source of a function."""
    body = "".join(f"    {line}\n" for line in lines)
    return f"\n\n@{decorator}\ndef {name}({arguments}):\n{body}"


Leaf = Callable[[Expression], str]
"""Names the value of a leaf."""


class Lines:
    """Lines of a function, each of which computes a value."""

    def __init__(
        self, known: Mapping[Expression, str], texts: Mapping[str, str], leaves: Mapping[str, Leaf]
    ) -> None:
        """``known`` are names of values, ``texts`` and ``leaves`` are keyed by operation."""
        self._names, self._texts, self._leaves = dict(known), texts, leaves
        self.lines: list[str] = []

    def compute(self, roots: Iterable[Expression]) -> list[str]:
        """Adds lines that compute ``roots`` from known values; returns the names of ``roots``."""
        roots = list(roots)
        for each in values_in_order(roots, self._names):
            write = self._write if each.arguments else self._leaves[each.operation]
            self._names[each] = write(each)
        return [self._names[value_of(root)] for root in roots]

    def _write(self, each: Expression) -> str:
        arguments = [self._names[value_of(argument)] for argument in each.arguments]
        text = self._texts[each.operation].format(*arguments, value=each.value)
        return text if text in arguments else self.add(text)

    def add(self, text: str) -> str:
        """Adds a line that computes ``text``, and returns the name of its value."""
        name = f"e{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name
