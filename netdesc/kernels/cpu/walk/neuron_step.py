"""The functions that a neuron's equations become, as the time loops call them.

This module only describes them: ``printer`` writes them for each neuron, and ``generated`` puts
them into a copy of ``forward_kernels`` or ``backward_kernels`` in place of their imports from here.

Values are SIMD vectors of neurons: ``Ints`` in state units, or ``Floats`` in threshold units. The
step exists twice. ``step_near`` takes fewer instructions: it multiplies in 32 bits and does not
saturate. It is exact as long as the magnitudes of ``states`` and of all ``extents`` stay within
``NEAR_LIMIT``. ``step_far`` is exact for all states.
"""

from typing import Any

STATES = EXTENTS = STORED = CARRIES = SUMS = 0
"""Numbers of vectors in the tuples of the same names; ``STATES`` leaves out ``fired``."""

NEAR_LIMIT = 0


def constants_of(parameters: Any, first: Any, count: Any) -> Any:
    """Returns what parameters alone decide, a tuple of vectors, of ``count`` neurons.

    ``parameters`` is a tuple of arrays [neurons]; the vector's first neuron is ``first``.
    """


def to_states(values: Any) -> Any:
    """Converts inputs in threshold units, a tuple of ``Floats``, to a tuple of ``Ints``."""


def to_values(output: Any) -> Any:
    """Converts outputs of a step to ``Floats``: 0 or 1 for spikes, else in threshold units."""


def step_near(constants: Any, arrived: Any, states: Any, extents: Any) -> Any:
    """Computes one step; returns ``states, output, stored, extents``.

    ``arrived`` is the tuple of inputs. ``states`` are the neuron's states after their reset, then
    ``fired``: 1 where the neuron fired, else 0. ``output`` is 0 or 1, or a graded output in units
    of 1/4096. ``stored`` is what the backward pass needs of the step. ``extents`` are the largest
    magnitudes so far: of each state before its reset, then of what else must be near.
    """


def step_far(constants: Any, arrived: Any, states: Any, extents: Any) -> Any:
    """Computes ``step_near`` for states of any size; only the extents of states are updated."""


def adjoint(
    constants: Any,
    stored_now: Any,
    stored_before: Any,
    is_first: Any,
    gradient: Any,
    carries: Any,
    sums: Any,
) -> Any:
    """Computes the adjoint of one step; returns ``grad_inputs, carries, sums``.

    ``stored_now`` and ``stored_before`` are what the forward pass stored in this step and in the
    step before; ``is_first`` says whether there is none before. ``gradient`` is that of the output.
    ``carries`` are gradients that the step after handed back, and ``sums`` the gradients of the
    parameters so far.
    """
