"""Diagnostics of documents with wrong fields or values, and their positions."""

import pytest
from support.description_samples import (
    BASE,
    all_models,
    codes,
    findings,
    parts_of,
    slowed,
    text_of,
    with_text,
    write_files,
)

from netdesc.api.load import load
from netdesc.description import DescriptionError, render_text
from netdesc.description import model_structure as structure
from netdesc.description.synonyms import FIELDS, TYPES, UNSUPPORTED_FIELDS, UNSUPPORTED_TYPES

CUBA = '{"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}'


CASES = [
    # pointer, text, code, pointer of the diagnostic, words
    ("/layers/0/unit", "1", "ND101", "/layers/0/unit", 'layer "hidden"'),
    ("/loss", '{"type": "spike_time"}', "ND102", "/loss/time_constant_ms", '"time_constant_ms"'),
    ("/time/steps", "100.0", "ND103", "/time/steps", "write 100"),
    ("/time/steps", "true", "ND103", "/time/steps", "an integer, not true"),
    ("/time/step_ms", '"1"', "ND103", "/time/step_ms", "write 1"),
    ("/neurons/cuba/per_channel", "1", "ND103", "/neurons/cuba/per_channel", "true or false"),
    ("/loss/type", '"spike_tme"', "ND104", "/loss/type", 'did you mean "spike_time"?'),
    ("/neurons/cuba/dropout", "1", "ND106", "/neurons/cuba/dropout", "less than 1"),
    ("/time/steps", "9000000", "ND106", "/time/steps", "at most 1000000"),
    ("/neurons/cuba/norm", '"max"', "ND107", "/neurons/cuba/norm", "allowed: mean"),
    ("/layers/0/quantization", '{"bits": 9}', "ND106", "/layers/0/quantization/bits",
     "at most 8"),
    ("/layers", "[]", "ND108", "/layers", "layers is empty"),
    ("/name", '""', "ND109", "/name", "a file name"),
    ("/neurons", '{"a b": ' + CUBA + "}", "ND109", "/neurons/a b", "a name"),
    ("/format", "0", "ND110", "/format", "no format 0"),
    ("/format", '"1"', "ND103", "/format", "format must be"),
    ("/layers/0/<dense>", "1", "ND101", "/layers/0/<dense>", 'unknown field "<dense>"'),
    ("/layers/0/from", '"hidden"', "ND206", "/layers/0/from", "reads itself"),
    ("/layers/0/from", '["input", "output"]', "ND206", "/layers/0/from/1", "after it"),
    ("/layers/1/from", '["imput"]', "ND205", "/layers/1/from/0", '"input"?'),
]  # fmt: skip


@pytest.mark.parametrize(("pointer", "text", "code", "at", "words"), CASES)
def test_one_error_is_found_at_its_position(pointer, text, code, at, words, tmp_path):
    source = with_text(pointer, text)
    found = findings(tmp_path, source)
    (diagnostic,) = [each for each in found if each.code != "ND202"]  # the neuron is unused now
    assert (diagnostic.code, diagnostic.pointer) == (code, at)
    assert words in text_of(diagnostic)
    assert diagnostic.excerpt == source.splitlines()[diagnostic.line - 1]
    parts = parts_of(at)
    assert diagnostic.severity == ("warning" if code == "ND212" else "error")
    if code in ("ND101", "ND105"):
        assert diagnostic.excerpt[diagnostic.column - 1 :].startswith(f'"{parts[-1]}"')


BOUNDARIES = [
    ("/neurons/cuba/threshold", "0.015625", "0.0156", "ND211"),
    ("/neurons/cuba/threshold", "2047.99", "2048", "ND224"),
    ("/neurons/cuba/voltage_decay", "1", "0.9999", "ND212"),
    ("/loss/time_constant_ms", "100", "100.1", "ND213"),
    ("/training/batch_size", "1", "2", "ND222"),
    ("/training/validation_split", "0", "0.01", "ND217"),
    ("/training/early_stopping", '{"patience_epochs": 9}', '{"patience_epochs": 10}', "ND223"),
]


DENSE = '{{"name": "hidden", "type": "dense", "units": 8, "neuron": "cuba", {}}}'
ZERO = [
    # further fields of a layer with 4 inputs, whether its weights are all zero
    ('"weight_scale": 0.03125', True),
    ('"weight_scale": 0.03126', False),
    ('"weight_scale": 0.01, "quantization": null', False),
    ('"weight_scale": 0.01, "weight_norm": true', False),
]


