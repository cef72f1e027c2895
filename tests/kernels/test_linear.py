"""Synapses without neurons: their output and gradients, by events and by the product."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from support.thread_counts import check_thread_counts

from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine
from netdesc.kernels.packing import holds_spikes


@dataclass(frozen=True)
class Case:
    steps: int = 30
    batch: int = 2
    inputs: int = 70
    neurons: int = 40
    density: float = 0.1
    graded: bool = False
    max_count: int = 1
    """Most spikes of an input in a step."""
    bits: int | None = None
    scale: float = 1.0
    positive: bool = False
    seed: int = 0

    def signal(self) -> torch.Tensor:
        random = torch.Generator().manual_seed(self.seed)
        shape = self.steps, self.batch, self.inputs
        spikes = (torch.rand(shape, generator=random) < self.density).float()
        spikes *= torch.randint(1, self.max_count + 1, shape, generator=random)
        return spikes * torch.rand(shape, generator=random) if self.graded else spikes

    def weight(self) -> torch.Tensor:
        """The weight as the operator receives it, already quantised."""
        random = torch.Generator().manual_seed(self.seed + 1)
        weight = self.scale * torch.randn(self.neurons, self.inputs, generator=random)
        weight = weight.abs() if self.positive else weight
        return weight if self.bits is None else operators.quantize_weight(weight, self.bits)

    def gradient(self) -> torch.Tensor:
        random = torch.Generator().manual_seed(self.seed + 2)
        return torch.randn(self.steps, self.batch, self.neurons, generator=random)


CASES = st.builds(
    Case,
    steps=st.integers(1, 40),
    batch=st.integers(1, 4),
    inputs=st.integers(1, 140),
    neurons=st.integers(1, 100),
    density=st.sampled_from([0.0, 0.02, 0.2, 0.4, 1.0]),
    graded=st.sampled_from([False, False, True]),
    max_count=st.sampled_from([1, 1, 2, 63]),
    bits=st.sampled_from([None, 8, 3]),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    positive=st.booleans(),
    seed=st.integers(0, 999),
)


def run_engine(case: Case, engine: str) -> tuple[torch.Tensor, ...]:
    """The output, and the gradients of the input and of the weights."""
    signal, weight = case.signal().requires_grad_(), case.weight().requires_grad_()
    with use_engine(engine):
        z, _ = operators.linear(signal, weight)
        z.backward(case.gradient())
    return z.detach(), signal.grad, weight.grad


@given(CASES)
@example(Case(density=0.0))
@example(Case(density=1.0))
@example(Case(steps=1, batch=1, inputs=1, neurons=1, density=1.0))
@example(Case(steps=700, density=0.02, inputs=257, neurons=33))
@example(Case(steps=700, density=0.5, inputs=257, neurons=33))
def test_engines_agree(case):
    found, expected = run_engine(case, "cpu"), run_engine(case, "reference")
    if case.bits is not None and not case.graded:
        np.testing.assert_array_equal(found[0].numpy(), expected[0].numpy())
    exact = case.signal().double(), case.weight().double(), case.gradient().double()
    sizes = [
        torch.einsum("tbi,oi->tbo", exact[0].abs(), exact[1].abs()),
        torch.einsum("tbo,oi->tbi", exact[2].abs(), exact[1].abs()),
        torch.einsum("tbo,tbi->oi", exact[2].abs(), exact[0].abs()),
    ]
    for one, other, size in zip(found, expected, sizes, strict=True):
        assert one.shape == other.shape
        assert ((one - other).abs() <= 1e-5 * size).all()


@pytest.mark.parametrize(
    ("case", "is_listed"),
    [
        (Case(density=0.05), True),
        (Case(density=0.0), True),
        (Case(density=0.6), False),
        (Case(density=0.05, graded=True), False),
    ],
)
def test_events_are_read_if_the_input_is_sparse(case, is_listed):
    """Then the input itself is not saved for the backward pass."""
    z, packed = operators.linear(case.signal(), case.weight().requires_grad_())
    assert holds_spikes(packed) == is_listed
    assert (z.grad_fn.saved_tensors[0] is None) == is_listed


@pytest.mark.parametrize("density", [0.1, 0.6])
def test_a_nan_weight_affects_only_its_neuron(density):
    case = Case(density=density)
    weight = case.weight()
    weight[3, 5] = torch.nan
    with torch.no_grad():
        z, _ = operators.linear(case.signal(), weight)
    assert torch.isnan(z).any(dim=0).any(dim=0).nonzero().tolist() == [[3]]


@pytest.mark.parametrize("density", [0.1, 0.6])
def test_the_number_of_threads_changes_nothing(density):
    case = Case(density=density, steps=300, batch=3, neurons=130)
    check_thread_counts(lambda: run_engine(case, "cpu"))
