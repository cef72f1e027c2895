"""Checks of the names of parameters, inputs and states, and of the number of states."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Iterator

from netdesc.neurons.definition import Definition
from netdesc.neurons.functions import ARGUMENTS
from netdesc.neurons.mistakes import Mistake, Place
from netdesc.neurons.parser import Equation

MAX_STATES = 32


def missing_mistakes(definition: Definition) -> Iterator[Mistake]:
    """Yields mistakes of parts that a neuron cannot do without."""
    if definition.spike is None and definition.output is None:
        message = "A neuron needs spike, such as 'v > 1', or output."
        yield Mistake(Place("spike", 0, 0, 0), message)
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