@pytest.mark.parametrize(("fields", "is_zero"), ZERO)
def test_weights_that_are_zero_on_the_device(fields, is_zero, tmp_path):
    text = with_text("/layers/0", DENSE.format(fields))
    assert codes(findings(tmp_path, text)) == (["ND236"] if is_zero else [])
    (tmp_path / "w.net").write_bytes(b"x")
    assert findings(tmp_path, with_text("/weights", '{"path": "w.net"}', text)) == []


def test_the_least_scale_that_helps_is_one_that_does(tmp_path):
    for inputs, least in ((4096, "1"), (5000, "1.11"), (1 << 18, "8")):
        layer = DENSE.format('"weight_scale": 1')
        text = with_text("/input/shape", f"[{inputs}]", with_text("/layers/0", layer))
        (diagnostic,) = findings(tmp_path, text)
        assert diagnostic.code == "ND236"
        assert diagnostic.hint == f'use a "weight_scale" above {least}'
        better = with_text("/layers/0/weight_scale", f"{float(least) + 0.01}", text)
        assert findings(tmp_path, better) == []


@pytest.mark.parametrize(("pointer", "passes", "fails", "code"), BOUNDARIES)
def test_limits_lie_where_they_should(pointer, passes, fails, code, tmp_path):
    assert codes(findings(tmp_path, with_text(pointer, passes))) == []
    assert codes(findings(tmp_path, with_text(pointer, fails))) == [code]


def test_the_example_of_the_language_reference(tmp_path):
    text = BASE.replace('"threshold"', '"treshold"')
    found = findings(tmp_path, text)
    shown = render_text(found).replace(str(tmp_path / "network.json"), "oxford.json")
    assert (
        shown
        == """\
oxford.json:12:30: error[ND101]: unknown field "treshold" in neuron "cuba" [*]
  at /neurons/cuba/treshold
   |
12 |     "cuba": {"type": "cuba", "treshold": 1, "current_decay": 1, "voltage_decay": 0.1}
   |                              ^^^^^^^^^^ did you mean "threshold"?
   = allowed: type, threshold, current_decay, voltage_decay, dropout, graded, learn, norm, \
per_channel, persistent_state, reset_gradient, scale_grad, surrogate, tau_grad
   = help: netdesc explain ND101
oxford.json: 1 error, 1 can be fixed with netdesc validate --fix"""
    )


def test_a_text_error_comes_alone_then_structure_then_meaning(tmp_path):
    meaning = BASE.replace('"neuron": "cuba"', '"neuron": "cubs"', 1)
    structure = (
        meaning.replace('"steps": 100', '"steps": "100"')
        .replace('"threshold"', '"treshold"')
        .replace('"epochs": 10', '"epochs": 10, "seed": -1')
    )
    text = structure.replace('"steps": "100"', '"steps": "100",')
    assert codes(findings(tmp_path, text)) == ["ND008"]
    found = findings(tmp_path, structure)
    assert codes(found) == ["ND103", "ND101", "ND106"]
    places = [(each.line, each.column) for each in found]
    assert places == sorted(places)
    assert codes(findings(tmp_path, meaning)) == ["ND201"]


@pytest.mark.parametrize(("constant", "expected"), [("1000", []), ("1001", ["ND213"])])
def test_a_filter_is_as_long_as_its_steps_of_the_output(constant, expected, tmp_path):
    text = slowed(with_text("/loss/time_constant_ms", constant))
    assert codes(findings(tmp_path, text)) == expected


MEANT = [
    # pointer, text, code, hint
    ("/training/optimizer", '{"type": "adam", "lr": 0.1}', "ND101", '"learning_rate"?'),
    ("/neurons/cuba", CUBA.replace("threshold", "v_th"), "ND101", '"threshold"?'),
    ("/neurons/cuba/type", '"Synaptic"', "ND104", '"cuba"?'),
]


@pytest.mark.parametrize(("pointer", "text", "code", "hint"), MEANT)
def test_names_of_other_tools_get_a_suggestion(pointer, text, code, hint, tmp_path):
    # The suggested field is not reported as missing as well.
    (diagnostic,) = [
        each for each in findings(tmp_path, with_text(pointer, text)) if each.code != "ND202"
    ]
    assert (diagnostic.code, diagnostic.hint) == (code, f"did you mean {hint}")


def test_a_missing_neuron_suggests_an_existing_one(tmp_path):
    text = BASE.replace(', "neuron": "cuba"', "").replace('"cuba": {', '"mine": {')
    hints = {each.hint for each in findings(tmp_path, text) if each.code == "ND102"}
    assert hints == {'write "neuron": "mine"'}


