"""Compilation: from the definition of a neuron to the program that engines print."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from netdesc.neurons.adjoint import differentiate
from netdesc.neurons.definition import Definition
from netdesc.neurons.equations import read
from netdesc.neurons.expressions import in_order
from netdesc.neurons.program import Forward, Program
from netdesc.neurons.ranges import hold_in_32_bits, near_limit
from netdesc.neurons.storage import choose_stored


@lru_cache(maxsize=256)
def compile_neuron(definition: Definition, learn: bool) -> Program:
    """Returns the program of a neuron. With ``learn``, it has gradients of all parameters.

    Raises EquationError with the mistakes of the equations.
    """
    neuron = hold_in_32_bits(read(definition))
    stored, backward = choose_stored(neuron, differentiate(neuron, learn))
    limit, products = near_limit(neuron, stored)
    text = f"{definition.to_text()} {learn}"
    return Program(
        key=hashlib.sha256(text.encode()).hexdigest()[:16],
        parameters=neuron.parameters,
        inputs=definition.inputs,
        states=neuron.states,
        forward=Forward(
            after=neuron.after,
            before_reset=neuron.before_reset,
            spike=neuron.spike,
            output=neuron.output,
            reads_fired_before=any(a.operation == "fired_before" for a in in_order(neuron.roots)),
            stored=stored,
            products=products,
        ),
        backward=backward,
        near_limit=limit,
    )
