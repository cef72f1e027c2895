"""Trees of equations to expressions: types, numbers, operators and calls.

A mistake is noted where it is found, and the value becomes None. What is computed from None is
None, too. So each mistake of a text is reported, and none is reported twice.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import partial, reduce
from itertools import pairwise
from typing import ClassVar, cast

from netdesc.neurons.expressions import Expression, constant, make, number, scale
from netdesc.neurons.functions import ARGUMENTS, FUNCTIONS, signature
from netdesc.neurons.mistakes import Mistake, Place, closest
from netdesc.neurons.operations import BOOL, GRID, REAL, SHARE, STATE_LIMIT, STATE_UNIT, Type
from netdesc.neurons.parser import NO_IF, NO_POWER, QUADRATIC, EquationSource, parse

Operand = Expression | float | None
"""A number without a type yet; None after a mistake."""

MAX_NUMBER = STATE_LIMIT // STATE_UNIT
"""Numbers beside states are within ± this, in threshold units, so that they are on the grid."""

MAX_MISTAKES = 100
"""Reading stops after this number: the search for suggestions would take minutes."""

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
}

_REFUSED: dict[type[ast.AST], str] = {
    ast.Div: (
        "There is no division: write the quotient of numbers as a number, scaled(v, 0.1) for"
        " v / 10, and for v / tau a parameter that holds 1/tau."
    ),
    ast.Pow: NO_POWER,
    ast.Not: "There is no 'not': turn the comparison round.",
    ast.Eq: "There is no '==': write 'a >= b and a <= b'.",
    ast.NotEq: "There is no '!=': write 'a > b or a < b'.",
    ast.IfExp: NO_IF,
}

_NO_RANDOM = "There are no random numbers in equations: noise belongs to the samples."
_FOREIGN = {
    "exp": "There is no exp: write decay(v, 0.1), whose 0.1 is 1 - exp(-step/tau) as a number.",
    "pow": NO_POWER,
    **dict.fromkeys(["rand", "randn", "random", "normal", "noise", "xi"], _NO_RANDOM),
}
"""Names that other tools have, and what to say of them."""

MULTIPLIERS = (
    f"A state can be multiplied by a whole number up to {MAX_NUMBER}, as in 2 * v; by a number from"
    " -1 to 1, as in scaled(v, 0.5); and by a parameter of the kind 'decay' or 'factor', as in"
    " v * gain."
)

_NO_SQUARE = (
    "A state cannot be multiplied by a state: states are integers, and their product has no defined"
    " rounding. Parameters of the kinds 'grid' and 'threshold' count as states. "
)

_PRODUCT_HINTS = {
    frozenset({GRID, BOOL}): " Write where(condition, state, 0).",
    frozenset({GRID, REAL}): " Give the parameter the kind 'factor'.",
}

_OF_STATES = (ast.BinOp, ast.UnaryOp, ast.Call)
"""Parts of a text that are states if a part of them is a state."""


class Reader:
    """Reads the texts of one neuron.

    ``calls`` maps functions that need the whole neuron to what builds them.
    """

    source: EquationSource
    """The text that is read."""

    def __init__(self, unit_bits: int, calls: Mapping[str, Callable[[ast.Call], Operand]]) -> None:
        self.values: dict[str, Expression] = {}  # parameter, input or state -> its value now
        self.values_before: dict[str, Expression] = {}
        """Name that ``before`` takes -> its value in the step before."""
        self.mistakes: list[Mistake] = []
        self.places: dict[Expression, Place] = {}
        self._unit = 2**unit_bits
        self._calls = calls

    def parse(self, source: EquationSource) -> ast.expr | None:
        """Returns the tree of a text, whose parts are read from now on."""
        self.source = source
        return parse(source, self.mistakes)

    def read_text(self, source: EquationSource, type: Type) -> Expression | None:
        """Returns the value of a text, which must have a type."""
        tree = self.parse(source)
        return tree and self.read_as(tree, type)

    def fail(self, node: ast.expr, message: str, suggestion: str | None = None) -> None:
        """Notes a mistake at a part of the text."""
        self.mistakes.append(Mistake(self.source.place(node), message, suggestion))

    def read(self, node: ast.expr) -> Operand:
        """Returns the value of a part of the text."""
        if len(self.mistakes) >= MAX_MISTAKES:
            return None
        if (read := self._READ.get(type(node))) is None:
            return self.fail(node, _REFUSED.get(type(node), "This is not allowed in an equation."))
        value = read(self, node)
        if isinstance(value, Expression):
            self.places.setdefault(value, self.source.place(node))
        return value

    def read_as(self, node: ast.expr, type: Type) -> Expression | None:
        """Returns the value of a part of the text, which must have a type."""
        return self.of_type(node, self.read(node), type)

    def of_type(self, node: ast.expr, value: Operand, type: Type) -> Expression | None:
        """Returns ``value``, read of ``node``, with the type that it must have."""
        if value is None or (isinstance(value, Expression) and value.type is type):
            return value
        if isinstance(value, Expression) or type is BOOL:
            return self.fail(node, f"This must be {type.value}, and is {_a(value)}.")
        if type is REAL:
            return constant(value, REAL)
        unit = STATE_UNIT if type is SHARE else self._unit
        if abs(value * unit) > STATE_LIMIT:
            limit = STATE_LIMIT // unit
            return self.fail(node, f"This number is beyond the grid, which ends at ±{limit}.")
        if value and not round(value * unit):
            return self.fail(node, f"This number becomes 0 on the grid, whose unit is 1/{unit}.")
        if type is SHARE and abs(value) < 1 and abs(round(value * unit)) == unit:
            message = f"This number becomes {round(value)} on the grid, whose unit is 1/{unit}."
            return self.fail(node, message, f"{round(value)}")
        return constant(round(value * unit), type)

    def read_alike(self, *nodes: ast.expr) -> list[Expression] | None:
        """Returns values of one type: REAL if the first that is no number has it, else GRID."""
        values = [self.read(node) for node in nodes]
        if None in values:
            return None
        types = [each.type for each in values if isinstance(each, Expression)]
        type = REAL if types[:1] == [REAL] else GRID
        alike = [self.of_type(n, value, type) for n, value in zip(nodes, values, strict=True)]
        return complete(alike)

    def has_arguments(self, node: ast.Call, name: str) -> bool:
        """Returns whether a call has its number of arguments; notes a mistake if not."""
        is_plain = not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
        number, count = len(node.args), len(ARGUMENTS[name])
        if is_plain and number == count:
            return True
        wrong = f"it takes {count} values, not {number}" if is_plain else "arguments have no names"
        self.fail(node, f"Write {signature(name)}: {wrong}.")
        return False

    def _constant(self, node: ast.Constant) -> Operand:
        if type(node.value) not in (int, float):
            return self.fail(node, f"'{self.source.text_of(node)}' is not a number.")
        value = cast("int | float", node.value)
        if abs(value) > MAX_NUMBER:
            return self.fail(node, f"Numbers are within ±{MAX_NUMBER}, in threshold units.")
        return float(value)

    def _name(self, node: ast.Name, kind: str = "") -> Operand:
        """Returns the value of a name. If ``kind`` is not empty, it is that of a parameter."""
        name, known = node.id, self.values
        if name in known:
            return known[name]
        if name == "spike":
            message = (
                "'spike' is known after the step only. before(spike) is that of the step before."
            )
            return self.fail(node, message, "before(spike)")
        if name in ARGUMENTS:
            return self.fail(node, f"'{name}' is a function: write {signature(name)}.")
        way_out = f"A state needs an equation, '{name} = …', in step."
        meant = closest(name, known)
        if kind and meant is None:
            way_out = f'Write "parameters": {{"{name}": {{"kind": "{kind}", "value": 0.1}}}}.'
        names = ", ".join(known)
        message = f"'{name}' is neither a state nor a parameter nor an input: there are {names}. "
        return self.fail(node, _FOREIGN.get(name, message + way_out), meant)

    def _call(self, node: ast.Call) -> Operand:
        called = node.func
        if not isinstance(called, ast.Name):
            return self.fail(node, "Only functions are called. Write '*' for a product.")
        name = called.id
        if name not in ARGUMENTS:
            if name in self.values:
                return self.fail(called, f"'{name}' is not a function. Write '*' for a product.")
            message = f"There is no function '{name}'. There are {', '.join(sorted(ARGUMENTS))}."
            message, meant = _FOREIGN.get(name, message), closest(name, ARGUMENTS)
            return self.fail(called, message, meant)
        if not self.has_arguments(node, name):
            return None
        if name in self._calls:
            return self._calls[name](node)
        function = FUNCTIONS[name]
        arguments = list(zip(node.args, function.arguments.values(), strict=True))
        alike = [each for each, kind in arguments if kind is None]
        same = iter(self.read_alike(*alike) or [None] * len(alike))
        values = complete(
            [next(same) if kind is None else self._argument(n, kind) for n, kind in arguments]
        )
        if values is None:
            return None
        low, high = map(number, values[-2:]) if name == "clip" else (None, None)
        if low is not None and high is not None and low > high:
            return self.fail(node, "The low of clip(a, low, high) is above its high.")
        return function.build(*values)

    def _argument(self, node: ast.expr, kind: Type | tuple[float, float]) -> Expression | None:
        if isinstance(kind, Type):
            return self.read_as(node, kind)
        low, high = kind
        if isinstance(node, ast.Name) and node.id not in self.values:
            value = self._name(node, "decay" if low == 0 else "factor")
        else:
            value = self.read(node)
        is_share = isinstance(value, Expression) and value.type is SHARE
        if value is None or is_share or (isinstance(value, float) and low <= value <= high):
            return self.of_type(node, value, SHARE)
        kinds = "a parameter of the kind 'decay' or 'factor'"
        return self.fail(node, f"This must be a number from {low:g} to {high:g}, or {kinds}.")

    def _unary(self, node: ast.UnaryOp) -> Operand:
        if not isinstance(node.op, (ast.USub, ast.UAdd)):
            return self.fail(node, _REFUSED.get(type(node.op), "This operator is not allowed."))
        value = self.read(node.operand)
        if isinstance(value, Expression) and value.type not in (GRID, REAL):
            return self.fail(node, f"{_a(value).capitalize()} has no sign.")
        return value if value is None or isinstance(node.op, ast.UAdd) else -value

    def _boolean(self, node: ast.BoolOp) -> Operand:
        operation = "and" if isinstance(node.op, ast.And) else "or"
        values = complete([self.read_as(each, BOOL) for each in node.values])
        return None if values is None else reduce(partial(make, operation), values)

    def _compare(self, node: ast.Compare) -> Operand:
        if len(node.ops) > 1:
            message = "A comparison compares two values."
            return self.fail(node, message, " and ".join(self._neighbours(node)))
        if (operation := _COMPARISONS.get(type(node.ops[0]))) is None:
            message = _REFUSED.get(type(node.ops[0]), "This comparison is not allowed.")
            return self.fail(node, message)
        compared = self.read_alike(node.left, node.comparators[0])
        return None if compared is None else make(operation, *compared)

    def _neighbours(self, node: ast.Compare) -> Iterator[str]:
        """Returns the comparisons of neighbours in a chain, as a user writes them."""
        for a, b in pairwise([node.left, *node.comparators]):
            start, end = self.source.place(a).end_column, self.source.place(b).column
            sign = self.source.text[start:end].strip(" ()")
            yield f"{self.source.text_of(a)} {sign} {self.source.text_of(b)}"

    def _binary(self, node: ast.BinOp) -> Operand:
        if not isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
            message = _REFUSED.get(type(node.op), "This operator is not allowed.")
            return self.fail(node, message, self._quotient(node))
        states = [each for each in _factors(node) if self._is_state(each)]
        if len(states) > 1:
            return self._refuse_product(node, states)
        a, b = self.read(node.left), self.read(node.right)
        if a is None or b is None:
            return None
        compute = self._product if isinstance(node.op, ast.Mult) else self._sum
        return compute(node, a, b)

    def _is_state(self, node: ast.expr) -> bool:
        """Whether a part of the text, which is not read yet, can only be a state."""
        if isinstance(node, ast.Name):
            value = self.values.get(node.id)
            return value is not None and value.type is GRID
        parts = ast.iter_child_nodes(node) if isinstance(node, _OF_STATES) else ()
        return any(self._is_state(part) for part in parts if isinstance(part, ast.expr))

    def _refuse_product(self, node: ast.BinOp, states: list[ast.expr]) -> None:
        """Notes that states are multiplied, or what is wrong inside the factors."""
        if None not in [self.read(factor) for factor in _factors(node)]:
            texts = {self.source.text_of(state) for state in states}
            way_out = QUADRATIC if len(texts) < len(states) else MULTIPLIERS
            self.fail(node, f"{_NO_SQUARE}{way_out.strip()}")

    def _quotient(self, node: ast.BinOp) -> str | None:
        """Returns how to divide by a number, None if ``node`` does something else."""
        if not isinstance(node.op, ast.Div) or not isinstance(node.right, ast.Constant):
            return None
        a, b = self.read(node.left), self._constant(node.right)
        if not b or not isinstance(b, float):
            return None
        if isinstance(a, float):
            return f"{a / b:.6g}" if 1 / STATE_UNIT <= abs(a / b) <= MAX_NUMBER else None
        is_state = isinstance(a, Expression) and a.type is GRID
        return _as_factor(self.source.text_of(node.left), 1 / b) if is_state else None

    def _sum(self, node: ast.BinOp, a: Operand, b: Operand) -> Operand:
        combine = operator.add if isinstance(node.op, ast.Add) else operator.sub
        if isinstance(a, float) and isinstance(b, float):
            return combine(a, b)
        if a == 1.0 and combine is operator.sub and isinstance(b, Expression) and b.type is SHARE:
            return make("rest", b)
        types = {each.type for each in (a, b) if isinstance(each, Expression)}
        if len(types) > 1 or types & {SHARE, BOOL}:
            hint = " A decay or factor d may stand in '1 - d' only." if SHARE in types else ""
            return self.fail(node, f"{_both(a, b)} cannot be added or subtracted.{hint}")
        (type,) = types
        both = complete([self.of_type(node.left, a, type), self.of_type(node.right, b, type)])
        return None if both is None else combine(*both)

    def _product(self, node: ast.BinOp, a: Operand, b: Operand) -> Operand:
        if isinstance(a, float) and isinstance(b, float):
            return a * b
        number, other = (a, b) if isinstance(a, float) else (b, a)
        assert isinstance(other, Expression)
        if isinstance(number, float) and other.type is REAL:
            number = constant(number, REAL)
        hint = ""
        if isinstance(number, Expression):
            types = {number.type, other.type}
            if types == {REAL}:
                return number * other
            if types == {GRID, SHARE}:
                state, share = (number, other) if number.type is GRID else (other, number)
                return state * share
            hint = _PRODUCT_HINTS.get(frozenset(types), "")
        elif number is not None and other.type is GRID:
            if float(number).is_integer() and abs(number) <= MAX_NUMBER:
                return scale(other, int(number))
            state = self.source.text_of(node.right if number is a else node.left)
            return self.fail(node, MULTIPLIERS, _as_factor(state, number))
        return self.fail(node, f"{_both(a, b)} cannot be multiplied.{hint}")

    _READ: ClassVar[dict[type[ast.expr], Callable[..., Operand]]] = {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Call: _call,
        ast.UnaryOp: _unary,
        ast.BoolOp: _boolean,
        ast.Compare: _compare,
        ast.BinOp: _binary,
    }


def _factors(node: ast.expr) -> Iterator[ast.expr]:
    """Yields the factors of a product; yields what is no product as a whole."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield from _factors(node.left)
        yield from _factors(node.right)
    else:
        yield node


def complete(values: list[Expression | None]) -> list[Expression] | None:
    """Returns ``values`` if none of them is None."""
    return None if None in values else cast("list[Expression]", values)


def _a(value: Operand) -> str:
    return value.type.value if isinstance(value, Expression) else "a number"


def _as_factor(state: str, number: float) -> str | None:
    """Returns how to multiply a state by a number of a size that factors may have."""
    if number.is_integer() and 1 < abs(number) <= MAX_NUMBER:
        return f"{number:.0f} * {state}" if state.isidentifier() else f"{number:.0f} * ({state})"
    whole = next((each for each in (1, 2, 4) if abs(number) <= each), None)
    if whole is None or round(abs(number) / whole * STATE_UNIT) in (0, STATE_UNIT):
        return None  # on the grid, the factor is 0 or 1
    return f"{whole} * scaled({state}, {number / whole:.6g})".removeprefix("1 * ")


def _both(a: Operand, b: Operand) -> str:
    return f"{_a(a).capitalize()} and {_a(b)}"