@pytest.mark.parametrize(
    "name", sorted({"Recurrent", "in-features", *UNSUPPORTED_FIELDS} - {"groups", "init"})
)
def test_unsupported_fields_of_other_tools_get_a_hint(name, tmp_path):
    text = with_text(f"/layers/0/{name}", "true")
    (diagnostic,) = [each for each in findings(tmp_path, text) if each.code != "ND202"]
    assert (diagnostic.code, diagnostic.hint) == (
        "ND101",
        UNSUPPORTED_FIELDS[name.lower().replace("-", "_")],
    )
    assert diagnostic.hint
    assert diagnostic.fix is None


OTHER_TYPES = [
    # pointer, type, what the hint says
    ("/layers/0/type", "conv1d", 'write "conv" with an input of [channels, 1, length]'),
    ("/layers/0/type", "Dropout", "a field of the neuron"),
    ("/layers/0/type", "ALIF", '"alif" is a type of neurons'),
    ("/neurons/cuba/type", "IFNode", '"voltage_decay": 0'),
    ("/training/optimizer/type", "adma", 'did you mean "adam"?'),
]


@pytest.mark.parametrize(("pointer", "name", "hint"), OTHER_TYPES)
def test_a_type_of_other_tools_gets_a_hint(pointer, name, hint, tmp_path):
    found = findings(tmp_path, with_text(pointer, f'"{name}"'))
    (diagnostic,) = [each for each in found if each.code == "ND104"]
    assert hint in diagnostic.hint
    assert (diagnostic.fix is None) == (name != "adma")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("LIF", 'add it to "neurons": "LIF": {"type": "lif", …}'),
        ("IFNode", '"voltage_decay": 0'),
        ("kuba", 'did you mean "cuba"?'),
    ],
)
def test_a_neuron_of_other_tools_that_a_layer_names_gets_a_hint(name, hint, tmp_path):
    found = findings(tmp_path, with_text("/layers/1/neuron", f'"{name}"'))
    (diagnostic,) = [each for each in found if each.code == "ND201"]
    assert hint in diagnostic.hint


def test_all_suggestions_exist_in_the_language():
    seen = all_models()
    fields = {name for model in seen for name in structure.fields(model)}
    types = {name for model in seen for name in structure.type_names(model)}
    assert {each.name for meanings in FIELDS.values() for each in meanings} <= fields
    assert set(TYPES.values()) <= types
    assert set(FIELDS) & set(UNSUPPORTED_FIELDS) == {"init"}  # of weights, or of states
    assert not set(TYPES) & set(UNSUPPORTED_TYPES)
    assert not set(UNSUPPORTED_TYPES) & types


MISSING = [
    # pointer of the object, its text without a field, what to write
    ("/training", "{}", '"epochs": 100'),
    ("/neurons/cuba", CUBA.replace(', "voltage_decay": 0.1', ""), '"voltage_decay": 0.1'),
    ("/layers/1", '{"name": "output", "type": "dense", "units": 2}', '"neuron": "cuba"'),
]


@pytest.mark.parametrize(("pointer", "text", "write"), MISSING)
def test_a_missing_field_says_what_to_write(pointer, text, write, tmp_path):
    found = findings(tmp_path, with_text(pointer, text))
    (diagnostic,) = [each for each in found if each.code == "ND102"]
    assert diagnostic.hint == f"write {write}"
    # What is to be written is what the language takes there.
    mended = text[:-1] + (", " if len(text) > 2 else "") + write + "}"
    left = findings(tmp_path, with_text(pointer, mended))
    assert not [each for each in left if each.code < "ND2"]


@pytest.mark.parametrize("name", ["treshold", "v_threshold"])
def test_another_name_beside_the_correct_one(name, tmp_path):
    text = with_text("/neurons/other", CUBA, with_text(f"/neurons/cuba/{name}", "1"))
    (diagnostic,) = [each for each in findings(tmp_path, text) if each.code != "ND202"]
    assert 'neuron "cuba" has "threshold" already' in diagnostic.hint


def test_load_raises_with_all_findings_and_keeps_warnings(tmp_path):
    write_files(tmp_path)
    path = tmp_path / "network.json"
    path.write_text(with_text("/loss/time_constant_ms", "5000"))
    assert codes(load(path).warnings) == ["ND213"]
    path.write_text(with_text("/time/steps", "0", with_text("/loss/time_constant_ms", "5000")))
    with pytest.raises(DescriptionError, match=r"time\.steps must be at least 1") as caught:
        load(path)
    assert "ND106" in codes(caught.value.diagnostics)
    assert isinstance(caught.value, ValueError)
    assert not caught.value.lacks_data


def test_an_empty_training_set_is_reported_once(tmp_path):
    training = '{"epochs": 1, "optimizer": {"type": "sgd", "learning_rate": 1},'
    training += ' "validation_split": 0.5, "batch_size": 4}'
    assert codes(findings(tmp_path, with_text("/training", training))) == ["ND217"]
