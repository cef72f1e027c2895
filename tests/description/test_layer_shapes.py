"""What layers cannot take: each fault is one ND207 at the field that does not fit."""

import pytest
from support.exchange_samples import document as sample_document

from netdesc.api.load import check

DENSE = {"name": "out", "type": "dense", "units": 2, "neuron": {"type": "integrator"}}


def errors_of(shape, *layers):
    """Returns the errors in a network with these layers."""
    named = [{"name": f"a{at}", **layer} for at, layer in enumerate(layers)]
    layers = [*named, {"name": "flat", "type": "flatten"}, DENSE]
    loss = {"type": "spike_max", "mode": "softmax"}
    document = sample_document(shape, layers, time={"steps": 10}, data=None, loss=loss)
    _, found = check(document)
    return [each for each in found if each.severity == "error"]


def faults(shape, *layers):
    """Returns pairs of pointer and message of the ND207 in a network with these layers."""
    errors = errors_of(shape, *layers)
    assert all(each.code == "ND207" for each in errors), errors
    return [(each.pointer, each.message) for each in errors]


POOL = {"type": "max_pool", "kernel": 2}
FLAT, JOINED = {"type": "flatten"}, {"from": ["a0", "input"]}


@pytest.mark.parametrize(
    ("shape", "layers", "field", "words"),
    [
        ([8], [POOL], "type", "[channels, height, width]"),
        ([1, 4, 4], [{**POOL, "padding": 2}], "padding", "half"),
        ([8], [{"type": "population_average", "units": 3}], "units", "8 neurons into 3"),
        ([2, 4], [{"type": "population_average", "units": 2}], "type", "one dimension"),
        ([8], [{"type": "time_decimation", "factor": 11}], "factor", "its input has 10"),
        ([8], [{"type": "concat", "from": ["input"], "axis": 1}], "axis", "no such axis"),
        ([2, 4], [FLAT, {"type": "concat", "from": ["input", "a0"]}], "from", "cannot join"),
        ([8], [{"type": "time_decimation", "factor": 2}, FLAT | JOINED], "from", "10 steps"),
    ],
)
def test_each_fault_is_told_once_at_its_field(shape, layers, field, words):
    ((pointer, message),) = faults(shape, *layers)
    assert pointer == f"/layers/{len(layers) - 1}/{field}"
    assert words in message


def test_shapes_that_fit_are_accepted():
    layers = [
        {"type": "reshape", "shape": [2, 4, 4]},
        {**POOL, "stride": 1, "padding": [1, 0]},
        {"type": "time_decimation", "factor": 10},
    ]
    assert not faults([32], *layers)


@pytest.mark.parametrize("kind", [{"type": "neurons"}, {"type": "sum_pool", "kernel": 2}])
def test_fields_without_effect_where_neurons_share_their_weights(kind):
    layer = {**kind, "neuron": {"type": "delta", "threshold": 0.1}}
    assert not errors_of([1, 4, 4], layer)
    for field, value in {"weight_init": "normal", "mask": {"density": 0.5}}.items():
        (error,) = errors_of([1, 4, 4], {**layer, field: value})
        assert (error.code, error.pointer) == ("ND240", f"/layers/0/{field}")


def test_the_bias_of_neurons_needs_no_norm():
    layer = {"type": "neurons", "bias": 0.5, "neuron": {"type": "delta", "threshold": 0.1}}
    assert not errors_of([4], layer)
    assert {each.pointer for each in errors_of([4], {**layer, "weight_scale": 2.0})} == {
        "/layers/0/weight_scale"
    }


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"bias": True}, None), ({}, "ND240"), ({"bias": True, "bias_init": -4.1}, "ND106")],
)
def test_the_initial_bias_is_that_of_a_bias_and_on_the_device(fields, code):
    layer = {
        "type": "dense",
        "units": 2,
        "neuron": {"type": "integrator"},
        "bias_init": 0.5,
        **fields,
    }
    found = [(each.code, each.pointer, each.line is None) for each in errors_of([4], layer)]
    assert found == ([(code, "/layers/0/bias_init", False)] if code else [])


@pytest.mark.parametrize(
    ("step", "code", "words"), [("v = x", "ND240", "norm(x) for x"), ("v = nrm(x)", "ND238", "")]
)
def test_a_bias_without_norm_has_a_way_out_and_is_no_second_mistake(step, code, words):
    neuron = {"type": "equations", "step": [step], "output": "v"}
    (error,) = errors_of([4], {"type": "dense", "units": 2, "bias": True, "neuron": neuron})
    assert error.code == code
    assert words in error.hint
