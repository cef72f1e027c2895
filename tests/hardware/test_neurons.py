"""The integer run of any equations, with states that leave 24 bits."""

import math
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.equation_interpreter import Interpreter, run_equations
from support.equations import Case, cases
from support.integer_run import run_on_device
from support.neuron_definitions import ALIF, CUBA, INTEGRATOR, LIF, RF_IZ, SIGMA_DELTA

from netdesc.hardware import LayerIntegers
from netdesc.hardware.integer_neurons import IntegerNeurons, RecurrentIntegers
from netdesc.hardware.integers import fold_into_weights, fold_scale, integer_parameters
from netdesc.neurons.definition import Definition

TOP = 1 << 23


class Device(Interpreter):
    """States of 24 bits, by the definition of how the device holds them."""

    left: ClassVar[Counter[str]] = Counter()

    def held(self, state: str, value: int) -> int:
        before = value
        if state in self.definition.wrapped:
            while value > TOP:
                value -= 2 * TOP
            while value <= -TOP:
                value += 2 * TOP
        value = value if state in self.definition.wrapped else max(1 - TOP, min(TOP - 1, value))
        self.left[state] += value != before
        return value


@settings(max_examples=150, deadline=None)
@given(st.booleans().flatmap(lambda far: cases(far=far)), st.data())
def test_random_equations(case: Case, data: st.DataObject) -> None:
    states = sorted({text.split()[0] for text in case.definition.step})
    wrapped = tuple(data.draw(st.lists(st.sampled_from(states), unique=True)))
    definition = replace(case.definition, wrapped=wrapped)
    Device.left = Counter()
    expected = run_equations(definition, case.parameters, case.inputs_TN, Device)
    output_TN, neurons = run_on_device(definition, case.parameters, case.inputs_TN)
    unit = 4096 if definition.output is None else 1
    np.testing.assert_array_equal(unit * output_TN, expected.output_TN)
    found = Counter(neurons.exceeded)
    assert +found == +Device.left


CASES = {
    # neuron, real parameters, constant input in state units -> what leaves 24 bits, and the output
    "nothing": (CUBA, {"threshold": 1.0}, [TOP - 1], {}, [1, 1, 1]),
    "current of cuba": (CUBA, {"threshold": 1.0}, [TOP + 1], {"u": 3}, [0, 0, 0]),
    "current of alif": (ALIF, {"threshold": 1.0}, [2 * TOP + 4096], {"u": 3}, [1, 0, 0]),
    "refractory state": (ALIF, {"threshold": 2000.0}, [TOP - 1], {"r": 1}, [1, 0, 0]),
    "resonator": (RF_IZ, {"threshold": 1.0, "cosine": 1.0}, [9, TOP], {"im": 3}, [1, 1, 1]),
    "sum of 2^-18": (SIGMA_DELTA, {"threshold": 1.0}, [TOP - 1], {"s": 2}, [TOP - 1 >> 6, 0, 0]),
    "readout": (INTEGRATOR, {}, [TOP - 2], {"v": 2}, [TOP - 2, TOP - 1, TOP - 1]),
}


@pytest.mark.parametrize("name", CASES)
def test_states_wrap_or_are_clipped(name: str) -> None:
    definition, own, inputs, left, output = CASES[name]
    wrapped = ("u",) if definition in (CUBA, ALIF, INTEGRATOR) else ()
    shared = {"current_decay": 1.0, "voltage_decay": 0.0 if definition is INTEGRATOR else 1.0}
    values = {parameter: 0.0 for parameter, _ in definition.parameters} | shared | own
    parameters = {name: np.array([value]) for name, value in values.items()}
    inputs_TN = [np.full((3, 1), value) for value in inputs]
    output_TN, neurons = run_on_device(replace(definition, wrapped=wrapped), parameters, inputs_TN)
    assert +Counter(neurons.exceeded) == Counter(left)
    assert output_TN[:, 0].tolist() == output


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-3, 3), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([LIF, ALIF])
)
def test_thresholds_or_weights_take_over_the_scale_of_a_norm(
    exponent: int, mantissa: int, seed: int, definition: Definition
) -> None:
    random = np.random.default_rng(seed)
    kinds = dict(definition.parameters)
    values = {name: random.integers(0, 2, 4).astype(float) for name in kinds}  # nothing is rounded
    levels = {name: np.array(mantissa / 64) for name, kind in kinds.items() if kind == "threshold"}
    integers = LayerIntegers(
        definition,
        (16 * random.integers(-2, 2, (4, 5)),),
        integer_parameters(definition, values | levels),
        16 * random.integers(-1, 2, 4),
    )

    class Scaled(Interpreter):
        def call_norm(self, a: int) -> int:
            a = super().call_norm(a)
            return a << -exponent if exponent < 0 else int(math.copysign(abs(a) >> exponent, a))

    folded = fold_into_weights(fold_scale(integers, exponent))
    input_TI = random.integers(0, 2, (40, 5))
    reals = {name: np.broadcast_to(v, 4) for name, v in (values | levels).items()}
    reals["bias"] = integers.bias / 64
    expected = run_equations(definition, reals, [64 * input_TI @ integers.weights[0].T], Scaled)
    neurons = IntegerNeurons(definition, folded.on_grid(), 4)
    spikes_TN = neurons.run([input_TI @ folded.weights[0].T], 6, np.zeros(40, np.bool_))
    np.testing.assert_array_equal(spikes_TN, expected.spikes_TN)
    unfit = replace(
        integers, weights=(np.full((4, 5), 254),), parameters={"threshold": np.array(1)}
    )
    assert fold_into_weights(fold_scale(replace(unfit, definition=LIF), -3)) is None


MIXED = Definition(
    parameters=(("leak", "decay"), ("top", "threshold"), ("level", "grid"), ("mark", "real")),
    step=(
        "v = decay(v, leak) + norm(min(x, 2 * top)) - y",
        "w = where(mark > 0.5, abs(v), max(w, level)) - scaled(before(v), 0.25)",
    ),
    spike="v > top and w >= level",
    output="v + w",
    reset=("v = v - top",),
    inputs=("x", "y"),
    wrapped=("v",),
)


def test_compiled_loops_compute_what_python_does() -> None:
    """With feedback and resets, for states that leave 24 bits, over several chunks."""
    random = np.random.default_rng(0)
    real = {"leak": 0.1, "top": 0.5, "level": 0.25, "mark": [0.0, 1.0, 0.0, 1.0, 1.0], "bias": 0.1}
    parameters = integer_parameters(MIXED, {name: np.array(real[name]) for name in real})
    grid = LayerIntegers(MIXED, (), parameters, np.full(5, 6, np.int32)).on_grid()
    weights = [*random.integers(-40, 40, (2, 5, 5))]
    recurrent = RecurrentIntegers(weights, random.integers(-9, 9, 5))
    inputs_ITN = random.integers(-9000, 9000, (2, 80, 5))
    inputs_ITN[:, ::20] <<= 10
    resets_T = random.random(80) < 0.1
    runs = []
    for is_compiled in (False, True):
        neurons = IntegerNeurons(MIXED, grid, 5, recurrent)
        outputs = [
            neurons.run([each[part].copy() for each in inputs_ITN], 2, resets_T[part],
                        is_compiled=is_compiled)
            for part in (slice(30), slice(30, 31), slice(31, None))
        ]  # fmt: skip
        runs.append((np.concatenate(outputs), neurons.exceeded))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert runs[0][1:] == runs[1][1:]
    assert runs[0][0].any()
    assert sum(runs[0][1].values()) > 0
