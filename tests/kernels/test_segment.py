"""Segments of several layers: the CPU engine against the reference, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netdesc.kernels import operators
from netdesc.kernels.cpu.spikes import events_by_input
from netdesc.kernels.engine import use_engine

EVENTS, PRODUCT = 1, 0


@dataclass(frozen=True)
class Case:
    """A segment of layers of ``sizes`` neurons; the first of these is the input."""

    sizes: tuple[int, ...] = (40, 70, 33)
    steps: int = 60
    batch: int = 2
    density: float = 0.1
    scale: float = 0.8
    """Of the weights; from 1 on, neurons spike in every second step."""
    counted: bool = False
    bits: int = 8
    per_neuron: bool = True
    """Whether each neuron has its own decays."""
    learn: bool = True
    delay: bool = True
    bias: bool = False
    seed: int = 0

    def tensors(self) -> tuple[torch.Tensor, list[torch.Tensor]]:
        random = np.random.default_rng(self.seed)
        spikes = random.random((self.steps, self.batch, self.sizes[0])) < self.density
        values = spikes * (random.integers(1, 4, spikes.shape) if self.counted else 1.0)
        tensors: list[torch.Tensor] = []
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            shape = (outputs,) if self.per_neuron else ()
            bias = random.integers(-30, 30, outputs if self.bias else 0) / 64
            arrays = [
                random.normal(0, self.scale, (outputs, inputs)),
                random.uniform(0, 1, shape),
                random.uniform(0, 0.5, shape),
            ]
            tensors += [torch.tensor(each, dtype=torch.float32) for each in arrays]
            tensors += [torch.tensor(bias, dtype=torch.float32), torch.empty(0)]
            tensors[-5].requires_grad_()
            for decay in tensors[-4:-2]:
                decay.requires_grad_(self.learn)
        return torch.tensor(values, dtype=torch.float32), tensors

    def call(self, signal: torch.Tensor, tensors: list[torch.Tensor], keep: bool = True) -> Any:
        layers = len(self.sizes) - 1
        numbers = [float(self.bits), 0.5, 1.0, 1.0, float(self.delay)] * layers
        return operators.segment(signal, tensors, numbers, [self.learn] * layers, keep)

    def gradient(self) -> torch.Tensor:
        shape = self.steps, self.batch, self.sizes[-1]
        return torch.randn(shape, generator=torch.Generator().manual_seed(self.seed))


def all_results(case: Case, engine: str, want_input: bool = True) -> list[torch.Tensor]:
    """Spikes and notes, then the gradients of input, weights and decays."""
    signal, tensors = case.tensors()
    signal.requires_grad_(want_input)
    with use_engine(engine):
        out, notes, _ = case.call(signal, tensors)
        out.backward(case.gradient())
    leaves = [leaf for leaf in (signal, *tensors) if leaf.requires_grad]
    return [out.detach(), notes, *(leaf.grad for leaf in leaves)]


def check(case: Case) -> list[int]:
    """Compares with the reference; returns the layers' paths."""
    found, expected = all_results(case, "cpu"), all_results(case, "reference")
    assert torch.equal(found[0], expected[0]), "spikes"
    assert torch.equal(found[1][:, [0, 1, 3]], expected[1][:, [0, 1, 3]]), "peaks and counts"
    largest_of_all = max(each.abs().max().item() for each in expected[2:])
    for number, (one, other) in enumerate(zip(found[2:], expected[2:], strict=True)):
        # The terms of a single weight's gradient may cancel as well.
        largest = max(other.abs().max().item(), 0.02 * largest_of_all)
        tolerance = 2e-5 if other.dim() else 1e-3  # the terms of a shared decay cancel
        message = f"gradient {number}"
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * largest, msg=message)
    return found[1][:, 2].tolist()


CASES = st.builds(
    Case,
    sizes=st.lists(st.integers(1, 140), min_size=2, max_size=4).map(tuple),
    steps=st.integers(1, 90),
    batch=st.integers(1, 3),
    density=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    scale=st.sampled_from([0.02, 0.5, 3.0, 100.0]),
    counted=st.booleans(),
    bits=st.sampled_from([8, 8, 2]),
    per_neuron=st.booleans(),
    learn=st.booleans(),
    delay=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 999),
)


