"""What is derived from stored values is what the forward step computed."""

import random
from itertools import chain

import numpy as np
from hypothesis import given, settings
from support.equations import Case, cases, definitions
from support.neuron_definitions import exact
from support.program_interpreter import Step, evaluate, run_case

from netdesc.neurons.adjoint import differentiate
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition
from netdesc.neurons.equations import read
from netdesc.neurons.expressions import in_order
from netdesc.neurons.ranges import hold_in_32_bits


def assert_derived_values_are_exact(case: Case, learn: bool) -> None:
    """Compares the adjoint on true values with the adjoint on stored ones, at every step."""
    definition = case.definition
    program = compile_neuron(definition, learn)
    true_roots = [*chain(*differentiate(hold_in_32_bits(read(definition)), learn).roots)]
    stored_roots = [*chain(*program.adjoint.roots)]
    true_order, stored_order = in_order(true_roots), in_order(stored_roots)
    draw = random.Random(0)
    fixed, steps = run_case(program, case)
    for t, step in enumerate(steps):
        shared = {("output_gradient", None): draw.uniform(-1, 1), ("first", None): t == 0}
        shared |= {
            ("carry", index): draw.uniform(-1, 1) for index in range(len(program.adjoint.carries))
        }
        before = steps[t - 1] if t else Step({}, {}, [987_654_321] * len(step.stored))
        leaves = {**fixed, **shared}
        for leaf, values in (("stored", step.stored), ("stored_before", before.stored)):
            leaves |= {(leaf, slot): value for slot, value in enumerate(values)}
        found = evaluate(stored_order, leaves)
        wanted = evaluate(true_order, {**step.leaves, **shared})
        for a, b in zip(stored_roots, true_roots, strict=True):
            np.testing.assert_array_equal(*np.broadcast_arrays(found[a], wanted[b]))


@settings(max_examples=25, deadline=None)
@given(cases(max_steps=8, max_neurons=2))
def test_random_neurons(case: Case) -> None:
    for learn in (False, True):
        assert_derived_values_are_exact(case, learn)


@settings(max_examples=25, deadline=None)
@given(cases(definitions(result="spike").map(exact), max_steps=8, max_neurons=2))
def test_random_exact_resets_in_which_before_spike_is_read(case: Case) -> None:
    for learn in (False, True):
        assert_derived_values_are_exact(case, learn)


def test_a_spike_that_cannot_be_derived_is_stored() -> None:
    """A phase spike of the step before would need a state of two steps before."""
    definition = Definition(
        (("threshold", "threshold"), ("cos", "factor")),
        (
            "re = scaled(re, cos) - im + x",
            "im = scaled(im, cos) + where(before(spike), abs(re), re)",
        ),
        "phase_spike(re, im, threshold)",
        reset=("re = 0",),
        has_exact_reset=True,
    )
    stored = compile_neuron(definition, True).forward.stored
    assert any(a.operation == "where" for a in stored)
