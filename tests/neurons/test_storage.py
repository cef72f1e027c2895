"""How many values a neuron stores a step."""

import pytest
from support.neuron_definitions import DEFINITIONS

from netdesc.neurons.compile import compile_neuron

STORED = {
    "cuba": (1, 1),
    "cuba_exact": (1, 1),
    "lif": (1, 1),
    "lif_subtract": (1, 1),
    "lif_subtract_delayed": (1, 1),
    "lif_subtract_delayed_exact": (1, 1),
    "alif": (1, 3),
    "alif_exact": (3, 3),
    "alif_subtract": (1, 2),
    "alif_zero": (1, 2),
    "rf": (2, 2),
    "rf_iz": (1, 2),
    "rf_iz_exact": (2, 2),
    "sigma_delta": (1, 1),
    "integrator": (0, 1),
}
"""Neuron -> number of stored values without and with learnt parameters."""


@pytest.mark.parametrize("name", STORED)
def test_few_values_are_stored(name: str) -> None:
    programs = [compile_neuron(DEFINITIONS[name], learn) for learn in (False, True)]
    assert tuple(len(each.forward.stored) for each in programs) == STORED[name]
