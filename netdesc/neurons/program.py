"""Neurons as expressions: what equations mean, and programs, which the engines compute.

``definition`` says how a neuron is written, ``compile_neuron`` builds the program from it.
"""

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
    """State, in the order of first assignments -> its value after the step and its reset; GRID."""
    before_reset: dict[str, Expression]
    """State -> its value after the step, before its reset; GRID."""
    spike: Expression | None
    """Whether the neuron fires, BOOL, ``with_gradient`` of its surrogate."""
    output: Expression | None
    """The graded output, GRID; with ``spike``, where the neuron fires."""

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


@dataclass(frozen=True, slots=True)
class Forward(NeuronStep):
    """The forward step of a neuron, for the printers. ``with_gradient`` is its first argument."""

    stored: tuple[Expression, ...]
    """What the forward pass stores in each step for the backward pass; GRID. May be empty."""
    products: tuple[Expression, ...]
    """Values, apart from states before and after their resets, that near arithmetic bounds: what is
    multiplied by a share, and sums that would otherwise saturate. Mostly empty."""


@dataclass(frozen=True, slots=True)
class Adjoint:
    """The adjoint of a neuron's step, for the printers.

    All expressions are REAL. They read the leaves ``parameter``, ``constant``, ``stored``,
    ``stored_before``, ``carry`` and ``output_gradient``: the gradient of the output, which is the
    spike, the graded output, or with both the graded output where the neuron fires, else 0.
    """

    inputs: dict[str, Expression]
    """Input -> its gradient, in threshold units."""
    carries: tuple[Expression, ...]
    """What it passes to the adjoint of the step before."""
    parameters: dict[str, Expression]
    """Learnable parameter -> what the step adds to its gradient. Empty if nothing is learnt."""

    @property
    def roots(self) -> tuple[list[Expression], ...]:
        """Gradients of inputs, carries, and gradients of parameters."""
        return [*self.inputs.values()], [*self.carries], [*self.parameters.values()]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A neuron, ready for the printers. ``key`` is the same for equal programs, in any process."""

    key: str
    parameters: dict[str, ParameterKind]
    """In the order of the engines' parameter lists. Surrogate's ``peak`` and ``width`` are real."""
    inputs: tuple[str, ...]
    states: tuple[str, ...]
    forward: Forward
    adjoint: Adjoint
    near_limit: int
    """A power of two. Near arithmetic leaves out every ``saturate``, and multiplies in 32 bits. It
    is exact while the states of the step before and all values of ``after``, ``before_reset`` and
    ``products`` are within ± this. Engines check what they computed, and compute it again with
    saturation if anything was beyond."""
