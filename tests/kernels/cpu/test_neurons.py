"""Neurons on the CPU engine: outputs, states, counts and gradients are those of the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import equations
from support.grids import check_examples, examples, grid
from support.neuron_cases import DEFINITIONS, NeuronCase, case_of, neuron_cases
from support.thread_counts import check_thread_counts

from netdesc.neurons.definition import Definition

SEEDS = st.integers(0, 2**32 - 1)

UNSATURATED = (0.0, 0.1, 1.0, 30.0)
"""Sizes of inputs with which states are not saturated; saturation hides the state of a step."""


def check_forward(case: NeuronCase) -> None:
    expected, counts, *_ = case.run("reference")
    out_TBN, own_counts, _, saved = case.run("cpu", keep=True)
    assert torch.equal(out_TBN, expected)
    assert torch.equal(own_counts, counts)
    assert saved
    *_, states, _ = case.run("reference", states=case.zero_states())
    middle = len(out_TBN) // 2
    parts, own_states = [], case.zero_states()
    for steps in (slice(0, middle), slice(middle, None)):
        if steps != slice(0, 0):
            part, _, own_states, _ = case.run("cpu", own_states, steps=steps)
            parts.append(part)
    assert torch.equal(torch.cat(parts), expected)
    for own, each in zip(own_states, states, strict=True):
        assert torch.equal(own, each)


@pytest.mark.parametrize("name", grid(DEFINITIONS, ["cuba", "payload", "sigma_delta"]))
@settings(max_examples=25)
@given(data=st.data(), seed=SEEDS)
def test_known_neurons_equal_the_reference(name: str, data: st.DataObject, seed: int) -> None:
    definition = st.just(DEFINITIONS[name])
    check_forward(data.draw(neuron_cases(definition)))
    data.draw(neuron_cases(definition, UNSATURATED)).check_gradients("cpu", seed)


def check_random(definition: Definition, data: st.DataObject, seed: int) -> None:
    of = st.just(definition)
    for _ in range(4):
        check_forward(case_of(data.draw(equations.cases(of, far=True)), data.draw(SEEDS) % 2))
        case_of(data.draw(equations.cases(of)), data.draw(SEEDS) % 2).check_gradients("cpu", seed)


@examples(1, 200)
def test_random_neurons_equal_the_reference(number: int) -> None:
    check_examples(number, check_random, equations.definitions(), st.data(), SEEDS)


EDGES = {
    "silence": lambda shape: np.zeros(shape),
    "every step spikes": lambda shape: np.full(shape, 3.0),
    "v equals the threshold": lambda shape: np.full(shape, 0.5),
    "states saturate": lambda shape: np.full(shape, 1e9),
    "states leave the near range": lambda shape: np.linspace(-300, 300, np.prod(shape)),
    "noise": lambda shape: np.random.default_rng(0).normal(size=shape),
}


def cuba_case(
    kind: str, shape: tuple[int, int, int], decays: tuple[float, float], delay: int
) -> NeuronCase:
    input_TBN = torch.from_numpy(EDGES[kind](shape).reshape(shape).astype(np.float32))
    parameters = [torch.tensor(each) for each in (0.5, *decays, 0.0, 0.001, 50.0)]
    cuba = replace(DEFINITIONS["cuba"], surrogate="exponential")
    return NeuronCase(cuba, [input_TBN], parameters, delay)


@pytest.mark.parametrize("kind", EDGES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 1, 33), (65, 2, 1), (40, 3, 700)])
@pytest.mark.parametrize("decays", [(0.0, 0.0), (1.0, 1.0), (0.3, 0.1)])
def test_edges(kind: str, shape: tuple[int, int, int], decays: tuple[float, float]) -> None:
    case = cuba_case(kind, shape, decays, delay=len(kind) % 2)
    check_forward(case)
    if kind != "states saturate":
        case.check_gradients("cpu", seed=1)


def test_results_depend_on_no_number_of_threads() -> None:
    shape = 70, 5, 200
    case = cuba_case("noise", shape, (0.3, 0.1), delay=1)
    grad_out = torch.ones(1, *shape[1:]).expand(shape)
    check_thread_counts(lambda: [case.run("cpu")[0], *case.gradients(grad_out, "cpu").values()])
