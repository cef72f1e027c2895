"""The loss filter of the CUDA engine against an explicit convolution."""

import importlib.util
import math

import pytest
import torch
from hypothesis import strategies as st
from support.cuba_cases import GPU
from support.grids import check_examples, examples
from support.van_rossum_oracle import check, random_spikes

from netdesc.kernels import operators, van_rossum_coefficients
from netdesc.kernels.engines import use_engine

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)


@examples(4, 60)
def test_the_engine_convolves(number):
    def check_filter(seed: int, shape: tuple[int, int, int], decay: float, order: int, length: int):
        check(*random_spikes(seed, *shape), decay, order, length, ["cuda"])

    check_examples(
        number,
        check_filter,
        st.integers(0, 2**32 - 1),
        st.tuples(st.integers(1, 40), st.integers(1, 3), st.integers(1, 30)),
        st.sampled_from([0.0, 0.1, math.exp(-1 / 2), 0.9, 0.97, 0.999, 1.0]),
        st.integers(1, 4),
        st.sampled_from([1, 2, 3, 7, 8, 9, 20, 39, 40, 41, 1000]),
    )


@pytest.mark.parametrize(
    ("decay", "order", "length"),
    [
        # The recurrences are far larger than their difference from the tail.
        (math.exp(-1 / 1000), 3, 20),
        (math.exp(-1 / 2), 16, 20),
        (math.exp(-1 / 3000), 2, 100_000),  # never cut, and too close to 1 for 32 bits
    ],
)
def test_slow_filters(decay, order, length):
    assert not van_rossum_coefficients.are_inexact(decay, order, length, 60)
    check(*random_spikes(2, 60, 1, 5), decay, order, length, ["cuda"])


def test_filters_too_inexact_for_recurrences_are_convolved():
    slow = math.exp(-1 / 1000)
    assert van_rossum_coefficients.are_inexact(slow, 12, 5, 60)
    check(*random_spikes(2, 60, 1, 3), slow, 12, 5, ["cuda"])


@pytest.mark.parametrize(("decay", "order", "length"), [(0.6, 2, 100), (0.999, 12, 5)])
def test_nan_and_infinity_propagate_within_their_neuron(decay, order, length):
    for bad in (math.nan, math.inf)[: 1 if order > 2 else 2]:
        output = torch.rand(60, 1, 3)
        output[7, 0, 1] = bad
        output = output.to(GPU).requires_grad_()
        with use_engine("cuda"):
            silence = torch.zeros_like(output)
            loss, _ = operators.spike_time(output, silence, decay, order, length, True)
            loss.backward()
        assert not torch.isfinite(loss)
        assert not torch.isfinite(output.grad[3:8, 0, 1]).any()
        assert torch.isfinite(output.grad[:, 0, ::2]).all()
