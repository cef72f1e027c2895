"""Programs: what the engines compute of a neuron, forward and backward.

``definition`` says how a neuron is written, ``compile_neuron`` builds the program from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.expressions import Expression
from netdesc.neurons.neuron import NeuronStep


@dataclass(frozen=True, slots=True)
class Forward(NeuronStep):
    """The forward step of a neuron, for the printers. ``with_gradient`` is its first argument."""

    stored: tuple[Expression, ...]
    """What the forward pass stores in each step for the backward pass; GRID. May be empty."""
    products: tuple[Expression, ...]
    """Values, apart from states before and after their resets, that near arithmetic bounds: what is
    multiplied by a share, and sums that would otherwise saturate. Mostly empty."""


@dataclass(frozen=True, slots=True)
class Backward:
    """The step back of a neuron, for the printers.

    All expressions are REAL. They read the leaves ``parameter``, ``constant``, ``stored``,
    ``stored_before``, ``carry`` and ``output_gradient``: the gradient of what is handed on, which
    is the spike, the graded output, or with both the graded output where the neuron fires, else 0.
    """

    inputs: dict[str, Expression]
    """Input -> its gradient, in threshold units."""
    carries: tuple[Expression, ...]
    """What the step hands to the step before."""
    parameters: dict[str, Expression]
    """Learnable parameter -> what the step adds to its gradient. Empty if nothing is learnt."""

    @property
    def roots(self) -> tuple[list[Expression], ...]:
        """Gradients of inputs, carries, and gradients of parameters."""
        return [*self.inputs.values()], [*self.carries], [*self.parameters.values()]


@dataclass(frozen=True, slots=True)
class Program:
    """A neuron, ready for the printers. ``key`` is the same for equal programs, in any process."""

    key: str
    parameters: dict[str, ParameterKind]
    """In the order of the engines' parameter lists. Surrogate's ``peak`` and ``width`` are real."""
    inputs: tuple[str, ...]
    states: tuple[str, ...]
    forward: Forward
    backward: Backward
    near_limit: int
    """A power of two. Near arithmetic leaves out every ``saturate``, and multiplies in 32 bits. It
    is exact while the states of the step before and all values of ``after``, ``before_reset`` and
    ``products`` are within ± this. Engines check what they computed, and compute it again with
    saturation if anything was beyond."""
