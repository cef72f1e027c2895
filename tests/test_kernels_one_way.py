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
    one_layer,
    packed,
    placed,
    reads_of,
    torch_threads,
    wirings,
)
from test_kernels_spike_words import words_of

from netdesc.kernels import operators
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
    layers = placed(case, layers_of(case, made))
    walked, output = one_way.walk(examples, layers, reads_of(case), case.idle)
    loss = one_way.loss_of(distance(case), output, examples.target)
    return [loss, *(each.notes for each in walked)]


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
    replace(PLAIN, graded="all counts", batch=2, mean=True),
    replace(PLAIN, graded="all counts", sizes=(4, 3, 3), steps=2000, of_filter=(0.9999, 3, 1)),
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
        _, output = one_way.walk(examples, layers, reads_of(case))
        loss = one_way.loss_of(distance(case), output, examples.target)
    assert loss > 0
    assert memory.most - before <= 0.65 * 4 * case.steps * case.batch * max(case.sizes)


@given(CASES)
def test_the_loss_of_silence(case):
    torch.set_num_threads(case.threads)
    target_TBN = make(case).target_TBN
    silence = torch.zeros_like(target_TBN)
    expected, _ = operators.spike_time(silence, target_TBN, *case.of_filter)
    expected = expected / target_TBN.numel() if case.mean else expected
    given = target_TBN if case.graded == "target" else words_of(target_TBN.numpy())
    assert torch.equal(one_way.loss_of_silence(distance(case), given), expected)


@given(CASES)
def test_what_is_seen_of_a_sample_and_counted_of_a_neuron(case):
    case = replace(case, dropout=(), norm=(), graded="")
    made = make(case)
    examples = chain.examples(packed(made), None, case.neurons)
    with torch.no_grad():
        _, output = one_way.walk(examples, layers_of(case, made), reads_of(case))
        assert not isinstance(output, np.ndarray)
        reads = made.input_TBI
        for of_layer in made.layers:
            reads, _ = one_layer(case, reads, of_layer, None, False)
        expected_TBN = reads
    for sample in range(case.batch):
        found_TN = np.concatenate([*output.trains.runs_of_sample(sample)])
        np.testing.assert_array_equal(found_TN, expected_TBN[:, sample].numpy())
        input_TI = np.concatenate([*words_of(made.input_TBI.numpy()).runs_of_sample(sample)])
        np.testing.assert_array_equal(input_TI, made.input_TBI[:, sample].numpy())
    np.testing.assert_array_equal(output.counts_BN, expected_TBN.sum(0).numpy())
    assert torch.equal(output.rates_BN, expected_TBN.sum(0) / case.steps)


def test_dropout_is_for_training():
    case = replace(PLAIN, dropout=(True, False))
    with pytest.raises(AssertionError, match="are for training"):
        judged(case, as_words=True)


def test_every_vector_has_its_own_difference():
    """Of neurons beyond the last whole vector, too."""
    case = replace(PLAIN, sizes=(40, 70, 3 * LANES + 5), batch=3, wanted=1.0)
    check(case)
