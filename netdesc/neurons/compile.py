"""Compilation: from the definition of a neuron to the program that engines print."""

import hashlib
from dataclasses import replace
from functools import lru_cache

from netdesc.neurons.adjoint import differentiate
from netdesc.neurons.definition import Definition, split_equation
from netdesc.neurons.equations import read
from netdesc.neurons.expressions import number
from netdesc.neurons.mistakes import EquationError, Mistake
from netdesc.neurons.names import names_in, names_needed_by, names_read_by
from netdesc.neurons.program import Forward, Program
from netdesc.neurons.ranges import hold_in_32_bits, near_limit
from netdesc.neurons.storage import choose_stored


@lru_cache(maxsize=256)
def compile_neuron(definition: Definition, learn: bool) -> Program:
    """Returns the program of a neuron. With ``learn``, it has gradients of all parameters.

    Raises EquationError with the mistakes of the equations.
    """
    neuron = hold_in_32_bits(read(definition))
    stored, adjoint = choose_stored(neuron, differentiate(neuron, learn))
    limit, products = near_limit(neuron, stored)
    return Program(
        key=hashlib.sha256(f"{definition.to_text()} {learn}".encode()).hexdigest()[:16],
        parameters=neuron.parameters,
        inputs=definition.inputs,
        states=tuple(neuron.before_reset),
        forward=Forward(
            neuron.after, neuron.before_reset, neuron.spike, neuron.output, stored, products
        ),
        adjoint=adjoint,
        near_limit=limit,
    )


def names_without_gradient(definition: Definition) -> tuple[set[str], set[str]]:
    """Returns the inputs and learnable parameters whose gradient is 0: all, and with exact resets.

    Both are empty if the equations have mistakes.
    """

    def idle(definition: Definition) -> set[str]:
        adjoint = differentiate(read(definition), True)
        gradients = (adjoint.inputs | adjoint.parameters).items()
        return {name for name, gradient in gradients if number(gradient) == 0}

    try:
        return idle(definition), idle(replace(definition, has_exact_reset=True))
    except EquationError:
        return set(), set()


@lru_cache(maxsize=256)
def split_at_norm(definition: Definition) -> tuple[Definition, Definition]:
    """Returns the two neurons before and after the ``norm`` of a valid definition, which has one.

    The output of the first is what is normalised. The one input of the second is the
    normalised value, so that it has no ``bias``. Raises EquationError if something after the norm
    reads an input or a state that stands before it.
    """
    norm = read(definition).norm
    assert norm is not None
    place, argument_place = norm.call, norm.argument
    step = list(definition.step)
    text = step[place.index]
    argument = text[argument_place.column : argument_place.end_column]
    first = {*definition.states} & names_needed_by(names_in(argument), step[: place.index])
    value = "normalised"
    while value in {*definition.inputs, *dict(definition.parameters), *definition.states}:
        value += "_"
    step[place.index] = text[: place.column] + value + text[place.end_column :]
    before = replace(
        definition,
        # A neuron has a state.
        step=tuple(each for each in definition.step if split_equation(each)[0] in first)
        or (f"{value} = {argument}",),
        spike=None,
        output=argument if first else value,
        reset=(),
    )
    after = replace(
        definition,
        step=tuple(each for each in step if split_equation(each)[0] not in first),
        inputs=(value,),
    )
    if cut := sorted(names_read_by(after) & {*first, *definition.inputs}):
        message = f"With a norm, nothing after norm(…) can read '{cut[0]}', which stands before it."
        raise EquationError([Mistake(place, message)])
    return _without_unused_names(before), _without_unused_names(after)


def _without_unused_names(part: Definition) -> Definition:
    used = names_read_by(part)
    return replace(
        part,
        parameters=tuple(each for each in part.parameters if each[0] in used),
        inputs=tuple(each for each in part.inputs if each in used),
        wrapped=tuple(each for each in part.wrapped if each in part.states),
    )
