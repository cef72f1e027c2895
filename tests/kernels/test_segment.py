"""Segments of several layers: the CPU engine against the reference, forward and backward."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.cuba_cases import CUBA, ENGINES
from support.neuron_cases import DEFINITIONS
from support.thread_counts import check_thread_counts

from netdesc.kernels import operators
from netdesc.kernels.cpu.synapses import weight_gradient
from netdesc.kernels.engines import use_engine
from netdesc.kernels.layer_neurons import EVENTS, PRODUCT, compile_text
from netdesc.neurons.definition import Definition

GRADED = DEFINITIONS["sigma_delta"].to_text()
"""Its output is graded, and its states have a smaller unit than those of others."""


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
    per_neuron: bool = True
    """Whether each neuron has its own parameters."""
    learn: bool = True
    delay: bool = True
    bias: bool = False
    seed: int = 0
    last: str = CUBA
    """The neurons of the last layer."""

    @property
    def texts(self) -> list[str]:
        return [*[CUBA] * (len(self.sizes) - 2), self.last]

    def tensors(self) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """Input, weights and parameters."""
        random = np.random.default_rng(self.seed)
        spikes = random.random((self.steps, self.batch, self.sizes[0])) < self.density
        values = spikes * (random.integers(1, 4, spikes.shape) if self.counted else 1.0)
        weights: list[torch.Tensor] = []
        parameters: list[torch.Tensor] = []
        for inputs, outputs, text in zip(self.sizes, self.sizes[1:], self.texts, strict=False):
            weight = random.normal(0, self.scale, (outputs, inputs))
            weights.append(torch.tensor(weight, dtype=torch.float32, requires_grad=True))
            for name, kind in compile_text(text, True)[1].parameters.items():
                most = 1.0 if name == "current_decay" else 0.5
                value = random.uniform(0, most, (outputs,) if self.per_neuron else ())
                if name == "bias":
                    value = random.integers(-30, 30, outputs) / 64 * self.bias
                if kind in ("threshold", "real"):
                    value = 0.5 * np.ones_like(value)
                parameter = torch.tensor(value, dtype=torch.float32)
                parameters.append(parameter.requires_grad_(self.learn and kind != "real"))
        return torch.tensor(values, dtype=torch.float32), weights, parameters

    def call(
        self, signal: torch.Tensor, *tensors: list[torch.Tensor], keep: bool = True
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        numbers = [int(self.delay), int(self.learn)] * len(self.texts)
        return operators.segment(signal, *tensors, "\n".join(self.texts), numbers, keep)

    def gradient(self) -> torch.Tensor:
        shape = self.steps, self.batch, self.sizes[-1]
        return torch.randn(shape, generator=torch.Generator().manual_seed(self.seed))


def all_results(case: Case, engine: str, want_input: bool = True) -> list[torch.Tensor]:
    """The output, the counts of each layer, then the gradients of input, weights, parameters."""
    signal, *tensors = case.tensors()
    signal.requires_grad_(want_input)
    with use_engine(engine):
        out, counts, _ = case.call(signal, *tensors)
        out.backward(case.gradient())
    leaves = [leaf for leaf in (signal, *tensors[0], *tensors[1]) if leaf.requires_grad]
    return [out.detach(), *counts, *(leaf.grad for leaf in leaves)]


def check(case: Case) -> list[int]:
    """Compares with the reference; returns the layers' paths."""
    found, expected = all_results(case, "cpu"), all_results(case, "reference")
    assert torch.equal(found[0], expected[0]), "spikes"
    first = 1 + len(case.texts)
    paths = []
    for one, other in zip(found[1:first], expected[1:first], strict=True):
        *states, path, count = one.tolist()
        assert [*states, PRODUCT, count] == other.tolist(), "peaks and counts"
        paths.append(path)
    largest_of_all = max(each.abs().max().item() for each in expected[first:])
    for number, (one, other) in enumerate(zip(found[first:], expected[first:], strict=True)):
        # The terms of a weight's gradient may cancel, and those of a parameter's in any case.
        is_parameter = number > len(case.texts)
        largest = max(other.abs().max().item(), (1.0 if is_parameter else 0.25) * largest_of_all)
        tolerance = 2e-5 if other.dim() else 1e-3
        message = f"gradient {number}"
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * largest, msg=message)
    return paths


CASES = st.builds(
    Case,
    sizes=st.lists(st.integers(1, 140), min_size=2, max_size=4).map(tuple),
    steps=st.integers(1, 90),
    batch=st.integers(1, 3),
    density=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    scale=st.sampled_from([0.02, 0.5, 3.0, 100.0]),
    counted=st.booleans(),
    per_neuron=st.booleans(),
    learn=st.booleans(),
    delay=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 999),
    last=st.sampled_from([CUBA, CUBA, GRADED]),
).map(lambda case: replace(case, learn=case.learn or case.last == GRADED))
"""Graded neurons always learn, so that they are compiled once."""


