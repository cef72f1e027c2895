"""Equations of neurons as the operators take them, and what they compute of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from netdesc.neurons.compile import compile_neuron, split_at_norm
from netdesc.neurons.definition import Definition
from netdesc.neurons.models import NeuronSection


class KernelEquations(NamedTuple):
    """A definition as the operator ``neurons`` takes it."""

    text: str
    parameters: tuple[str, ...]
    states: tuple[str, ...]

    @classmethod
    def of(cls, definition: Definition) -> KernelEquations:
        program = compile_neuron(definition, False)
        return cls(definition.to_text(), tuple(program.parameters), program.states)


def equations_of_state(
    section: NeuronSection, name: str, is_split: bool
) -> tuple[KernelEquations, bool]:
    """Returns the equations that hand on a state, and whether it stands behind the norm.

    With ``is_split``, they are those before or behind the norm.
    """
    definition, is_behind = section.definition(), True
    if section.norm is not None:
        before, behind = split_at_norm(definition)
        is_behind = name not in before.states
        if is_split:
            definition = behind if is_behind else before
    return KernelEquations.of(replace(definition, signal=name)), is_behind


class NeuronsRun(NamedTuple):
    """What a layer's neurons computed (see ``kernels.layer_neurons``).

    ``out_TBN`` is float32 [steps, batch, units], ``notes`` are int64 [states + 2]. ``states`` are
    for the next steps; they are empty if none were given.
    """

    out_TBN: Tensor
    notes: Tensor
    states: list[Tensor]
    normalised_TBN: Sequence[Tensor] = ()
    """What the equations behind a norm read; empty if the equations are not split."""
    emitted_TBN: Tensor | None = None
    """The output before the layer's delay; None if it has none."""
