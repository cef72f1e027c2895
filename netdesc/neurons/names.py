"""Checks of the names of parameters, inputs and states: what they may be, and what reads them."""

import keyword
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from netdesc.neurons.definition import Definition, split_equation
from netdesc.neurons.functions import ARGUMENTS
from netdesc.neurons.mistakes import Mistake, Place
from netdesc.neurons.parser import Equation

MAX_STATES = 32


def missing_mistakes(definition: Definition) -> Iterator[Mistake]:
    """Yields mistakes of parts that a neuron cannot do without."""
    if definition.spike is None and definition.output is None:
        yield Mistake(Place("spike", 0, 0, 0), "A neuron needs spike, such as 'v > 1', or output.")
    if definition.spike is None and definition.reset:
        yield Mistake(Place("reset", 0, 0, 0), "A reset needs spike, such as 'v > 1'.")


def declared(definition: Definition) -> Iterator[tuple[str, Place]]:
    """Yields the names of inputs and parameters, and their places."""
    for index, name in enumerate(definition.inputs):
        yield name, Place("inputs", index, 0, len(name))
    for index, (name, _) in enumerate(definition.parameters):
        yield name, Place("parameters", index, 0, len(name))


def declared_mistakes(definition: Definition, added: Collection[str]) -> Iterator[Mistake]:
    """Yields mistakes in names of parameters and inputs. ``added`` are netdesc's parameters."""
    known: set[str] = set()
    for name, place in declared(definition):
        if name in known:
            yield Mistake(place, f"There is an input or a parameter '{name}' already.")
        elif place.part == "parameters" and name in added:
            message = f"'{name}' is the name of the neuron's bias or of its surrogate gradient."
            yield Mistake(place, message, f"{name}_")
        elif (use := reserved_use(name)) is not None:
            yield Mistake(place, f"'{name}' is {use}, and cannot be a name.", f"{name}_")
        known.add(name)


def state_mistakes(definition: Definition, equations: Collection[Equation]) -> Iterator[Mistake]:
    """Yields mistakes in the names of states, and in their number."""
    places = dict(declared(definition))
    resets: set[str] = set()
    states: set[str] = set()
    for each in equations:
        name = each.state
        if name in places:
            message = f"'{name}' is one of the {places[name].part}, and cannot be assigned."
            yield Mistake(each.state_place, message)
            continue
        if (use := reserved_use(name)) is not None:
            message = f"'{name}' is {use}, and cannot be a state."
            yield Mistake(each.state_place, message, f"{name}_")
        if each.source.part == "reset":
            if name in resets:
                yield Mistake(each.state_place, f"'{name}' has two equations in reset.")
            resets.add(name)
        if name not in states and len(states) == MAX_STATES:
            message = f"'{name}' is one state too many; at most {MAX_STATES} are allowed."
            yield Mistake(each.state_place, message)
            return
        states.add(name)


def reserved_use(name: str) -> str | None:
    """Returns what a name means that cannot be chosen; None for others."""
    if keyword.iskeyword(name):
        return "a word of Python"
    if name in ARGUMENTS:
        return "a function"
    return "what the neuron does" if name == "spike" else None


_NAME = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]*")


def names_in(*expressions: str) -> set[str]:
    """Returns the names in texts: of what they read, also within ``before``, and of functions."""
    return {name for each in expressions for name in _NAME.findall(each)}


def names_read_by(definition: Definition) -> set[str]:
    """Returns the names in all expressions of a definition."""
    equations = [split_equation(each)[1] for each in (*definition.step, *definition.reset)]
    return names_in(*equations, definition.spike or "", definition.output or "")


def names_needed_by(names: Iterable[str], equations: Iterable[str]) -> set[str]:
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
    live = names_needed_by(results, (each.source.text for each in equations))
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
    """Yields a mistake if the argument of a norm, at ``place``, needs what is known only after it.

    A norm sees all steps before the neuron goes on, so that its argument may depend on inputs and
    on states alone whose equations stand before it.
    """
    first = [each.source.text for each in step if each.source.index < place.index]
    late = {each.state for each in step if each.source.index >= place.index}
    late |= {each.state for each in reset} | {"spike"}
    if found := names_needed_by(names_in(argument), first) & late:
        message = f"The norm sees all steps before '{min(found)}' is known"
        yield Mistake(place, f"{message}, and cannot depend on it.")
