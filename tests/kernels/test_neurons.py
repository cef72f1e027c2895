"""The operator ``neurons`` and its definition in plain torch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import equations, neuron_definitions
from support.equation_interpreter import run_equations
from support.neuron_cases import DEFINITIONS, RANDOM, NeuronCase, case_of, neuron_cases
from support.program_interpreter import ForwardMode, forward

from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine
from netdesc.kernels.layer_neurons import check_neurons, make_neurons
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition

CUBA = DEFINITIONS["cuba"]

SEEDS = st.integers(0, 2**32 - 1)

NO_SATURATION = 1 << 25
"""While all states are smaller, no sum of a random equation is saturated within it."""


@settings(max_examples=30)
@given(random=equations.cases(RANDOM), delay=st.integers(0, 1))
def test_outputs_states_and_notes_are_those_of_the_text(random: equations.Case, delay: int) -> None:
    case = case_of(random, delay)
    steps, _, count = case.shape
    states = case.neurons().program.states
    runs = [
        run_equations(
            random.definition, random.parameters, [each_TN[order] for each_TN in random.inputs_TN]
        )
        for order in (slice(None), slice(None, None, -1))
    ]
    largest = {
        name: max(np.abs(run.before_reset_TN[name]).max() for run in runs) for name in states
    }
    assume(max(largest.values()) < NO_SATURATION)
    out_TBN, counts, final, _ = case.run(states=case.zero_states())
    for sample, run in enumerate(runs):
        output_TN = np.concatenate([np.zeros((delay, count)), run.output_TN])[:steps]
        np.testing.assert_array_equal(out_TBN[:, sample], (output_TN / 4096).astype(np.float32))
        for place, name in enumerate(states):
            np.testing.assert_array_equal(final[place][sample], run.after_TN[name][-1])
        np.testing.assert_array_equal(final[len(states)][sample], run.spikes_TN[-1])
    assert counts.tolist() == [*largest.values(), 0, out_TBN.count_nonzero()]


@settings(max_examples=30)
@given(random=equations.cases(RANDOM), data=st.data())
def test_a_signal_is_a_state_before_its_reset(random: equations.Case, data: st.DataObject) -> None:
    """It is handed on in place of spikes, which still reset states and are read by equations."""
    name = data.draw(st.sampled_from(random.definition.states))
    run = run_equations(random.definition, random.parameters, random.inputs_TN)
    assume(max(np.abs(each).max() for each in run.before_reset_TN.values()) < NO_SATURATION)
    case = case_of(replace(random, definition=replace(random.definition, signal=name)), 0)
    expected_TN = (run.before_reset_TN[name] / 4096).astype(np.float32)
    np.testing.assert_array_equal(case.run()[0][:, 0], expected_TN)


@settings(max_examples=30)
@given(case=neuron_cases(sizes=(0.1, 1.0, 30.0)), seed=SEEDS)
def test_gradients_are_those_of_forward_mode(case: NeuronCase, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Each neuron has its own parameters here, because sums over neurons are rounded to float32.
    case.parameters = [each.expand(case.shape[2]).clone() for each in case.parameters]
    neurons = case.neurons()
    program = neurons.program
    named = zip(program.parameters, neurons.parameters, strict=True)
    fixed = {("parameter", name): each.double().numpy() for name, each in named}
    *_, saved = case.run(keep=True)
    inputs_TBN = [each.double().numpy() for each in saved]
    steps = forward(program, fixed, list(zip(*inputs_TBN, strict=True)))
    grad_out_TBN = torch.from_numpy(rng.normal(size=case.shape)).float()
    late_TBN = grad_out_TBN.double().numpy()[case.delay :]
    for name, grad in case.gradients(grad_out_TBN).items():
        direction = rng.normal(size=grad.shape)
        terms = grad.double().numpy() * direction
        slope_TBN = ForwardMode(program, neurons.state_unit).run(steps, {name: direction})
        expected_TBN = slope_TBN[: len(late_TBN)] * late_TBN
        size = np.abs(terms).sum() + np.abs(expected_TBN).sum()
        smallest = 1e-15  # what remains of numbers near 1 that cancel in double precision
        assert abs(expected_TBN.sum() - terms.sum()) <= 1e-5 * size + smallest, name


@pytest.mark.parametrize(
    ("value", "expected"),
    [("abs(x)", (1, 0)), ("min(x, y)", (0, 1)), ("max(x, y)", (0, 1)), ("clip(x, 0, 1)", (0, 0))],
)
def test_gradients_where_both_branches_are_equal(value: str, expected: tuple[int, int]) -> None:
    step = (f"v = 0 * y + {value}",)
    zeros = [torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)]
    case = NeuronCase(Definition((), step, output="v", inputs=("x", "y")), zeros, [], 0)
    grads = case.gradients(torch.ones(1, 1, 1))
    assert (grads["x"].item(), grads["y"].item()) == expected


@settings(max_examples=40)
@given(case=neuron_cases(), data=st.data())
def test_runs_that_continue_equal_one_long_run(case: NeuronCase, data: st.DataObject) -> None:
    steps = case.shape[0]
    cut = data.draw(st.integers(0, steps))
    expected, counts, none, _ = case.run()
    assert none == []
    states = case.zero_states()
    parts, largest, spikes = [], 0, 0
    for part in (slice(0, cut), slice(cut, steps)):
        if part.start < part.stop:
            out_TBN, part_notes, states, saved = case.run(states=states, steps=part)
            assert saved == []
            parts.append(out_TBN)
            largest = torch.maximum(part_notes[:-2], torch.as_tensor(largest))
            spikes += part_notes[-1]
    assert torch.equal(torch.cat(parts), expected)
    assert torch.equal(largest, counts[:-2])
    assert spikes == counts[-1]


def small_case(**changes: object) -> dict[str, object]:
    """Arguments of the operator for CUBA neurons, all right but for ``changes``."""
    inputs = [torch.zeros(4, 2, 3)]
    parameters = [torch.tensor(0.5) for _ in range(6)]
    arguments: dict[str, object] = {
        "inputs_TBN": inputs, "weights_NN": [], "parameters": parameters, "states": [],
        "definition": CUBA.to_text(), "delay": 1, "learn": True, "keep": True,
    }  # fmt: skip
    return arguments | changes


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"inputs_TBN": [torch.zeros(4, 2, 3)] * 2}, "x"),
        ({"inputs_TBN": [torch.zeros(4, 6)]}, "input"),
        ({"inputs_TBN": [torch.zeros(4, 2, 0)]}, "input"),
        ({"inputs_TBN": [torch.zeros(4, 2, 3).double()]}, "input"),
        ({"parameters": [torch.tensor(0.5)] * 5}, "voltage_decay"),
        ({"parameters": [torch.ones(3)] * 5 + [torch.ones(4)]}, "width"),
        ({"parameters": [torch.ones(1), *[torch.ones(3)] * 5]}, "threshold"),
        ({"parameters": [torch.ones(3)] * 5 + [torch.ones(3, 1)]}, "width"),
        ({"parameters": [torch.tensor(1), *[torch.ones(3)] * 5]}, "threshold"),
        ({"states": [torch.zeros(2, 3).int()] * 4}, "backward"),
        ({"states": [torch.zeros(2, 3).int()] * 3, "keep": False}, "fired before"),
        ({"states": [torch.zeros(2, 3)] * 4, "keep": False}, "u"),
        ({"states": [torch.zeros(1, 3).int()] * 4, "keep": False}, "u"),
        ({"delay": 2}, "delay"),
    ],
)
def test_tensors_that_do_not_fit_are_errors(changes: dict[str, object], named: str) -> None:
    with use_engine("reference"), pytest.raises(ValueError, match=named):
        operators.neurons(**small_case(**changes))


def test_inputs_of_different_shapes_are_errors() -> None:
    inputs = [torch.zeros(4, 2, 3), torch.zeros(4, 2, 2)]
    parameters = [torch.tensor(0.5)] * 5
    changes = {"definition": neuron_definitions.RF.to_text(), "parameters": parameters}
    with use_engine("reference"), pytest.raises(ValueError, match="shape"):
        operators.neurons(**small_case(inputs_TBN=inputs, **changes))


def test_tensors_on_different_devices_are_errors() -> None:
    parameters = [torch.ones(3, device="meta"), *[torch.ones(3)] * 5]
    neurons = make_neurons(CUBA.to_text(), True, parameters, 3, 0)
    with pytest.raises(ValueError, match="threshold"):
        check_neurons([torch.zeros(4, 2, 3)], neurons, [], False)


def test_a_backward_pass_needs_keep() -> None:
    inputs = [torch.zeros(4, 2, 3, requires_grad=True)]
    with use_engine("reference"):
        out_TBN, *_ = operators.neurons(**small_case(inputs_TBN=inputs, keep=False))
    with pytest.raises(RuntimeError, match="keep"):
        out_TBN.sum().backward()


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("name", ["cuba", "payload"])
def test_a_compiled_call_computes_the_same(name: str, learn: bool) -> None:
    definition = DEFINITIONS[name]
    text = definition.to_text()
    torch.manual_seed(0)
    inputs = [torch.randn(9, 2, 5) for _ in definition.inputs]
    parameters = [torch.rand(5) for _ in compile_neuron(definition, learn).parameters]
    parameters[0].requires_grad_(learn)

    def step(*inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        arguments = (list(inputs), [], parameters, [], text, 1, learn, True)
        out_TBN, counts, *_ = operators.neurons(*arguments)
        return out_TBN, counts

    results = []
    for call in (step, torch.compile(step, backend="aot_eager", fullgraph=True)):
        leaves = [each.clone().requires_grad_() for each in inputs]
        learnt = parameters[:1] if learn else []
        with use_engine("reference"):
            out_TBN, counts = call(*leaves)
            grads = torch.autograd.grad(out_TBN.square().sum(), [*leaves, *learnt])
        results.append([out_TBN, counts, *grads])
    assert float(results[0][1][-1]) > 0
    for eager, compiled in zip(*results, strict=True):
        assert torch.equal(eager, compiled)