@given(CASES)
@settings(max_examples=60)
@example(Case(sizes=(1, 1), steps=1, batch=1, density=1.0))
@example(  # the terms of the weight's gradient cancel
    Case((1, 1), 62, 1, density=0.05, scale=0.5, per_neuron=False, learn=False, bias=True, seed=632)
)
@example(Case(sizes=(300, 130, 64, 40), steps=500, batch=1))  # several runs of steps
@example(Case(sizes=(60, 300, 200, 40), steps=500, batch=3))  # several samples
@example(Case(sizes=(60, 300, 40), steps=20, batch=5))  # all samples in one block
@example(Case(sizes=(300, 257, 33), steps=700, density=0.3, scale=4.0))  # ordered by input
def test_engines_agree(case):
    check(case)


def test_layers_read_events_if_their_input_is_sparse_and_binary():
    assert check(Case()) == [EVENTS, EVENTS]
    assert check(Case(density=0.6, scale=0.05)) == [PRODUCT, EVENTS]
    assert check(Case(counted=True, scale=0.1)) == [PRODUCT, EVENTS]
    assert check(Case(scale=100.0, delay=False, per_neuron=False)) == [EVENTS, PRODUCT]
    assert check(Case(density=0.0)) == [EVENTS, EVENTS]


def test_a_gradient_may_be_expanded_over_the_steps():
    signal, tensors = Case().tensors()
    gradient = Case().gradient()[:1].expand(60, -1, -1)
    found = []
    for each in (gradient, gradient.contiguous()):
        out, _, _ = Case().call(signal, tensors)
        found.append(torch.autograd.grad(out, tensors[0], each)[0])
    assert torch.equal(*found)


def test_events_by_row_and_by_input_give_equal_gradients(monkeypatch):
    case = Case(sizes=(300, 130, 110), steps=700, density=0.3, scale=4.0)
    found = []
    for min_events in (0, 1 << 30):
        monkeypatch.setattr(events_by_input, "_MIN_EVENTS", min_events)
        monkeypatch.setattr(events_by_input, "_MIN_VECTORS", 0)
        found.append(all_results(case, "cpu"))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("density", [0.05, 0.6])
def test_results_do_not_depend_on_the_number_of_threads(batch, density):
    case, before = Case((90, 300, 40), 300, batch, density), torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(all_results(case, "cpu"))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


@pytest.mark.parametrize("density", [0.1, 0.6])
def test_nothing_is_saved_without_a_backward_pass(density):
    case = Case(density=density)
    signal, tensors = case.tensors()
    with torch.no_grad():
        out, notes, saved = case.call(signal, tensors, keep=False)
    expected = all_results(case, "cpu")
    assert saved == []
    assert torch.equal(out, expected[0])
    assert torch.equal(notes, expected[1])


@pytest.mark.parametrize("learn", [False, True])
def test_gradients_that_are_not_needed_change_no_others(learn):
    case = Case(learn=learn)
    found = all_results(case, "cpu", want_input=False)
    _, _, _, *expected = all_results(case, "cpu")
    assert all(torch.equal(one, two) for one, two in zip(found[2:], expected, strict=True))


def test_nan_and_infinite_gradients_propagate():
    case = Case()
    signal, tensors = case.tensors()
    gradient = case.gradient()
    gradient[20, 1, 5] = torch.nan
    out, _, _ = case.call(signal, tensors)
    out.backward(gradient)
    assert torch.isnan(tensors[0].grad).any(), "of the hidden layer"
    assert torch.isnan(tensors[5].grad).any(1).nonzero().tolist() == [[5]]


def test_one_segment_equals_several():
    """Segments of one layer each, with floats in between, give equal spikes and gradients."""
    case = replace(Case(), sizes=(40, 70, 50, 33))
    signal, tensors = case.tensors()
    for number in range(3):
        one = replace(case, sizes=case.sizes[number : number + 2])
        signal, *_ = one.call(signal, tensors[5 * number : 5 * number + 5])
    signal.backward(case.gradient())
    expected = all_results(case, "cpu", want_input=False)
    assert torch.equal(signal.detach(), expected[0])
    leaves = [tensor.grad for tensor in tensors if tensor.requires_grad]
    for one, other in zip(leaves, expected[2:], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6 * other.abs().max().item())
