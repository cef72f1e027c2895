"""Checks of who reads what: names that nothing reads, and what a norm may depend on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from netdesc.neurons.definition import Definition, split_equation
from netdesc.neurons.mistakes import Mistake, Place
from netdesc.neurons.names import declared
from netdesc.neurons.parser import Equation

_NAME = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]*")


def names_in(*expressions: str) -> set[str]:
    """Returns the names in texts: of what they read, also within ``before``, and of functions."""
    return {name for each in expressions for name in _NAME.findall(each)}


def names_read_by(definition: Definition) -> set[str]:
    """Returns the names in all expressions of a definition."""
    equations = [split_equation(each)[1] for each in (*definition.step, *definition.reset)]
    return names_in(*equations, definition.spike or "", definition.output or "")


def names_behind(names: Iterable[str], equations: Iterable[str]) -> set[str]:
    """Returns ``names`` and what they are computed from, by the texts of ``equations``."""
    read_by: dict[str, set[str]] = {}
    for state, expression in map(split_equation, equations):
        read_by.setdefault(state, set()).update(names_in(expression))
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += read_by.get(name, ())
    return found


def unread_mistakes(definition: Definition, equations: Sequence[Equation]) -> Iterator[Mistake]:
    """Yields mistakes of states, parameters and inputs that nothing reads.

    A state must be read by spike or output, or by a state that is.
    """
    results = names_in(definition.spike or "", definition.output or "")
    live = names_behind(results, (each.source.text for each in equations))
    first_places = {each.state: each.state_place for each in reversed(equations)}
    for state in first_places.keys() - live:
        message = f"Nothing reads the state '{state}': spike and output do not need it."
        yield Mistake(first_places[state], message)
    read = live | names_in(*(each.source.expression for each in equations))
    for name, place in declared(definition):
        if name not in read:
            yield Mistake(place, f"Nothing reads the {place.part[:-1]} '{name}'.")


def norm_mistakes(
    argument: str, place: Place, step: Sequence[Equation], reset: Sequence[Equation]
) -> Iterator[Mistake]:
    """Yields a mistake if the argument of a norm, at ``place``, needs what is known only behind it.

    A norm sees all steps before the neuron goes on, so that its argument may depend on inputs and
    on states alone whose equations stand before it.
    """
    first = [each.source.text for each in step if each.source.index < place.index]
    late = {each.state for each in step if each.source.index >= place.index}
    late |= {each.state for each in reset} | {"spike"}
    if found := names_behind(names_in(argument), first) & late:
        message = (
            f"The norm sees all steps before '{min(found)}' is known, and cannot depend on it."
        )
        yield Mistake(place, message)
