"""Neurons: what the equations of a definition mean, as expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from netdesc.neurons.definition import Definition, ParameterKind
from netdesc.neurons.expressions import Expression
from netdesc.neurons.mistakes import Place


@dataclass(frozen=True, slots=True)
class NeuronStep:
    """What a neuron computes in a step, as expressions.

    The leaves of the expressions are ``parameter``, ``state``, ``fired_before``, ``input`` and
    ``constant``.
    """

    after: dict[str, Expression]
    """State, in the order of its first assignment -> its value after the step and its reset; GRID.
    """
    before_reset: dict[str, Expression]
    """State -> its value after the step, before its reset; GRID."""
    spike: Expression | None
    """Whether the neuron fires, BOOL, ``with_gradient`` of its surrogate."""
    output: Expression | None
    """The graded value that is handed on, GRID; with ``spike``, where the neuron fires."""

    @property
    def roots(self) -> list[Expression]:
        """All that a step computes, in the order in which it does."""
        values = (*self.before_reset.values(), self.spike, self.output, *self.after.values())
        return [a for a in values if a is not None]


class NormPlaces(NamedTuple):
    """Where the only call ``norm(argument)`` of a neuron stands, in ``step``."""

    call: Place
    argument: Place


@dataclass(frozen=True, slots=True)
class Neuron(NeuronStep):
    """The equations of a definition as expressions, before ranges and gradients are known.

    Assigned values are saturated everywhere.
    """

    definition: Definition
    parameters: dict[str, ParameterKind]
    """Those of the definition, ``bias`` if there is a norm, ``peak`` and ``width`` if a spike."""
    norm: NormPlaces | None
    """The argument depends only on inputs, and on states whose equations stand before. The call's
    value is ``argument + bias``."""
    places: dict[Expression, Place]
    """Where an expression is written, for mistakes that ranges find. Not every one is in it."""
