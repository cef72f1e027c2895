"""Neurons on the CUDA engine: outputs, states, counts and gradients are those of the reference.

Without a GPU, Triton interprets the kernels (see ``conftest``), so that layers are small here.
"""

import importlib.util
import math

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from support import equations
from support.cuba_cases import GPU
from support.grids import check_examples, examples, grid
from support.neuron_cases import DEFINITIONS, RANDOM, NeuronCase, case_of, neuron_cases

from netdesc.kernels.fixed_point import STATE_LIMIT
from netdesc.kernels.grid import parameter_vector
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition, ParameterKind

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None, reason="Triton is not installed"
    ),
    # Tests overflow on purpose, of which numpy warns.
    pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter"),
]

SEEDS = st.integers(0, 2**32 - 1)


def random_states(case: NeuronCase, rng: np.random.Generator) -> list[torch.Tensor]:
    """Returns states, who fired, and with a delay an output."""
    forward = case.neurons().program.forward
    is_flag = [False] * len(forward.after) + [True, forward.output is None][: 1 + case.delay]
    return [
        torch.from_numpy(rng.integers(*((0, 2) if flag else (-9000, 9000)), case.shape[1:])).int()
        for flag in is_flag
    ]


def check_forward(case: NeuronCase, rng: np.random.Generator) -> torch.Tensor:
    """Compares all bits; returns the counts."""
    states = random_states(case, rng)
    for given in ([], states):
        expected, counts, expected_states, _ = case.run("reference", given)
        own, own_counts, own_states, _ = case.to(GPU).run("cuda", [each.to(GPU) for each in given])
        found, wanted = [own, own_counts, *own_states], [expected, counts, *expected_states]
        for one, other in zip(found, wanted, strict=True):
            assert (one.dtype, one.device.type) == (other.dtype, GPU.type)
            assert torch.equal(one.cpu(), other)
    return counts


def check(case: NeuronCase, seed: int) -> None:
    counts = check_forward(case, np.random.default_rng(seed))
    if counts[:-2].max() < STATE_LIMIT:  # saturation hides what an adjoint derives
        case.check_gradients("cuda", seed)


@pytest.mark.parametrize("name", grid(DEFINITIONS, ["mixed_exact"]))
def test_known_neurons_equal_the_reference(name: str) -> None:
    """In two blocks of columns, of which steps are loaded twice."""
    rng = np.random.default_rng(len(name))
    definition = DEFINITIONS[name]
    kinds = compile_neuron(definition, learn=True).parameters.values()
    parameters = [torch.from_numpy(rng.uniform(0.1, 0.9, 17)).float() for _ in kinds]
    parameters[1::2] = [each[0] for each in parameters[1::2]]
    inputs = [torch.from_numpy(rng.normal(0.3, 1, (10, 2, 17))).float() for _ in definition.inputs]
    check(NeuronCase(definition, inputs, parameters, delay=len(name) % 2), seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFINITIONS)
def test_any_known_neurons_equal_the_reference(name: str) -> None:
    check_examples(20, check, neuron_cases(st.just(DEFINITIONS[name])), SEEDS)


@examples(1, 200)
def test_random_neurons_equal_the_reference(number: int) -> None:
    def check_random(random: equations.Case, far: equations.Case, delay: int, seed: int) -> None:
        check(case_of(random, delay), seed)
        check_forward(case_of(far, delay), np.random.default_rng(seed))

    cases = equations.cases(RANDOM, max_steps=12), equations.cases(RANDOM, max_steps=9, far=True)
    check_examples(number, check_random, *cases, st.integers(0, 1), SEEDS)


EDGES = [0.0, 0.5, 3.0, 1e9, -1e9, math.nan, math.inf, -math.inf, 1e-45, -1.9999 / 4096]
"""Inputs: silence, exactly the threshold, a spike in every step, saturation and odd floats."""


@pytest.mark.parametrize("shape", grid([(1, 1, 1), (8, 1, 33), (9, 2, 20)], [(9, 2, 20)]))
@pytest.mark.parametrize("name", grid(DEFINITIONS, ["sigma_delta"]))
def test_edges(name: str, shape: tuple[int, int, int]) -> None:
    """Each neuron gets one of the inputs in all steps, and a decay or factor of 0, 1 or 0.3."""
    definition = DEFINITIONS[name]
    _, _, count = shape
    inputs = [torch.tensor(EDGES).repeat(count)[:count].expand(shape)] * len(definition.inputs)
    shares = torch.tensor([1.0, 0.0, 0.3]).repeat_interleave(len(EDGES)).repeat(count)[:count]
    values = {"threshold": torch.tensor(0.5), "grid": torch.tensor(0.0), "real": torch.tensor(0.5)}
    case = NeuronCase(definition, inputs, [], delay=0)
    kinds = dict(definition.parameters)
    kinds |= {"bias": "grid"} if any("norm(" in each for each in definition.step) else {}
    kinds |= {"peak": "real", "width": "real"} if definition.spike else {}
    case.parameters = [values.get(kind, shares) for kind in kinds.values()]
    check_forward(case, np.random.default_rng(0))


ODD = [math.nan, math.inf, -math.inf, -0.25, 1.5, 0.0, 1.0, -1.0, 0.5 / 4096, 1.5 / 4096,
       -2.5 / 4096, 0.3, 0.999 / 64, -1.001 / 64, 32767.99, 1e5]  # fmt: skip

READERS: dict[ParameterKind, str] = {
    "decay": "s = decay(x, p)",
    "factor": "s = scaled(x, p)",
    "threshold": "s = x + p",
    "grid": "s = x + p",
}
SHARES = ("decay", "factor")


@pytest.mark.parametrize("unit_bits", [12, 18])
@pytest.mark.parametrize("kind", READERS)
def test_parameters_are_rounded_as_in_torch(kind: ParameterKind, unit_bits: int) -> None:
    odd = torch.tensor(ODD)
    input_TBN = torch.full((1, 1, len(ODD)), 4096 / 2**unit_bits if kind in SHARES else 0.0)
    definition = Definition((("p", kind),), (READERS[kind],), output="s", unit_bits=unit_bits)
    case = NeuronCase(definition, [input_TBN], [odd], delay=0).to(GPU)
    (state_BN, _), *_ = case.run("cuda", [each.to(GPU) for each in case.zero_states()])[2:]
    assert torch.equal(state_BN[0].cpu(), parameter_vector(kind, odd, len(ODD), 1 << unit_bits))


def test_gradients_are_the_same_in_every_run() -> None:
    torch.manual_seed(0)
    case = NeuronCase(
        DEFINITIONS["cuba"], [torch.randn(5, 2, 17)], [torch.rand(17) for _ in range(6)], delay=1
    ).to(GPU)  # fmt: skip
    runs = [case.gradients(torch.ones(case.shape, device=GPU), "cuda") for _ in range(2)]
    assert len(runs[0]) == 5
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinite_gradients_propagate(bad: float) -> None:
    case = NeuronCase(
        DEFINITIONS["cuba"], [torch.ones(5, 1, 3)], [torch.full((3,), 0.3)] * 6, delay=0
    ).to(GPU)  # fmt: skip
    grad_out = torch.ones(case.shape, device=GPU)
    grad_out[3, 0, 1] = bad
    for each in case.gradients(grad_out, "cuda").values():
        is_finite = each.isfinite().reshape(-1, 3).all(0)
        assert is_finite.tolist() == [True, False, True]
