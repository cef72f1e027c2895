"""``--set``: values from the command line."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import BASE, LABELLED, UNHURRIED, codes, findings, write_files

from netdesc.api.load import check, load
from netdesc.description import render_text, to_json


@pytest.fixture
def network(tmp_path):
    write_files(tmp_path)
    path = tmp_path / "network.json"
    path.write_text(BASE)
    return path


VALUES = [
    ("training.epochs=50", lambda d: d.training.epochs, 50),
    ("layers.hidden.units=3", lambda d: d.layers[0].units, 3),
    ('name="other"', lambda d: d.name, "other"),
    ("training.schedule.type=cosine", lambda d: d.training.schedule.type, "cosine"),
    ("training.early_stopping.patience_epochs=5", lambda d: _stop(d).patience_epochs, 5),
    ("layers.0.quantization=null", lambda d: d.layers[0].quantization, None),
    ('training.optimizer={"type":"sgd","learning_rate":1}', lambda d: _opt(d).type, "sgd"),
]


def _stop(document):
    return document.training.early_stopping


def _opt(document):
    return document.training.optimizer


@pytest.mark.parametrize(("argument", "read", "value"), VALUES)
def test_a_value_is_set_as_in_the_file(argument, read, value, network):
    description = load(network, [argument])
    assert read(description.document) == value
    assert "--set" in description.origins.values()
    assert description.text == BASE


OF_LEFT_OUT = [
    ("training.optimizer.type=sgd", lambda d: (_opt(d).type, _opt(d).learning_rate), ("sgd", 0.1)),
    ("training.optimizer.learning_rate=2", lambda d: (_opt(d).type, _opt(d).learning_rate),
     ("adam", 2)),
    ("neurons.cuba.surrogate.peak=2", lambda d: d.neurons["cuba"].surrogate.peak, 2),
]  # fmt: skip


@pytest.mark.parametrize(("argument", "read", "value"), OF_LEFT_OUT)
def test_a_part_of_a_section_that_is_left_out(argument, read, value):
    document = json.loads(BASE)
    del document["training"]["optimizer"]
    assert read(load(document, [argument], with_files=False).document) == value


def test_a_number_that_is_too_large_is_no_matter_of_quoting(network):
    _, (diagnostic,) = check(network, ["training.seed=99999999999999999999999"])
    assert str((1 << 63) - 1) in diagnostic.hint
    assert not diagnostic.notes


FAULTS = [
    ("training.epochs", "ND111", "PATH=VALUE"),
    ("training..epochs=5", "ND111", "empty part"),
    (f"time.steps={'9' * 5000}", "ND111", "64 bits"),
    ("input.shape=[4", "ND111", "damaged JSON"),
    ('loss={"type":"spike_time","type":"x"}', "ND111", "twice"),
    ("training.epoch=5", "ND112", 'did you mean "epochs"?'),
    ("layers.first.units=3", "ND112", "their names are hidden, output"),
    ("layers[0].units=3", "ND111", "write layers.0.units=…"),
    ("training/epochs=3", "ND111", "write training.epochs=…"),
    ("format=2", "ND112", "--set cannot change the format of a document"),
    ("epochs=3", "ND112", "did you mean training.epochs?"),
    ("time.steps.x=1", "ND112", "no parts"),
    ("training.epochs=x", "ND103", 'not the string "x"'),
    ("layers.0.neuron=cubs", "ND201", "did you mean"),
]  # fmt: skip


@pytest.mark.parametrize(("argument", "code", "words"), FAULTS)
def test_an_error_shows_the_argument_instead_of_a_line(argument, code, words, network):
    description, found = check(network, [argument])
    assert description is None
    (diagnostic,) = found
    assert diagnostic.code == code
    assert diagnostic.override == argument
    assert diagnostic.line is None
    shown = render_text(found)
    assert words in shown.encode("utf-8", "replace").decode()
    assert shown.startswith("--set ")
    assert f": error[{code}]: " in shown
    (record,) = to_json(found, 1)["diagnostics"]
    assert record["line"] is None
    assert record["override"] == argument


LABELLED_VALUES = [
    (["classifier.type=moving_window", "classifier.window_steps=3"],
     lambda d: d.classifier.window_steps, 3),
    (["data.encoding.type=latency"], lambda d: d.data.encoding.type, "latency"),
    (["data.range.1=16"], lambda d: d.data.range, (0.0, 16.0)),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "read", "value"), LABELLED_VALUES)
def test_sections_of_several_types_can_be_created(arguments, read, value, network):
    network.write_text(LABELLED)
    assert read(load(network, arguments).document) == value


@pytest.mark.parametrize(
    ("argument", "code", "words"),
    [
        ("classifier.window_steps=3", "ND102", '"type" is missing in classifier'),
        ("data.range.0=0.5", "ND320", "from 0.5 to 1"),
    ],
)
def test_errors_in_created_sections_show_the_argument(argument, code, words, network):
    network.write_text(LABELLED)
    (diagnostic,) = check(network, [argument])[1]
    assert (diagnostic.code, diagnostic.override) == (code, argument)
    assert words in render_text([diagnostic])


def test_an_override_can_correct_the_file(tmp_path):
    broken = BASE.replace('"steps": 100', '"steps": 0')
    assert codes(findings(tmp_path, broken)) == ["ND106"]
    assert codes(findings(tmp_path, broken, "time.steps=100")) == []


def test_paths_are_relative_to_the_working_directory(network, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_files(elsewhere)
    monkeypatch.chdir(elsewhere)
    description = load(network, ["data.train.0.input.path=input.bs1"])
    pair = description.document.data.train[0]
    assert description.resolve(pair.input.path) == elsewhere / "input.bs1"
    assert description.resolve(pair.target.path) == tmp_path / "target.bs1"
    os.remove(elsewhere / "target.bs1")
    value = '[{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}]'
    _, found = check(network, [f"data.train={value}"])
    assert codes(found) == ["ND301"]


OTHER_FILES = [
    ([], ["ND303"]),
    (["data.train.0.input.path=input.bs1"], []),
    (["data.train.0.target.path=target.bs1"], ["ND303"]),
    (["data.train.0.input.path=input.bs1", f"data.train.0.input.sha256={'a' * 64}"], ["ND303"]),
]


@pytest.mark.parametrize(("arguments", "expected"), OTHER_FILES)
def test_another_file_need_not_have_the_sha256_of_the_first(
    arguments, expected, network, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    digest = f'"path": "input.bs1", "sha256": "{"0" * 64}"'
    network.write_text(BASE.replace('"path": "input.bs1"', digest))
    assert codes(check(network, arguments)[1]) == expected


@UNHURRIED
@given(st.text(max_size=40), st.sampled_from(["", "training.", "layers.0.", "/data/train/0/"]))
def test_no_argument_raises(tmp_path_factory, text, start):
    path = tmp_path_factory.getbasetemp() / "any" / "network.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_files(path.parent)
        path.write_text(BASE)
    for argument in (start + text, f"{start}{text}=1", f"training.epochs={text}"):
        _, found = check(path, [argument])
        render_text(found)
        assert all(each.override is not None or each.line for each in found)
