"""Neurons that read their own outputs, on every engine, against neurons that do not.

In each step, what arrives depends only on outputs of steps before. So outputs, and what arrives
together with them, are right if neurons without recurrence give the same outputs for the same
arrivals; and the gradients are right if they are those of such neurons for the outputs' gradients,
to which the weights have added.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cuba_cases import ENGINES
from support.neuron_cases import DEFINITIONS, NeuronCase
from support.recurrent_cases import RecurrentCase, recurrent_cases

from netdesc.kernels.layer_neurons import outputs_before

FEW = st.sampled_from(["integrator", "rf"]).map(DEFINITIONS.__getitem__)
"""Neurons with graded values, and with spikes and two inputs."""


@settings(max_examples=40)
@given(case=recurrent_cases())
def test_outputs_follow_from_what_arrives(case: RecurrentCase) -> None:
    check_outputs(case)


def check_outputs(case: RecurrentCase) -> None:
    out_TBN, counts, final, _ = case.run(states=case.zero_states())
    alone = case.without_loop()
    expected_TBN, expected_counts, states, _ = alone.run(case.engine, alone.zero_states())
    assert torch.equal(out_TBN, expected_TBN)
    assert torch.equal(counts, expected_counts)
    assert all(map(torch.equal, final, states))
    assert torch.equal(case.run(keep=True)[0], out_TBN)


@settings(max_examples=40)
@given(case=recurrent_cases(), seed=st.integers(0, 2**32 - 1))
def test_gradients_follow_from_those_of_arrivals(case: RecurrentCase, seed: int) -> None:
    check_gradients(case, seed)


def check_gradients(case: RecurrentCase, seed: int) -> None:
    alone = case.without_loop()
    neurons, steps = case.neurons, case.neurons.shape[0]
    rng = np.random.default_rng(seed)
    grad_out_TBN = torch.from_numpy(rng.normal(size=neurons.shape)).float()
    grad_out_TBN = grad_out_TBN.to(case.weights_NN[0].device)
    places = dict(zip(neurons.neurons().program.parameters, neurons.parameters, strict=True))
    learnable = [places[name] for name in neurons.learnable]
    leaves = [*neurons.inputs_TBN, *case.weights_NN, *learnable]
    for leaf in leaves:
        leaf.requires_grad_()
    out_TBN, *_ = case.run(keep=True)
    grads = torch.autograd.grad(out_TBN, leaves, grad_out_TBN)
    found_TBN, count = grads[: len(neurons.inputs_TBN)], len(neurons.inputs_TBN)
    upstream_TBN = grad_out_TBN.clone()
    for grad_TBN, weight_NN in zip(found_TBN, case.weights_NN, strict=True):
        # An output of step t arrives in step t + 1. With a delay, it is handed on then, too.
        fed_back_TBN = grad_TBN @ weight_NN.detach()
        if neurons.delay:
            upstream_TBN += fed_back_TBN
        else:
            upstream_TBN[: steps - 1] += fed_back_TBN[1:]
    expected = alone.gradients(upstream_TBN.detach(), case.engine)
    before_TBN = outputs_before(out_TBN.detach(), neurons.delay, neurons.neurons().is_graded)
    largest = max(float(each.abs().max()) for each in expected.values())
    named = dict(zip([*neurons.neurons().program.inputs], found_TBN, strict=True))
    named |= dict(zip(neurons.learnable, grads[2 * count :], strict=True))
    for name, each in expected.items():
        assert (named[name] - each).abs().max() <= 2e-5 * largest + 1e-12, name
    for grad_TBN, grad_NN in zip(found_TBN, grads[count : 2 * count], strict=True):
        terms = grad_TBN.double(), before_TBN.double()
        exact_NN = torch.einsum("tbi,tbj->ij", *terms)
        largest = torch.einsum("tbi,tbj->ij", *map(abs, terms)).max()
        assert (grad_NN - exact_NN).abs().max() <= 1e-5 * largest + 1e-12


@settings(max_examples=25)
@given(case=recurrent_cases(), data=st.data())
def test_runs_that_continue_equal_one_long_run(case: RecurrentCase, data: st.DataObject) -> None:
    steps = case.neurons.shape[0]
    cut = data.draw(st.integers(0, steps))
    expected_TBN, counts, none, _ = case.run()
    assert none == []
    states, parts, nonzero = case.zero_states(), [], 0
    for part in (slice(0, cut), slice(cut, steps)):
        if part.start < part.stop:
            out_TBN, part_notes, states, _ = case.run(states, steps=part)
            parts.append(out_TBN)
            nonzero += int(part_notes[-1])
    assert torch.equal(torch.cat(parts), expected_TBN)
    assert nonzero == counts[-1]


@settings(max_examples=15)
@given(case=recurrent_cases(FEW), seed=st.integers(0, 99))
@pytest.mark.parametrize("engine", [each for each in ENGINES if each != "reference"])
def test_engines_agree(engine: str, case: RecurrentCase, seed: int) -> None:
    own = case.on(engine)
    assert torch.equal(own.run()[0].cpu(), case.run()[0])
    check_outputs(own)
    check_gradients(own, seed)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_linear_loop_has_the_gradient_of_its_matrix(engine: str) -> None:
    """Integrators without decay hand on v[t] = v[t − 1] + x[t] + W v[t − 1]."""
    weight_NN = torch.tensor([[-0.5, 0.25], [0.125, -0.75]])
    input_TBN = torch.randint(-64, 64, (9, 3, 2)) / 64.0
    definition = DEFINITIONS["integrator"]
    parameters = [torch.tensor(each) for each in (1.0, 0.0, 0.0)]
    case = RecurrentCase(NeuronCase(definition, [input_TBN], parameters, 0), [weight_NN], engine)
    leaves = [case.neurons.inputs_TBN[0].requires_grad_(), weight_NN.requires_grad_()]
    out_TBN, *_ = case.run(keep=True)
    grad_TBN, grad_NN = torch.autograd.grad(out_TBN[-1].sum(), leaves)
    x_TBN, exact_NN = input_TBN.detach().double().requires_grad_(), weight_NN.detach().double()
    exact_NN.requires_grad_()
    v_BN = torch.zeros(3, 2, dtype=torch.float64)
    for x_BN in x_TBN:
        v_BN = v_BN + x_BN + v_BN @ exact_NN.T
    expected_TBN, expected_NN = torch.autograd.grad(v_BN.sum(), [x_TBN, exact_NN])
    torch.testing.assert_close(out_TBN[-1].double(), v_BN, rtol=0, atol=0.01)
    torch.testing.assert_close(grad_TBN.double(), expected_TBN, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(grad_NN.double(), expected_NN, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ([torch.zeros(3, 2)], "do not fit"),
        ([torch.zeros(2, 3)], r"\[3, 3\]"),
        ([torch.zeros(3, 3).double()], "float64"),
    ],
)
def test_weights_that_do_not_fit_are_errors(weights: list[torch.Tensor], named: str) -> None:
    case = NeuronCase(DEFINITIONS["cuba"], [torch.zeros(4, 2, 3)], [torch.tensor(0.5)] * 6, 1)
    with pytest.raises(ValueError, match=named):
        RecurrentCase(case, weights).run()
