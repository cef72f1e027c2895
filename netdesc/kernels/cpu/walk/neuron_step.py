"""The functions that a neuron's equations become, as the time loops call them.

This module only describes them: ``printer`` writes them for each neuron, and ``generated`` puts
them into a copy of ``forward_kernels`` or ``backward_kernels`` in place of their imports from here.
``kernels.printing`` says what their arguments and results are.

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


def step_near(constants: Any, inputs: Any, states: Any, extents: Any) -> Any:
    """Computes one step; returns ``states, output, stored, extents``.

    A graded ``output`` is in units of 1/4096. ``extents`` are the largest magnitudes so far: of
    each state before its reset, then of what else must be near.
    """


def step_far(constants: Any, inputs: Any, states: Any, extents: Any) -> Any:
    """Computes ``step_near`` for states of any size."""


def adjoint(
    constants: Any,
    stored: Any,
    stored_before: Any,
    is_first: Any,
    output_gradient: Any,
    carries: Any,
    sums: Any,
) -> Any:
    """Computes the adjoint of one step, and adds to ``sums``: ``grad_inputs, carries, sums``."""