@given(CASES)
@settings(max_examples=15)
@example(Case(sizes=(1, 1), steps=1, batch=1, density=1.0))
@example(  # the terms of the weight's gradient cancel
    Case((1, 1), 62, 1, density=0.05, scale=0.5, per_neuron=False, learn=False, bias=True, seed=632)
)
@example(Case((7, 127), 64, 3, density=1.0, scale=100.0, bias=True, seed=68))  # they cancel, too
@example(Case(sizes=(300, 130, 64, 40), steps=500, batch=1))  # several runs of steps
@example(Case(sizes=(60, 300, 40), steps=20, batch=5))  # all samples in one block
@example(Case(sizes=(300, 257, 33), steps=300, batch=3, density=0.3, scale=4.0))  # by input
@example(Case(sizes=(40, 70, 33), last=GRADED))
@example(Case(sizes=(300, 5), steps=5, density=0.3, scale=100.0, last=GRADED))  # saturated sums
def test_engines_agree(case):
    check(case)


def test_layers_read_events_if_their_input_is_sparse_and_binary():
    assert check(Case()) == [EVENTS, EVENTS]
    assert check(Case(density=0.6, scale=0.05)) == [PRODUCT, EVENTS]
    assert check(Case(counted=True, scale=0.1)) == [PRODUCT, EVENTS]
    assert check(Case(scale=100.0, delay=False, per_neuron=False)) == [EVENTS, PRODUCT]
    assert check(Case(density=0.0)) == [EVENTS, EVENTS]


def test_a_gradient_may_be_expanded_over_the_steps():
    signal, weights, parameters = Case().tensors()
    gradient = Case().gradient()[:1].expand(60, -1, -1)
    found = []
    for each in (gradient, gradient.contiguous()):
        out, _, _ = Case().call(signal, weights, parameters)
        found.append(torch.autograd.grad(out, weights[0], each)[0])
    assert torch.equal(*found)


def test_events_by_row_and_by_input_give_equal_gradients(monkeypatch):
    case = Case(sizes=(300, 130, 110), steps=300, density=0.3, scale=4.0)
    found = []
    for min_events in (0, 1 << 30):
        monkeypatch.setattr(weight_gradient, "_MIN_EVENTS", min_events)
        monkeypatch.setattr(weight_gradient, "_MIN_VECTORS", 0)
        found.append(all_results(case, "cpu"))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("density", [0.05, 0.6])
def test_results_do_not_depend_on_the_number_of_threads(batch, density):
    case = Case((90, 300, 40), 100, batch, density)
    check_thread_counts(lambda: all_results(case, "cpu"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("density", [0.1, 0.6])
def test_nothing_is_saved_without_a_backward_pass(engine, density):
    case = Case(density=density)
    with use_engine(engine), torch.no_grad():
        out, counts, saved = case.call(*case.tensors(), keep=False)
    assert saved == []
    for one, other in zip([out, *counts], all_results(case, engine), strict=False):
        assert torch.equal(one, other)


@pytest.mark.parametrize("learn", [False, True])
def test_gradients_that_are_not_needed_change_no_others(learn):
    case = Case(learn=learn)
    found = all_results(case, "cpu", want_input=False)
    _, _, _, _, *expected = all_results(case, "cpu")
    assert all(torch.equal(one, two) for one, two in zip(found[3:], expected, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_and_infinite_gradients_propagate(engine, bad):
    """Otherwise training would not notice them."""
    case = Case()
    signal, weights, parameters = case.tensors()
    gradient = case.gradient()
    gradient[20, 1, 5] = bad
    with use_engine(engine):
        out, _, _ = case.call(signal, weights, parameters)
        out.backward(gradient)
    assert not weights[0].grad.isfinite().all(), "of the hidden layer"
    assert (~weights[1].grad.isfinite()).any(1).nonzero().tolist() == [[5]]


@pytest.mark.parametrize("engine", ENGINES)
def test_one_segment_equals_several(engine):
    """Segments of one layer each, with floats in between, give equal spikes and gradients."""
    case = replace(Case(), sizes=(40, 70, 50, 33))
    signal, weights, parameters = case.tensors()
    each = len(parameters) // 3
    with use_engine(engine):
        for number in range(3):
            one = replace(case, sizes=case.sizes[number : number + 2])
            own = parameters[each * number : each * (number + 1)]
            signal, *_ = one.call(signal, weights[number : number + 1], own)
        signal.backward(case.gradient())
    expected = all_results(case, engine, want_input=False)
    assert torch.equal(signal.detach(), expected[0])
    leaves = [tensor.grad for tensor in (*weights, *parameters) if tensor.requires_grad]
    for one, other in zip(leaves, expected[4:], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6 * other.abs().max().item())


TWO_INPUTS = Definition((), ("v = x + y",), output="v", inputs=("x", "y")).to_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"definitions": f"{GRADED}\n{CUBA}"}, "only the last layer"),
        ({"definitions": f"{CUBA}\n{TWO_INPUTS}"}, "one input"),
        ({"parameters": [torch.tensor(0.5)] * 11}, "5 parameters"),
        ({"parameters": [torch.tensor(0.5)] * 13}, "13 parameters"),
        ({"parameters": [torch.ones(3)] * 12}, r"shape \[3\]; \[\] or \[7\]"),
        ({"weights": [torch.ones(7, 5), torch.ones(4, 6)]}, r"\[4, 6\] do not fit"),
    ],
)
def test_layers_that_do_not_fit_are_refused(changes: dict[str, Any], message: str):
    weights, parameters = [torch.ones(7, 5), torch.ones(4, 7)], [torch.tensor(0.5)] * 12
    given: dict[str, Any] = {
        "weights": weights, "parameters": parameters, "definitions": f"{CUBA}\n{CUBA}",
        "numbers": [1, 0] * 2, "keep": False,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        operators.segment(torch.zeros(6, 2, 5), **given | changes)
