"""Arithmetic of the generated steps, in every corner of 32 bits."""

import numpy as np
import pytest
import torch
from support.cuba_cases import GPU

pytest.importorskip("triton", reason="Triton is not installed")

import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import multiply_share


@triton.jit
def multiply_each(state, share, product, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(product + at, multiply_share(tl.load(state + at), tl.load(share + at)))


def test_products_of_states_and_shares_are_rounded_toward_zero() -> None:
    sizes = [(1 << bit) + off for bit in range(32) for off in (-1, 0, 1)]
    states = [s * each for each in sizes if each < 1 << 31 for s in (-1, 1)]
    shares = [s * each for each in (0, 1, 3, 1365, 2047, 2048, 4095, 4096) for s in (-1, 1)]
    pairs = np.array([(state, share) for state in states for share in shares])
    block = 4096
    assert len(pairs) <= block
    padded = torch.zeros(2, block, dtype=torch.int32)
    padded[:, : len(pairs)] = torch.from_numpy(pairs.T)
    found = torch.empty(block, dtype=torch.int32, device=GPU)
    multiply_each[(1,)](*padded.to(GPU), found, BLOCK=block)
    products = pairs.prod(1)
    expected = np.sign(products) * (abs(products) >> 12)
    np.testing.assert_array_equal(found[: len(pairs)].cpu(), expected)
