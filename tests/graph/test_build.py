"""From documents to graphs: shapes, wiring, resolved parameters, and the table of a graph."""

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import BASE, LABELLED, UNHURRIED, write_files

from netdesc.api.load import load
from netdesc.description import Document
from netdesc.graph import Classifier, SynapticNode, build_graph, summary
from netdesc.neurons.models.fields import DEFAULT_WIDTH
from netdesc.sections import both


def _document(**changes) -> Document:
    return Document.model_validate_json(json.dumps(json.loads(BASE) | changes))


def _dense(name: str, units: int, **more):
    return {"name": name, "type": "dense", "units": units, "neuron": "cuba"} | more


def test_the_base_document(tmp_path):
    write_files(tmp_path)
    (tmp_path / "network.json").write_text(BASE)
    graph = build_graph(load(tmp_path / "network.json").document)
    assert [layer.name for layer in graph.layers] == ["hidden", "output"]
    hidden, output = graph.layers
    assert isinstance(hidden, SynapticNode)
    assert (hidden.inputs, hidden.input_shape, hidden.output_shape) == (("input",), (4,), (8,))
    assert (output.inputs, output.input_shape, output.output_shape) == (("hidden",), (8,), (2,))
    assert (hidden.neuron.threshold, both(hidden.neuron.voltage_decay)) == (1.0, (0.1, 0.1))
    assert hidden.neuron.width_schedule == DEFAULT_WIDTH
    assert (hidden.neuron_name, hidden.bits) == ("cuba", 8)
    assert (graph.steps, graph.step_ms, graph.output_shape) == (100, 1.0, (2,))
    assert graph.synapses == graph.parameters == 4 * 8 + 8 * 2
    assert (graph.classifier, graph.classes) == (None, None)


RATE = {"type": "rate"}
WINDOW = {"type": "moving_window", "window_steps": 7}


@pytest.mark.parametrize(
    ("loss", "classifier", "window", "skip"),
    [
        ({"type": "spike_rate"}, None, None, 0),
        ({"type": "spike_rate", "skip_steps": 3}, None, None, 3),
        ({"type": "spike_rate", "window_steps": 5, "skip_steps": 3}, None, 5, 3),
        ({"type": "spike_rate", "over": "each_step", "skip_steps": 3}, None, 1, 3),
        ({"type": "spike_max"}, None, None, 0),
        ({"type": "spike_max", "window_steps": 5, "skip_steps": 3}, RATE, None, 0),
        ({"type": "spike_max", "skip_steps": 3}, WINDOW, 7, 3),
    ],
)
def test_losses_of_labels_have_a_classifier(loss, classifier, window, skip):
    document = json.loads(LABELLED) | {"loss": loss, "classifier": classifier}
    graph = build_graph(Document.model_validate_json(json.dumps(document)))
    assert graph.classifier == Classifier(window, skip_steps=skip)
    assert graph.classes == 2


def test_spikes_are_delayed_by_a_step_unless_the_layer_says_otherwise():
    neurons = [
        ({"type": "lif", "threshold": 1, "voltage_decay": 0.1}, 1),
        ({"type": "lif", "threshold": 1, "voltage_decay": 0.1, "graded": True}, 1),
        ({"type": "integrator"}, 0),
        ({"type": "delta", "threshold": 0.1}, 0),
        ({"type": "sigma_delta", "threshold": 0.1}, 0),
        ({"type": "equations", "step": ["v = v + x"], "output": "v"}, 0),
    ]
    layers = [_dense(f"l{n}", 2, neuron=neuron) for n, (neuron, _) in enumerate(neurons)]
    graph = build_graph(_document(layers=layers))
    assert [layer.delay for layer in graph.neuron_layers] == [delay for _, delay in neurons]
    for value in (False, True):
        graph = build_graph(
            _document(layers=[each | {"axonal_delay_step": value} for each in layers])
        )
        assert {layer.delay for layer in graph.neuron_layers} == {int(value)}


def test_a_loss_of_target_spikes_has_no_classifier():
    assert build_graph(_document(classifier=RATE)).classifier is None


def test_parameters_count_gains_and_learnt_decays():
    neuron = {"type": "cuba", "threshold": 1, "current_decay": [0.1, 0.2], "voltage_decay": 0.1}
    neuron |= {"per_channel": True, "learn": ["current_decay", "voltage_decay"]}
    graph = build_graph(
        _document(
            layers=[
                _dense("a", 8, weight_norm=True, quantization=None),
                _dense(
                    "b",
                    3,
                    neuron=neuron | {"tau_grad": {"type": "geometric", "start": 1, "end": 0.1}},
                ),
            ]
        )
    )
    a, b = graph.layers
    assert (a.parameters, a.synapses, a.bits) == (4 * 8 + 8, 4 * 8, None)
    assert b.parameters == 8 * 3 + 2 * 3
    assert b.neuron_name == "b"
    assert both(b.neuron.current_decay) == (0.1, 0.2)


def test_the_rows_of_the_table():
    graph = build_graph(_document(layers=[{"name": "f", "type": "flatten"}, _dense("o", 2)]))
    rows = summary(graph)
    assert [(row.name, row.type, row.neuron) for row in rows] == [
        ("input", "input", ""),
        ("f", "flatten", ""),
        ("o", "dense", "cuba"),
    ]
    assert rows[-1].inputs == ("f",)
    assert sum(row.parameters for row in rows) == graph.parameters
    assert sum(row.synapses for row in rows) == graph.synapses == 8


def test_unchecked_documents_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='input of layer "hidden"'):
        build_graph(_document(input={"shape": [2, 2]}))
    with pytest.raises(ValueError, match='unknown neuron "x"'):
        build_graph(_document(layers=[_dense("o", 2, neuron="x")]))


@UNHURRIED
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_shapes_chain(shape, units):
    layers = [{"name": "flat", "type": "flatten"}]
    layers += [_dense(f"l{index}", size) for index, size in enumerate(units)]
    graph = build_graph(_document(input={"shape": shape}, layers=layers))
    sizes = [math.prod(shape), *units]
    assert [layer.output_shape for layer in graph.layers] == [(size,) for size in sizes]
    assert graph.synapses == sum(a * b for a, b in itertools.pairwise(sizes))
