"""Each neuron of the language against a loop written by hand; ``test_golden`` has the peers."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from support.equation_interpreter import Run, run_equations
from support.neuron_definitions import variants

from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.models import NEURONS, NeuronSection

LIMIT = 1 << 29

ADAPTION = {"threshold_step": 0.2, "threshold_decay": 0.1, "refractory_decay": 0.4}
EXAMPLES: dict[str, dict[str, Any]] = {
    "cuba": {"threshold": 0.4, "current_decay": 0.3, "voltage_decay": 0.04},
    "lif": {"threshold": 0.4, "voltage_decay": 0.04},
    "alif": {"threshold": 0.4, "current_decay": 0.3, "voltage_decay": 0.04} | ADAPTION,
    "rf": {"threshold": 0.4, "period": 7.3, "decay": 0.05},
    "rf_iz": {"threshold": 0.4, "period": 7.3, "decay": 0.05},
    "adrf": {"threshold": 0.4, "period": 7.3, "decay": 0.05} | ADAPTION,
    "adrf_iz": {"threshold": 0.4, "period": 7.3, "decay": 0.05} | ADAPTION,
    "delta": {"threshold": 0.4},
    "sigma_delta": {"threshold": 0.4},
    "integrator": {},
    "equations": {
        "parameters": {"leak": {"kind": "decay", "value": 0.1}},
        "step": ["v = decay(v, leak) + x"],
        "spike": "v > 1",
        "reset": ["v = v - 1"],
    },
}


def section(name: str, fields: dict[str, Any]) -> NeuronSection:
    return NEURONS[name].model_validate_json(json.dumps({"type": name, **fields}))


def run(neuron: NeuronSection, inputs_TN: list[np.ndarray]) -> Run:
    """What neurons of one section compute: the interpreter of the text of their equations."""
    values = neuron.derive(math, neuron.values())
    columns = {name: [value] * inputs_TN[0].shape[1] for name, value in values.items()}
    return run_equations(neuron.definition(), columns, inputs_TN)


def rtz(share: int, state: int) -> int:
    product = share * state
    return product // 4096 if product >= 0 else -(-product // 4096)


def far(state: int) -> int:
    return max(-LIMIT, min(LIMIT, state))


def by_hand(name: str, fields: dict[str, Any], inputs: list[tuple[int, int]]) -> list[int]:
    """What is handed on in each step: 1 for a spike, or a graded value in 1/4096."""
    p, out = fields, []
    kept = {key: 4096 - round(4096 * p[key]) for key in p if key.endswith("decay")}
    theta, rise = (64 * int(64 * p.get(key, 0)) for key in ("threshold", "threshold_step"))
    u = v = a = r = re = im = total = sent = error = fired = 0
    if "period" in p:
        angle = 2 * math.pi / p["period"]
        length = min(4096 * (1 - p["decay"]), 4095)
        sine, cosine = round(length * math.sin(angle)), round(length * math.cos(angle))
    for x, y in inputs:
        value = None
        if name in ("cuba", "alif", "integrator"):
            u = far(rtz(kept["current_decay"], u) + x)
            v = far(rtz(kept["voltage_decay"], v) + u)
        elif name == "lif":
            late = theta if fired and p["reset"] == "subtract_delayed" else 0
            v = far(rtz(kept["voltage_decay"], v) + x - late)
        elif "period" in p:
            before = im
            re, im = (
                far(rtz(cosine, re) - rtz(sine, im) + x),
                far(rtz(sine, re) + rtz(cosine, im) + y),
            )
        if rise:
            a, r = rtz(kept["threshold_decay"], a), rtz(kept.get("refractory_decay", 0), r)
        level = theta + a + r
        if name == "integrator":
            value = v
        elif name in ("delta", "sigma_delta"):
            unit = 1 if name == "delta" else 64  # of states, in their 1/4096
            total = far(x if name == "delta" else total + x)
            act = max(total, 0) if p.get("activation") == "relu" else total
            delta = act - sent
            error = error + delta if p["cumulative_error"] else delta
            is_sent = abs(error) >= unit * theta
            value = (delta if is_sent else 0) // unit
            sent, error = act if is_sent else sent, 0 if is_sent and delta else far(error)
        elif name in ("rf", "adrf"):
            fired = re >= level and before < 0 <= im
        elif name in ("rf_iz", "adrf_iz"):
            fired = im >= level
        else:
            fired = v >= level if name == "alif" else v > theta
        out.append(int(fired) if value is None else value)
        if fired and name == "rf_iz":
            re, im = 0, theta - 1
        if fired and p.get("reset", "zero") == "zero":
            v = 0
        elif fired and p["reset"] == "subtract":
            v = far(v - theta - a)
        if fired and rise:
            a, r = far(a + rise), far(r + 2 * (theta + a)) if "refractory_decay" in p else 0
    return out


PLAIN_SHARES = st.sampled_from([0.0, 0.5, 1.0])  # states then meet thresholds
SHARES = PLAIN_SHARES | st.integers(0, 4096).map(lambda d: d / 4096)
LEVELS = st.integers(1, 8).map(lambda level: level / 8)
PLAIN_STATES = st.integers(-16, 24).map(lambda x: 512 * x)
STATES = PLAIN_STATES | st.integers(-9000, 9000) | st.sampled_from([LIMIT, -LIMIT])
RUNS = st.one_of(
    st.lists(st.tuples(each, each), min_size=8, max_size=30) for each in (PLAIN_STATES, STATES)
)
OPTIONS: dict[str, dict[str, list[Any]]] = {
    "lif": {"reset": ["zero", "subtract", "subtract_delayed"]},
    "alif": {"reset": ["refractory", "subtract", "zero"]},
    "delta": {"cumulative_error": [False, True]},
    "sigma_delta": {"activation": ["relu", "identity"], "cumulative_error": [False, True]},
}


@st.composite
def neuron_fields(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kinds = {
        "threshold": LEVELS,
        "threshold_step": LEVELS,
        "period": st.just(4.0) | st.floats(4, 200),
    }
    known = EXAMPLES[name] or {"current_decay": 1.0, "voltage_decay": 0.0}
    shares = draw(st.sampled_from([PLAIN_SHARES, SHARES]))
    fields = {key: draw(kinds.get(key, shares)) for key in known}
    fields |= {key: draw(st.sampled_from(values)) for key, values in OPTIONS.get(name, {}).items()}
    if fields.get("reset") in ("zero", "subtract") and name == "alif":
        del fields["refractory_decay"]
    return fields


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"equations"}))
@given(data=st.data(), inputs=RUNS)
def test_equations_compute_what_a_loop_by_hand_computes(
    name: str, data: st.DataObject, inputs: list[tuple[int, int]]
) -> None:
    fields = data.draw(neuron_fields(name))
    neuron = section(name, fields)
    definition = neuron.definition()
    columns = np.array(inputs, np.int64).T[: len(definition.inputs), :, None]
    found = run(neuron, list(columns)).output_TN[:, 0] >> (definition.unit_bits - 12)
    expected = by_hand(name, fields, inputs)
    assert (found // 4096 if definition.spike else found).tolist() == expected


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
    neuron = section("rf", EXAMPLES["rf"])
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
        ("cuba", {}, 1.0, (5e-4, 100.0)),
        ("rf", {}, 1.0, (10.0, 0.5)),
        ("adrf", {}, 1.0, (10.0, 0.5)),
        ("rf_iz", {"tau_grad": 0.02, "scale_grad": 3}, 0.5, (0.15, 1.0)),
        ("lif", {"tau_grad": 0.1}, 1.0, (5e-3, 10.0)),
        ("lif", {"surrogate": {"width": 0.25, "peak": 2}}, 0.5, (2.0, 0.25)),
        ("lif", {"surrogate": {"shape": "atan"}}, 0.5, (1.0, 0.5)),
    ],
)
def test_surrogates_are_in_threshold_units(
    name: str, fields: dict[str, Any], threshold: float, expected: tuple[float, float]
) -> None:
    neuron = section(name, EXAMPLES[name] | fields)
    assert neuron.surrogate_at(threshold, neuron.width_schedule) == pytest.approx(expected)
    assert neuron.definition().surrogate == fields.get("surrogate", {}).get("shape", "exponential")
