"""A chain of layers there only: the loss and the notes of the operators, to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given
from test_kernels_chain import (
    CASES,
    PLAIN,
    Case,
    Memory,
    by_operators,
    distance,
    layers_of,
    make,
    packed,
    reads_of,
    torch_threads,
    wirings,
)
from test_kernels_spike_words import words_of

from netdesc.kernels.cpu import chain, dense, one_way
from netdesc.kernels.cpu.lanes import LANES

__all__ = ["torch_threads"]


def expected(case: Case) -> list[torch.Tensor]:
    """The loss, and the notes of each layer."""
    loss, *of_layers = by_operators(case)
    apart = 4 if case.learn else 2
    return [loss, *of_layers[::apart]]


@torch.no_grad()
def judged(case: Case, as_words: bool) -> list[torch.Tensor]:
    made = make(case)
    input_TBI, target_TBN = made.input_TBI, made.target_TBN
    if as_words:
        input_TBI = packed(made)
        target_TBN = target_TBN if case.graded == "target" else words_of(target_TBN.numpy())
    examples = chain.examples(input_TBI, target_TBN, case.neurons, bool(case.reads))
    loss, notes = one_way.judge(examples, layers_of(case, made), distance(case), reads_of(case))
    return [loss, *notes]


def check(case: Case) -> None:
    case = replace(case, dropout=(), norm=())
    torch.set_num_threads(case.threads)
    wanted = expected(case)
    for as_words in False, True:
        for number, (a, b) in enumerate(zip(judged(case, as_words), wanted, strict=True)):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), f"result {number}")


EDGES = [
    replace(PLAIN, steps=1),
    replace(PLAIN, density=0.0),
    replace(PLAIN, density=1.0, scale=1e6),
    replace(PLAIN, of_filter=(0.6, 2, 5)),
    replace(PLAIN, sizes=(4, 3, 3), steps=2000, of_filter=(0.9999, 3, 1)),
    replace(PLAIN, batch=3, threads=3, delay=False, mean=True),
    replace(PLAIN, sizes=(40, 300, 150), batch=2, bits=None, learn=True, own=True),
    replace(PLAIN, sizes=(40, 300, 150), batch=2, density=0.6, scale=40.0, bias=True),
    replace(PLAIN, graded="input"),
    replace(PLAIN, graded="noise", batch=2),
    replace(PLAIN, graded="target", batch=2),
]


@given(CASES)
@example(EDGES[0])
def test_the_way_there_is_that_of_the_operators(case):
    check(case)


@pytest.mark.parametrize("at_once", [1, 1 << 20])
@pytest.mark.parametrize("case", EDGES, ids=str)
def test_edges(case, at_once, monkeypatch):
    """Also where a current that is whole is so for one vector of neurons at a time."""
    monkeypatch.setattr(dense, "_AT_ONCE", at_once)
    monkeypatch.setattr(dense, "_PARTS", 1000 if at_once == 1 else 4)
    check(case)


@given(wirings())
def test_layers_may_read_several_others(case):
    check(case)


@pytest.mark.parametrize(
    "case",
    [
        Case((128, 256, 256), steps=2000, batch=2),
        Case((128, 256, 256), steps=2000, batch=4, density=0.6, scale=40.0),
        Case((128, 256, 256), steps=2000, batch=4, bits=None),
    ],
    ids=["by events", "by the product", "off the grid"],
)
def test_no_layer_is_ever_whole(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of what is allowed is for the events of a layer that spikes often."""
    memory = Memory()
    memory.serves_kernels(monkeypatch)
    monkeypatch.setattr(dense, "_AT_ONCE", 1)
    with torch.no_grad():
        made = make(case)
        layers = layers_of(case, made)
        target = words_of(made.target_TBN.numpy())
        examples = chain.examples(packed(made), target, case.neurons)
        before = memory.most = memory.now
        loss, _ = one_way.judge(examples, layers, distance(case), reads_of(case))
    assert loss > 0
    assert memory.most - before <= 0.65 * 4 * case.steps * case.batch * max(case.sizes)


def test_dropout_is_for_training():
    case = replace(PLAIN, dropout=(True, False))
    with pytest.raises(AssertionError, match="are for training"):
        judged(case, as_words=True)


def test_every_vector_has_its_own_difference():
    """Of neurons beyond the last whole vector, too."""
    case = replace(PLAIN, sizes=(40, 70, 3 * LANES + 5), batch=3, wanted=1.0)
    check(case)
