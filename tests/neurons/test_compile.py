"""Programs: what compilation promises to printers, and neurons that are split at their norm."""

import random
import subprocess
import sys
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from support.equations import definitions
from support.neuron_definitions import ALIF, CUBA, DEFINITIONS, INTEGRATOR, LIF, SIGMA_DELTA
from support.program_interpreter import forward, on_grid

from netdesc.neurons.compile import compile_neuron, split_at_norm
from netdesc.neurons.definition import Definition
from netdesc.neurons.expressions import in_order
from netdesc.neurons.mistakes import EquationError
from netdesc.neurons.operations import REAL

FORWARD = {"parameter", "constant", "state", "fired_before", "input"}
ADJOINT = {"parameter", "constant", "stored", "stored_before", "carry", "output_gradient"}


@settings(max_examples=60, deadline=None)
@given(definitions())
def test_programs_read_the_leaves_that_they_may(definition: Definition) -> None:
    for learn in (False, True):
        program = compile_neuron(definition, learn)
        step, adjoint = program.forward, program.adjoint
        roots = [*step.after.values(), *step.before_reset.values(), *step.stored, *step.products]
        read = in_order([*roots, *(each for each in (step.spike, step.output) if each)])
        leaves = {a.operation for a in read if not a.arguments}
        assert leaves <= FORWARD
        gradients = [*chain(*adjoint.roots)]
        read = in_order(gradients)
        assert {a.operation for a in read if not a.arguments} <= ADJOINT
        assert {a.type for a in gradients} <= {REAL}
        assert "with_gradient" not in {a.operation for a in read}
        carries = {a.value for a in read if a.operation == "carry"}
        assert carries == set(range(len(adjoint.carries)))
        assert list(adjoint.inputs) == list(definition.inputs)
        learnable = [name for name, kind in program.parameters.items() if kind != "real"]
        assert list(adjoint.parameters) == (learnable if learn else [])


@pytest.mark.parametrize(
    ("name", "without", "learnt"),
    [
        ("integrator", 2, 2),
        ("cuba", 2, 2),
        ("alif", 2, 4),
        ("rf", 2, 2),
        ("lif_subtract_delayed_exact", 2, 2),
    ],
)
def test_equal_zero_or_unread_carries_are_left_out(name: str, without: int, learnt: int) -> None:
    programs = [compile_neuron(DEFINITIONS[name], learn) for learn in (False, True)]
    assert [len(each.adjoint.carries) for each in programs] == [without, learnt]


def test_keys_are_those_of_other_processes_and_differ_between_programs() -> None:
    keys = [compile_neuron(each, learn).key for each in (CUBA, ALIF) for learn in (False, True)]
    assert len(set(keys)) == 4
    code = (
        "from netdesc.neurons.compile import compile_neuron\n"
        "from netdesc.neurons.definition import Definition\n"
        f"print(compile_neuron(Definition.from_text({CUBA.to_text()!r}), False).key)"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == keys[0]


@pytest.mark.parametrize(
    ("definition", "states"),
    [
        (CUBA, ["u"]),
        (LIF, ["normalised"]),
        (SIGMA_DELTA, ["s"]),
        (INTEGRATOR, ["u"]),
        (ALIF, ["u"]),
    ],
)
def test_the_halves_of_a_neuron_compute_the_same(definition: Definition, states: list[str]) -> None:
    before, after = split_at_norm(definition)
    whole = compile_neuron(definition, False)
    first, second = compile_neuron(before, True), compile_neuron(after, True)
    assert list(first.states) == states
    assert "bias" not in {**first.parameters, **second.parameters}
    unit = 1 << definition.unit_bits
    draw = random.Random(3)
    inputs = [[draw.randrange(-unit, 2 * unit)] for _ in range(40)]
    parameters = dict.fromkeys(whole.parameters, 0.25) | {"bias": 0.0}
    steps = forward(whole, on_grid(whole, parameters, unit), inputs)
    first_steps = forward(first, on_grid(first, parameters, unit), inputs)
    outputs = [[each.values[first.forward.output]] for each in first_steps]
    second_steps = forward(second, on_grid(second, parameters, unit), outputs)
    wanted = whole.forward.spike or whole.forward.output
    found = second.forward.spike or second.forward.output
    assert [each.values[wanted] for each in steps] == [each.values[found] for each in second_steps]


@pytest.mark.parametrize("late", ["x", "u"])
def test_what_is_after_the_norm_cannot_read_what_is_before_it(late: str) -> None:
    definition = replace(CUBA, step=(CUBA.step[0], f"{CUBA.step[1]} + {late}"))
    with pytest.raises(EquationError) as caught:
        split_at_norm(definition)
    (mistake,) = caught.value.mistakes
    place = mistake.place
    assert definition.step[place.index][place.column : place.end_column] == "norm(u)"
    assert f"'{late}'" in mistake.message
