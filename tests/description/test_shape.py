"""One wrong field or value gives one diagnostic with a hint that says what to write."""

import json
import re

import pytest
from support.damaged_samples import slips, swapped

NULLS = {
    '"seed": 0': "leave the field out (its default is 0), or give a value",
    '"epochs": 100': 'write "epochs": 100',
    '"loss": {"type": "spike_rate", "true_rate": 0.9, "false_rate": 0.1}': (
        'write "loss": {"type": "spike_time", "time_constant_ms": 2}'
    ),
    '"type": "dense"': "give a value",
}


@pytest.mark.parametrize("member", NULLS)
def test_null_instead_of_a_value_gives_one_diagnostic(member, tmp_path):
    (diagnostic,) = slips(swapped((member, f"{member.partition(':')[0]}: null")), tmp_path)
    assert diagnostic.code == "ND103"
    assert diagnostic.hint.startswith(NULLS[member])
    assert diagnostic.fix is None
    assert diagnostic.excerpt[diagnostic.column - 1 : diagnostic.end_column - 1] == "null"


TYPES = {
    # what is done: the line and the column, the message, the hint, and the second places
    "another loss": (swapped(('"spike_rate"', '"spike_max"')),
     (28, 33, 'fields "true_rate" and "false_rate" belong to type "spike_rate"'),
     'leave them out, or use the type "spike_rate"', ["/loss/type", "/loss/false_rate"]),
    "a layer": (swapped(('"hidden", "type": "dense"', '"hidden", "type": "flatten"')),
     (25, 43, 'fields "units", "neuron" and "weight_scale" belong to type "dense"'),
     'leave them out, or use the type "dense"',
     ["/layers/0/type", "/layers/0/neuron", "/layers/0/weight_scale"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_fields_of_another_type_give_one_diagnostic(name, tmp_path):
    text, (line, column, message), hint, related = TYPES[name]
    (diagnostic,) = slips(text, tmp_path)
    assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("ND105", line, column)
    assert diagnostic.message.startswith(message)
    assert diagnostic.hint == hint
    assert [each.pointer for each in diagnostic.related] == related


RATE = ', "learning_rate": 0.01'
ELSEWHERE = {
    # what is done: the fields, their line, and the hint
    "a field of an inner object": (swapped((RATE, ""), ('"seed": 0', f'"seed": 0{RATE}')),
     [("learning_rate", 31, "it belongs in training.optimizer")]),
    "a field of an inner object by another tool's name": (
     swapped((RATE, ""), ('"seed": 0', '"seed": 0, "lr": 0.01')),
     [("lr", 31, 'it belongs in training.optimizer as "learning_rate"')]),
    "fields of an object that is not there": (
     swapped(('"time": {"steps": 24, "step_ms": 1.0}', '"steps": 24, "step_ms": 1.0')),
     [("steps", 6, "it belongs in time"), ("step_ms", 6, "it belongs in time")]),
    "a field of the neuron": (swapped(('"units": 128', '"units": 128, "threshold": 1')),
     [("threshold", 25, 'neuron "cuba" has it already')]),
}  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_field_in_the_wrong_object_gives_one_diagnostic(name, tmp_path):
    text, told = ELSEWHERE[name]
    found = slips(text, tmp_path)
    assert [(each.pointer.rpartition("/")[2], each.line, each.hint) for each in found] == told


DECAYS = {
    # by the name in the place of a decay: what is asked, and whether --fix renames it
    "current_deccay": ('did you mean "current_decay"?', True),
    "voltage_dacay": ('did you mean "voltage_decay"?', True),
    "beta": ('did you mean "voltage_decay" (= 1 - beta)?', False),
    "tau_mem": ('did you mean "voltage_decay" (= 1 - exp(-step_ms / tau_mem))?', False),
}


@pytest.mark.parametrize("written", DECAYS)
def test_a_decay_with_another_name_gets_a_suggestion(written, tmp_path):
    question, is_certain = DECAYS[written]
    meant = re.findall('"(.*?)"', question)[0]
    (diagnostic,) = slips(swapped((f'"{meant}"', f'"{written}"')), tmp_path)
    assert (diagnostic.hint, diagnostic.fix is not None) == (question, is_certain)


def test_neurons_in_a_list_and_layers_in_an_object_get_a_hint(tmp_path):
    document = json.loads(swapped())
    document["neurons"] = list(document["neurons"].values())
    document["layers"] = {each["name"]: each for each in document["layers"]}
    hints = {each.pointer: each.hint for each in slips(json.dumps(document), tmp_path)}
    assert hints["/neurons"].startswith('write {"NAME": {…}}')
    assert hints["/layers"].startswith('write [{"name": "NAME", …}, …]')


WRITE = {
    # what is done: the hint
    "a number in a list": (('"units": 10', '"units": [10]'), "write 10"),
    "a text for numbers": (("[64]", '"64"'), "write [64]"),
    "a name with a space": (('"output"', '"out put"'), 'write "out_put"'),
    "a decay of a device": (('_decay": 0.1', '_decay": 410'), "write 0.100098 for 410 of 4096"),
    "the version": (('"format"', '"version"'), 'did you mean "format"?'),
}


@pytest.mark.parametrize("name", WRITE)
def test_one_error_gives_one_hint_with_the_correct_text(name, tmp_path):
    slip, hint = WRITE[name]
    (diagnostic,) = slips(swapped(slip), tmp_path)
    assert diagnostic.hint == hint
