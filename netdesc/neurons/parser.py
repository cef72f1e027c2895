"""Texts of equations to trees of ``ast``, within bounds. Nothing is ever executed."""

import ast
import re
import unicodedata
from dataclasses import dataclass
from typing import Self

from netdesc.neurons.mistakes import Mistake, Part, Place

MAX_DEPTH = 40

_FOREIGN = re.compile(r"&&|\|\||[^A-Za-z0-9_ .,()<>=!+*/-]")
_MEANT = {
    "−": "-", "–": "-", "·": "*", "×": "*", "≥": ">=", "≤": "<=", "≠": "!=", "\xa0": " ",
    "&": "and", "&&": "and", "|": "or", "||": "or", "λ": "lambda_", "Λ": "lambda_",
}  # fmt: skip
QUADRATIC = (
    " Quadratic neurons, such as QIF and Izhikevich's of 2003, cannot be written as equations. The"
    " nearest built-in neuron is 'alif', whose threshold adapts."
)
NO_POWER = (
    "There is no power: states are integers, and the product of two states has no defined rounding."
    f"{QUADRATIC}"
)
NO_IF = "There is no 'if' and no '?': write where(condition, a, b), in spike 'v > 1' alone."
_EXAMPLE = "such as 'v = decay(v, 0.1) + x'"
_NOTATIONS = (
    (
        r"^ *[A-Za-z_]\w* *'|\bd\w+ */ *dt\b",
        f"There are no derivatives: an equation gives a state after a step, {_EXAMPLE}.",
    ),
    ("[\\^²³]", NO_POWER),
    (r"^ *if\b|\?", NO_IF),
    (r"[A-Za-z_]\w*\[", "A name means the value now, and before(v) that of the step before."),
)
"""Notations of other tools, and what to say of them."""
_GREEK = re.compile(r"GREEK (?:SMALL|CAPITAL) LETTER (\w+)")
_NUMBER_LIKE = re.compile(r"(?<![A-Za-z0-9_.])[.0-9](?:[eE][+-]|[A-Za-z0-9_.])*")
_NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ASSIGNMENT = re.compile(r"(?<![<>=!])=(?!=)")
_AUGMENTED_ASSIGNMENT = re.compile(r" *([A-Za-z_]\w*) *([-+])= *([\w.]+|\w+\([^()]*\)) *")
STATE_AT_BEGINNING = re.compile(r" *(?:if +|d(?=\w+ */ *dt\b))?([A-Za-z_][A-Za-z0-9_]*)")
"""Finds the state of an equation, and the one that an equation with mistakes may mean."""
_EQUATION = re.compile(r" *(?P<state>[A-Za-z_][A-Za-z0-9_]*) *=(?!=)")


@dataclass(frozen=True, slots=True)
class EquationSource:
    """A text of a definition and its place. The expression in it begins at column ``start``."""

    part: Part
    index: int
    text: str
    start: int

    @classmethod
    def of(cls, part: Part, index: int, text: str, column: int = 0) -> Self:
        """Returns the source of the expression that begins at ``column``, or after blanks."""
        return cls(part, index, text, len(text) - len(text[column:].lstrip(" ")))

    def span(self, column: int, end_column: int) -> Place:
        return Place(self.part, self.index, column, end_column)

    @property
    def expression(self) -> str:
        return self.text[self.start :]

    @property
    def expression_place(self) -> Place:
        return self.span(self.start, max(self.start, len(self.text.rstrip())))

    def place(self, node: ast.expr) -> Place:
        """Returns the place of a part of the tree that ``parse`` returned."""
        end = node.end_col_offset
        assert end is not None
        return self.span(self.start + node.col_offset, self.start + end)

    def text_of(self, node: ast.expr) -> str:
        """Returns the text of a part of the tree that ``parse`` returned."""
        place = self.place(node)
        return self.text[place.column : place.end_column]


@dataclass(frozen=True, slots=True)
class Equation:
    """``state = expression``. ``source`` is that of the expression."""

    state: str
    state_place: Place
    source: EquationSource


def parse_equation(part: Part, index: int, text: str, mistakes: list[Mistake]) -> Equation | None:
    """Returns an equation. Returns None and adds a mistake if it assigns no state."""
    found = _EQUATION.match(text)
    source = EquationSource.of(part, index, text, found.end() if found else 0)
    if found is not None:
        return Equation(found["state"], source.span(*found.span("state")), source)
    form = f"An equation has the form 'state = expression', {_EXAMPLE}."
    suggestion = None
    if change := _AUGMENTED_ASSIGNMENT.fullmatch(text):
        state, sign, by = change.groups()
        suggestion = f"{state} = {state} {sign} {by}"
    mistakes.append(_text_mistake(source) or Mistake(source.expression_place, form, suggestion))
    return None


def parse(source: EquationSource, mistakes: list[Mistake]) -> ast.expr | None:
    """Returns the tree of the expression in ``source``. Returns None and adds a mistake without.

    Trees are at most ``MAX_DEPTH`` deep. Columns of their nodes count from ``source.start``.
    """
    found = _text_mistake(source) or _tree(source)
    if isinstance(found, Mistake):
        mistakes.append(found)
        return None
    return found


def _tree(source: EquationSource) -> ast.expr | Mistake:
    if not source.expression:
        return Mistake(source.expression_place, "An expression is missing here.")
    try:
        tree = ast.parse(source.expression, mode="eval").body
        if _depth(tree) <= MAX_DEPTH:
            return tree
    except SyntaxError as error:
        if sign := _ASSIGNMENT.search(source.text, source.start):
            return Mistake(source.span(*sign.span()), "'=' is not allowed: write '>' or '>='.")
        return Mistake(_syntax_place(source, error), f"This is not an expression: {error.msg}.")
    except (RecursionError, MemoryError):
        pass  # deeper than Python reads
    deep = f"The expression nests deeper than {MAX_DEPTH} operations."
    return Mistake(source.expression_place, f"{deep} Name a part of it: give it a state.")


def _depth(node: ast.AST) -> int:
    inner = (_depth(each) for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr))
    return 1 + max(inner, default=0)


def _syntax_place(source: EquationSource, error: SyntaxError) -> Place:
    """Returns where Python finds an error; it counts from 1, and says 0 for the end of the text."""
    start, end = source.start, source.expression_place.end_column
    if not error.offset:
        return source.span(end, end)
    column = min(start + error.offset - 1, end)
    return source.span(column, min(max(column + 1, start + (error.end_offset or 0) - 1), end))


def _text_mistake(source: EquationSource) -> Mistake | None:
    for notation, message in _NOTATIONS:
        if found := re.search(notation, source.text):
            return Mistake(source.span(*found.span()), message)
    if foreign := _FOREIGN.search(source.text):
        message = f"{foreign.group()!r} is not allowed in an equation."
        letter = _GREEK.fullmatch(unicodedata.name(foreign.group()[0], ""))
        meant = _MEANT.get(foreign.group(), letter[1].lower() if letter else None)
        return Mistake(source.span(*foreign.span()), message, meant)
    for each in _NUMBER_LIKE.finditer(source.text):
        if _NUMBER.fullmatch(each.group()) is None:
            message = f"'{each.group()}' is neither a number nor a name."
            return Mistake(source.span(*each.span()), message)
    return None
