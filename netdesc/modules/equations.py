"""Equations of neurons as the operators take them."""

from __future__ import annotations

from typing import NamedTuple

from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition


class Equations(NamedTuple):
    """A definition as the operator ``neurons`` takes it."""

    text: str
    parameters: tuple[str, ...]
    states: tuple[str, ...]

    @classmethod
    def of(cls, definition: Definition) -> Equations:
        program = compile_neuron(definition, False)
        return cls(definition.to_text(), tuple(program.parameters), program.states)
