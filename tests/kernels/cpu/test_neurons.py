"""Neurons on the CPU engine: outputs, states, notes and gradients are those of the reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import equations
from support.neuron_cases import DEFINITIONS, NeuronCase, case_of, neuron_cases

from netdesc.kernels import operators
from netdesc.kernels.engine import use_engine
from netdesc.neurons.definition import Definition

SEEDS = st.integers(0, 2**32 - 1)

BY_DEFAULT = {"cuba", "alif", "sigma_delta", "payload", "mixed_exact"}
"""Neurons that together print every operation. Each takes seconds to compile."""

NAMES = [
    name if name in BY_DEFAULT else pytest.param(name, marks=pytest.mark.slow)
    for name in sorted(DEFINITIONS)
]

UNSATURATED = (0.0, 0.1, 1.0, 30.0)
"""Sizes of inputs with which states are not saturated; saturation hides the state of a step."""


def zeros_of(case: NeuronCase) -> list[torch.Tensor]:
    _, batch, count = case.inputs_TBN[0].shape
    slots = len(case.neurons().program.states) + 1 + case.delay
    return [torch.zeros(batch, count, dtype=torch.int32) for _ in range(slots)]


def check_forward(case: NeuronCase) -> None:
    expected, notes, *_ = case.run("reference")
    out_TBN, own_notes, _, saved = case.run("cpu", keep=True)
    assert torch.equal(out_TBN, expected)
    assert torch.equal(own_notes, notes)
    assert saved
    *_, states, _ = case.run("reference", states=zeros_of(case))
    middle = len(out_TBN) // 2
    parts, own_states = [], zeros_of(case)
    for steps in (slice(0, middle), slice(middle, None)):
        if steps != slice(0, 0):
            part, _, own_states, _ = case.run("cpu", own_states, steps=steps)
            parts.append(part)
    assert torch.equal(torch.cat(parts), expected)
    for own, each in zip(own_states, states, strict=True):
        assert torch.equal(own, each)


def check_gradients(case: NeuronCase, seed: int) -> None:
    """Terms may cancel in sums over samples and steps, so the bound is 1e-4 of the largest."""
    rng = np.random.default_rng(seed)
    grad_out = torch.from_numpy(rng.normal(size=case.inputs_TBN[0].shape).astype(np.float32))
    expected = case.gradients(grad_out)
    for name, own in case.gradients(grad_out, "cpu").items():
        bound = 1e-4 * expected[name].abs().max() + 1e-12
        assert (own - expected[name]).abs().max() <= bound, name


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=SEEDS)
def test_known_neurons_equal_the_reference(name: str, data: st.DataObject, seed: int) -> None:
    definition = st.just(DEFINITIONS[name])
    check_forward(data.draw(neuron_cases(definition)))
    check_gradients(data.draw(neuron_cases(definition, UNSATURATED)), seed)


def check_random(definition: Definition, data: st.DataObject, seed: int) -> None:
    of = st.just(definition)
    for _ in range(4):
        check_forward(case_of(data.draw(equations.cases(of, far=True)), data.draw(SEEDS) % 2))
        check_gradients(case_of(data.draw(equations.cases(of)), data.draw(SEEDS) % 2), seed)


@settings(max_examples=6, deadline=None)
@given(definition=equations.definitions(), data=st.data(), seed=SEEDS)
def test_random_neurons_equal_the_reference(
    definition: Definition, data: st.DataObject, seed: int
) -> None:
    check_random(definition, data, seed)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(definition=equations.definitions(), data=st.data(), seed=SEEDS)
def test_many_random_neurons_equal_the_reference(
    definition: Definition, data: st.DataObject, seed: int
) -> None:
    check_random(definition, data, seed)


CUBA_NAMES = ("threshold", "current_decay", "voltage_decay", "bias", "peak", "width")


def cuba_case(input_TBN: torch.Tensor, parameters: list[float], delay: int) -> NeuronCase:
    tensors = [torch.tensor(each) for each in parameters]
    return NeuronCase(DEFINITIONS["cuba"], [input_TBN], tensors, delay)


INPUTS = {
    "silence": lambda shape: np.zeros(shape),
    "every step spikes": lambda shape: np.full(shape, 3.0),
    "v equals the threshold": lambda shape: np.full(shape, 0.5),
    "states saturate": lambda shape: np.full(shape, 1e9),
    "states leave the near range": lambda shape: np.linspace(-300, 300, np.prod(shape)),
    "noise": lambda shape: np.random.default_rng(0).normal(size=shape),
}


@pytest.mark.parametrize("kind", sorted(INPUTS))
@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 1, 33), (65, 2, 1), (40, 3, 700)])
@pytest.mark.parametrize("decays", [(0.0, 0.0), (1.0, 1.0), (0.3, 0.1)])
def test_cuba_equals_the_operator_cuba(
    kind: str, shape: tuple[int, int, int], decays: tuple[float, float]
) -> None:
    z_TBN = torch.from_numpy(INPUTS[kind](shape).reshape(shape).astype(np.float32))
    delay = len(kind) % 2
    grad_out = torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))
    case = cuba_case(z_TBN, [0.5, *decays, 0.0, 0.001, 50.0], delay)
    own = case.gradients(grad_out, "cpu")
    leaves = [z_TBN, *(torch.tensor(decay, requires_grad=True) for decay in decays)]
    with use_engine("cpu"):
        none = torch.empty(0)
        numbers = [0.5, 1.0, 1.0, float(delay)]
        out_TBN, _, notes = operators.cuba(*leaves, none, none, numbers)
        grads = torch.autograd.grad(out_TBN, leaves, grad_out)
    own_out, own_notes, *_ = case.run("cpu")
    assert torch.equal(own_out, out_TBN)
    assert torch.equal(own_notes, notes)
    if kind == "states saturate":
        return
    for name, grad in zip(("x", "current_decay", "voltage_decay"), grads, strict=True):
        assert (own[name] - grad).abs().max() <= 1e-6 * grad.abs().max() + 1e-12, name


@pytest.mark.parametrize("threads", [1, 2])
def test_results_depend_on_no_number_of_threads(threads: int) -> None:
    shape = 70, 5, 200
    z_TBN = torch.from_numpy(INPUTS["noise"](shape).astype(np.float32))
    case = cuba_case(z_TBN, [0.5, 0.3, 0.1, 0.0, 0.001, 50.0], 1)
    grad_out = torch.ones(1, *shape[1:]).expand(shape)
    before, results = torch.get_num_threads(), []
    try:
        for number in (threads, 3):
            torch.set_num_threads(number)
            results.append([case.run("cpu")[0], *case.gradients(grad_out, "cpu").values()])
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)
