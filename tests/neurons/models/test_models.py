"""What neurons of the language have in common, and resets; ``test_golden`` has their equations."""

import itertools
import json
import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from support.equation_interpreter import run_equations, toward_zero
from support.neuron_definitions import example_fields, variants

from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.models import NEURONS, NeuronSection
from netdesc.neurons.models.fields import DEFAULT_PEAK as PEAK
from netdesc.neurons.models.fields import DEFAULT_SHAPE
from netdesc.neurons.models.fields import DEFAULT_WIDTH as WIDTH


def section(name: str, **fields: Any) -> NeuronSection:
    return NEURONS[name].model_validate_json(json.dumps(example_fields(name) | fields))


def by_hand(name: str, reset: str, fields: dict[str, float], inputs: list[int]) -> list[bool]:
    """Spikes of "lif" and "alif" with resets that no peer has, from a loop over plain integers."""
    theta, rise = (64 * int(64 * fields.get(key, 0)) for key in ("threshold", "threshold_step"))

    def decayed(state: int, decay: str) -> int:
        return toward_zero((4096 - round(4096 * fields.get(decay, 1))) * state)

    u = v = a = 0
    spikes = [False]
    for x in inputs:
        late = theta if spikes[-1] and reset == "subtract_delayed" else 0
        u = decayed(u, "current_decay") + x
        v = decayed(v, "voltage_decay") + u - late
        a = decayed(a, "threshold_decay")
        spikes.append(v >= theta + a if name == "alif" else v > theta)
        if spikes[-1]:
            v = {"subtract": v - theta - a, "zero": 0}.get(reset, v)
            a += rise
    return spikes[1:]


SHARES = st.sampled_from([0.0, 0.5, 1.0])  # states then meet thresholds
LEVELS = st.integers(1, 8).map(lambda level: level / 8)


@pytest.mark.parametrize(
    ("name", "reset"),
    [("lif", "subtract"), ("lif", "subtract_delayed"), ("alif", "subtract"), ("alif", "zero")],
)
@given(data=st.data(), inputs=st.lists(st.integers(-16, 24), min_size=8, max_size=30))
def test_resets_of_no_peer(name: str, reset: str, data: st.DataObject, inputs: list[int]) -> None:
    kinds = {"threshold": LEVELS, "decay": SHARES | st.floats(0, 1)}
    fields = {key: data.draw(kinds[kind]) for key, kind in section(name).value_kinds().items()}
    fields |= {"refractory_decay": None} if name == "alif" else {}
    neuron = section(name, reset=reset, **fields)
    inputs_TN = 512 * np.array(inputs)[:, None]
    columns = {key: [value] for key, value in neuron.values().items()}
    found = run_equations(neuron.definition(), columns, [inputs_TN])
    assert found.spikes_TN[:, 0].tolist() == by_hand(name, reset, fields, inputs_TN[:, 0].tolist())


@pytest.mark.parametrize("name", NEURONS)
def test_every_neuron_compiles_with_each_option(name: str) -> None:
    shared = [{}, {"graded": True}, {"reset_gradient": "exact"}]
    for own, other in itertools.product(variants(name).values(), shared):
        neuron = own.model_copy(update=other if "graded" in type(own).model_fields else {})
        program = compile_neuron(neuron.definition(), learn=True)
        assert list(program.parameters)[: len(neuron.parameter_kinds())] == [
            *neuron.parameter_kinds()
        ]
        assert set(neuron.wrapped) <= set(program.states)
        assert neuron.has_norm == ("bias" in program.parameters)


def test_derived_parameters_have_the_same_values_and_a_gradient_in_torch() -> None:
    neuron = section("rf")
    values = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in neuron.values().items()
    }
    derived = neuron.derive(torch, values)
    expected = neuron.derive(math, neuron.values())
    assert {name: each.item() for name, each in derived.items()} == pytest.approx(expected)
    (derived["sine"] + 2 * derived["cosine"]).backward()
    for name in ("period", "decay"):
        high, low = (
            neuron.derive(math, neuron.values() | {name: neuron.values()[name] + step})
            for step in (1e-6, -1e-6)
        )
        slope = (high["sine"] - low["sine"] + 2 * (high["cosine"] - low["cosine"])) / 2e-6
        assert values[name].grad == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "fields", "threshold", "expected"),
    [
        # slayer's constants: peak and width at a threshold of 1
        ("cuba", {"tau_grad": 1}, 1.0, (5e-4, 100.0)),
        ("rf", {"scale_grad": 1}, 1.0, (10.0, 0.5)),
        ("adrf", {"tau_grad": 1}, 1.0, (10.0, 0.5)),
        ("rf_iz", {"tau_grad": 0.02, "scale_grad": 3}, 0.5, (0.15, 1.0)),
        ("lif", {"tau_grad": 0.1}, 1.0, (5e-3, 10.0)),
        ("lif", {"surrogate": {"width": 0.25, "peak": 2}}, 0.5, (2.0, 0.25)),
        # no peak, no width: a share of the threshold
        ("lif", {"threshold": 0.5, "surrogate": {"shape": "atan"}}, 0.5, (PEAK / 0.5, WIDTH * 0.5)),
        ("lif", {"threshold": 0.3}, 19 / 64, (PEAK * 64 / 19, WIDTH * 19 / 64)),
        ("lif", {"threshold": 0.5, "surrogate": {"width": 0.25}}, 0.5, (PEAK / 0.5, 0.25)),
        ("lif", {"threshold": 0.5, "learn": ["threshold"]}, 0.25, (PEAK / 0.25, WIDTH * 0.25)),
        ("alif", {"threshold": (0.5, 2.0), "per_channel": True}, 2.0, (PEAK / 2, WIDTH * 2)),
        ("rf", {"threshold": 4.0}, 4.0, (PEAK * WIDTH * 4, WIDTH * 4)),
        ("adrf", {"threshold": 4.0, "surrogate": {"width": 1}}, 4.0, (PEAK / 4 * 4, 1.0)),
        # locks of earlier versions
        (
            "lif",
            {
                "threshold": 0.5,
                "tau_grad": 1.0,
                "scale_grad": 1.0,
                "surrogate": {"width": None, "peak": 1.0, "shape": "exponential"},
            },
            0.5,
            (1.0, 0.5),
        ),
    ],
)
def test_surrogates_are_in_threshold_units(
    name: str, fields: dict[str, Any], threshold: float, expected: tuple[float, float]
) -> None:
    neuron = section(name, **fields)
    assert neuron.surrogate_at(threshold, neuron.width_schedule) == pytest.approx(expected)
    shape = "exponential" if "tau_grad" in fields or "scale_grad" in fields else DEFAULT_SHAPE
    assert neuron.definition().surrogate == fields.get("surrogate", {}).get("shape", shape)


@pytest.mark.parametrize("kind", ["cuba", "rf"])
def test_a_surrogate_without_numbers_does_not_change_with_the_unit(kind: str) -> None:
    """Peak and width at four times the threshold; the peak is a gradient over the state's unit."""
    (peak, width), (peak_of_4, width_of_4) = (
        neuron.surrogate_at(threshold, neuron.width_schedule)
        for threshold in (1.0, 4.0)
        for neuron in [section(kind, threshold=threshold)]
    )
    assert width_of_4 == 4 * width
    slopes = (peak, peak_of_4) if kind == "cuba" else (peak / width, peak_of_4 / width_of_4)
    assert slopes[1] == slopes[0] / 4
