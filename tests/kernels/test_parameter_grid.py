"""Parameters of neurons on the fixed-point grid."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from netdesc.kernels.grid import parameter_vector
from netdesc.neurons.definition import ParameterKind

KINDS: tuple[ParameterKind, ...] = ("decay", "factor", "threshold", "grid", "real")


@pytest.mark.parametrize("unit_bits", [12, 18])
@pytest.mark.parametrize("kind", KINDS)
@given(value=st.floats(width=32) | st.floats(-2, 2, width=32))
@example(2.5 / 4096)  # a tie
def test_a_number_is_rounded_as_the_values_of_neurons(
    kind: ParameterKind, unit_bits: int, value: float
) -> None:
    number = torch.tensor(value)
    shared = parameter_vector(kind, number, 3, 1 << unit_bits)
    own = parameter_vector(kind, number.expand(3), 3, 1 << unit_bits)
    found, expected = shared.nan_to_num(1.0).tolist(), own.nan_to_num(1.0).tolist()
    assert (shared.dtype, found) == (own.dtype, expected)
