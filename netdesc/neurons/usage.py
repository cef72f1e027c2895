"""Checks of who reads what: names that nothing reads, and what a norm may depend on."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence

from netdesc.neurons.definition import Definition
from netdesc.neurons.mistakes import Mistake, Place
from netdesc.neurons.neuron import Norm
from netdesc.neurons.parser import Equation


def names_in(tree: ast.expr) -> set[str]:
    """Returns the names that an expression reads, also those within ``before``."""
    called = {id(each.func) for each in ast.walk(tree) if isinstance(each, ast.Call)}
    names = (each for each in ast.walk(tree) if isinstance(each, ast.Name))
    return {each.id for each in names if id(each) not in called}


def unread_mistakes(
    definition: Definition,
    equations: Sequence[Equation],
    results: Iterable[ast.expr],
    explained: Collection[str],
) -> Iterator[Mistake]:
    """Yields mistakes of states, parameters and inputs that nothing reads.

    A state must be read by spike or output (``results``), or by a state that is. ``explained`` are
    names that stand misspelt somewhere.
    """
    live = {name for tree in results for name in names_in(tree)}
    size = -1
    while size != len(live):
        size = len(live)
        for each in equations:
            if each.state in live:
                live |= names_in(each.tree)
    parameters = [name for name, _ in definition.parameters]
    reported = {*explained, *parameters, *definition.inputs}
    for each in equations:
        if each.state not in live and each.state not in reported:
            message = f"Nothing reads the state '{each.state}': spike and output do not need it."
            yield Mistake(each.state_place, message)
            reported.add(each.state)
    read = live.union(*(names_in(each.tree) for each in equations), explained)
    for index, name in enumerate(parameters):
        if name not in read:
            place = Place("parameters", index, 0, len(name))
            yield Mistake(place, f"Nothing reads the parameter '{name}'.")
    for index, name in enumerate(definition.inputs):
        if name not in read:
            place = Place("inputs", index, 0, len(name))
            yield Mistake(place, f"Nothing reads the input '{name}'.")


def norm_mistakes(
    norm: Norm, argument: ast.expr, step: Sequence[Equation], reset: Sequence[Equation]
) -> Iterator[Mistake]:
    """Yields a mistake if the argument of ``norm`` needs what is known only behind it.

    A norm sees all steps before the neuron goes on, so that its argument may depend on inputs and
    on states alone whose equations stand before it.
    """
    first = [each for each in step if each.source.index < norm.place.index]
    late = {each.state for each in step if each.source.index >= norm.place.index}
    resets = {each.state for each in reset}
    needed = names_in(argument)
    size = -1
    while size != len(needed):
        size = len(needed)
        for each in first:
            if each.state in needed:
                needed |= names_in(each.tree)
    for name in sorted(needed):
        reason = (
            "whether the neuron fired"
            if name == "spike"
            else f"'{name}', which is reset"
            if name in resets
            else f"'{name}', whose equation does not stand before it"
            if name in late
            else None
        )
        if reason is not None:
            yield Mistake(norm.argument_place, f"The norm cannot depend on {reason}.")
            return
