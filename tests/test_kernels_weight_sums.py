"""Sums by weights are turned over where they are, and threads hold little beside the activity."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from test_kernels_chain import PLAIN, Case, check, distance, layers_of, make, packed, torch_threads

from netdesc.kernels.cpu import buffers, chain
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.weight_sums import room_for_weights, room_to_turn, turn_over
from netdesc.kernels.cpu.weights import half_limits, limits_of

__all__ = ["torch_threads"]

WIDE = st.one_of(st.integers(1, 200), st.sampled_from([1023, 1024, 1025, 2016]))


@given(WIDE, st.integers(1, LANES), st.integers(0, 3), st.booleans(), st.integers(0, 99))
@example(1, LANES, 0, True, 0)
@example(LANES, LANES, 0, True, 0)
@example(LANES - 1, 1, 2, False, 0)
@example(2 * LANES + 1, LANES - 1, 1, True, 0)
def test_sums_by_input_become_gradients_by_output(inputs, n, before, on_grid, seed):
    random = np.random.default_rng(seed)
    sums = random.standard_normal((inputs, LANES), np.float32)
    weight_OI = random.standard_normal((before + n, inputs), np.float32)
    weight_OI[before, 0] = 3.984375 if seed % 2 else 4  # the largest on the grid, and one beyond
    limits = half_limits(8) if on_grid else limits_of(None)
    halves = np.rint(32 * weight_OI[before:])
    wanted = np.where((halves >= limits[0]) & (halves <= limits[1]), sums.T[:n], 0)
    memory = np.full(inputs * LANES + 64, np.nan, np.float32)  # what is around stays
    room = np.full(room_to_turn(inputs) + 64, np.nan, np.float32)
    grad_LI, own = memory[32:-32], room[32:-32]
    grad_LI[:] = sums.reshape(-1)
    turn_over(grad_LI, own, weight_OI, *limits, before, n)
    np.testing.assert_array_equal(grad_LI[: n * inputs].reshape(n, inputs), wanted)
    for each in memory, room:
        assert np.isnan(each[:32]).all()
        assert np.isnan(each[-32:]).all()


@given(st.integers(1, 4000), st.booleans())
def test_weights_have_room_of_their_own_where_several_samples_need_them(inputs, is_integer):
    assert room_for_weights(inputs, 1, is_integer) == room_to_turn(inputs)
    numbers = room_for_weights(inputs, 2, is_integer)
    assert 4 * numbers >= (2 if is_integer else 4) * LANES * inputs
    assert numbers >= room_to_turn(inputs)


SMALL = replace(PLAIN, rooms="", steps=200, scale=4.0)


@pytest.mark.parametrize(
    "case",
    [
        replace(SMALL, sizes=(500, 64)),
        replace(SMALL, sizes=(2016, 64), density=0.05),
        replace(SMALL, sizes=(2016, 96), density=0.3),
        replace(SMALL, sizes=(2016, 64, 64), density=0.05),
        replace(SMALL, sizes=(1000, 64, 96, 64), batch=2),
        replace(SMALL, sizes=(1500, 100), dropout=(True,)),
        replace(SMALL, sizes=(686, 186), steps=121, dropout=(True,), density=0.43),
        replace(SMALL, sizes=(2016, 96), norm=(True,), learn=True, density=0.3),
        replace(SMALL, sizes=(2000, 64), norm=(True,), learn=True, batch=3),
        replace(SMALL, sizes=(700, 128, 64), bits=None, batch=2),
        replace(SMALL, sizes=(300, 200, 64), learn=True, batch=4),
        replace(SMALL, sizes=(2000, 64), batch=2),
        replace(SMALL, sizes=(1000, 64, 40)),
        replace(SMALL, sizes=(46, 132, 70), steps=179, batch=2, density=0.46),
        replace(SMALL, sizes=(46, 350, 70), density=0.46),
    ],
    ids=str,
)
def test_a_pass_takes_little_memory_beside_gradients_of_weights(case: Case) -> None:
    """Where a layer has many inputs and there are few steps and samples, as much as elsewhere."""
    torch.set_num_threads(case.threads)
    check(case)
    assert units_of(case) <= 2.5


@torch.no_grad()
def units_of(case: Case) -> float:
    """The memory of a pass at its peak, beside its input, in 4 bytes · steps · batch · neurons."""
    made = make(case)
    layers, given = layers_of(case, made), packed(made)

    def passed() -> list[chain.Passed]:
        examples = chain.examples(given, made.target_TBN, case.neurons)
        return chain.differentiate(examples, layers, distance(case))[1]

    passed()  # kernels are there from now on
    gc.collect()
    buffers.give_back()
    for pool in buffers._pools:
        pool._scratch.clear()
    tracemalloc.start()
    found = passed()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = (-(-len(weight) // LANES) * LANES * weight.shape[1] for weight, *_ in made.layers)
    assert all(each.grad_OI.numel() for each in found)
    return (peak - 4 * sum(rows)) / (4 * case.steps * case.batch * case.neurons)
