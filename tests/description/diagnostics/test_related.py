"""Second places of diagnostics, and the story of shapes that clash."""

import pytest
from support.description_samples import BASE, LABELLED, base_of, codes, findings, with_text

from netdesc.description import render_text, to_json
from netdesc.description.codes import ENTRIES
from netdesc.description.rules.rule import RULES

DENSE = '{{"name": "{}", "type": "dense", "units": {}, "neuron": "cuba"{}}}'
TRAINING = '{{"epochs": 10, "optimizer": {{"type": "{}", "learning_rate": 0.001{}}}{}}}'

CASES = [
    # pointer, text, code, the texts of the second places
    ("/layers/1/name", '"hidden"', "ND203", ['"hidden"']),
    ("/layers/0/from", '"output"', "ND206", ['"output"']),
    ("/layers/1/from", '["input", "hidden"]', "ND208", ['"shape"', "8"]),
    ("/neurons/cuba/voltage_decay", "[0.2, 0.1]", "ND216", ["0.1"]),
    ("/training",
     TRAINING.format("adam", "", ', "schedule": {"type": "cosine", "warmup_epochs": 10}'), "ND223",
     ["10"]),
    ("/training/optimizer/momentum", "0.5", "ND105", ['"adam"']),
    ("/data/train/0/label", "1", "ND227", ['"target"']),
    ("/layers/1/units", "1", "ND308", ["1"]),
]  # fmt: skip
OF_LABELS = [
    ("/loss", '{"type": "spike_rate", "window_steps": 200}', "ND231", ["100"]),
    ("/data/labels", '"labels_without_1"', "ND235", ["2"]),
    ("/input/shape", "[5]", "ND313", ['"shape"']),
    ("/data/encoding", '{"type": "spikes"}', "ND314", []),
]


@pytest.mark.parametrize(
    ("pointer", "text", "code", "places", "base"),
    [*((*case, BASE) for case in CASES), *((*case, LABELLED) for case in OF_LABELS)],
)
def test_a_clash_shows_both_of_its_places(pointer, text, code, places, base, tmp_path):
    source = with_text(pointer, text, base)
    found = [each for each in findings(tmp_path, source) if each.code == code]
    assert found
    lines = source.splitlines()
    shown = []
    for second in found[0].related:
        assert second.excerpt == lines[second.line - 1]
        assert second.file == found[0].file
        assert second.message
        assert second.line == second.end_line
        shown.append(second.excerpt[second.column - 1 : second.end_column - 1])
    assert shown == places
    under = [line for line in render_text(found[:1]).splitlines() if " --" in line or " - " in line]
    assert len([line for line in under if line.split("-")[0].strip() == "|"]) == len(places)
    (record,) = to_json(found[:1], 1)["diagnostics"]
    assert [(each["line"], each["column"], each["message"]) for each in record["related"]] == [
        (each.line, each.column, each.message) for each in found[0].related
    ]


def test_second_places_of_rules_are_places_of_documents(tmp_path):
    """Every second place that an example of ``explain`` has names a path that can be there."""
    seen = 0
    for entry in [ENTRIES[code] for code in RULES]:
        base = base_of(entry)
        text = with_text(entry.at, entry.wrong, base) if entry.at else entry.wrong
        for diagnostic in findings(tmp_path, text):
            seen += len(diagnostic.related)
            assert all(each.line is not None and each.pointer for each in diagnostic.related)
    assert seen > 15


def test_a_second_place_from_the_command_line_is_told_in_words(tmp_path):
    (diagnostic,) = findings(tmp_path, BASE, "layers.1.from=hidden", "layers.1.name=hidden")[:1]
    assert (diagnostic.code, diagnostic.override) == ("ND203", "layers.1.name=hidden")
    (second,) = diagnostic.related
    assert second.line == 15
    assert f"the first one: {diagnostic.file}:15" in render_text([diagnostic])
    patience = ', "early_stopping": {"patience_epochs": 9}'
    text = with_text("/training", TRAINING.format("adam", "", patience))
    (diagnostic,) = findings(tmp_path, text, "training.epochs=5")
    assert (diagnostic.code, diagnostic.override) == ("ND223", None)
    assert [each.override for each in diagnostic.related] == ["training.epochs=5"]
    assert " = the length of the run: --set training.epochs=5" in render_text([diagnostic])
    (record,) = to_json([diagnostic], 1)["diagnostics"]
    assert record["related"][0]["override"] == "training.epochs=5"
    assert record["related"][0]["line"] is None


def _notes(found):
    return [note for each in found for note in each.notes if note.startswith("shapes: ")]


def test_the_story_of_a_shape(tmp_path):
    found = findings(tmp_path, with_text("/layers/1/units", "1"))
    assert _notes(found) == ["shapes: input [4] → hidden dense [8] → output dense [1]"]
    flat = '{"name": "flat", "type": "flatten"}'
    layers = [DENSE.format("a", 8, ""), flat, DENSE.format("b", 3, ', "from": ["a", "input"]')]
    text = with_text("/layers", f"[{', '.join(layers)}]")
    found = [each for each in findings(tmp_path, text) if each.code == "ND208"]
    assert _notes(found) == ["shapes: input [4] → a dense [8]"]


def test_a_misspelt_source_hides_no_clash_of_shapes(tmp_path):
    text = with_text("/layers/1/from", '["input", "hiden"]')
    assert codes(findings(tmp_path, text)) == ["ND205", "ND208"]
    text = with_text("/layers/1/from", '["input", "nowhere"]')
    assert codes(findings(tmp_path, text)) == ["ND205"]


FORMS = [
    ("/input/shape", "4", "write [4]"),
    ("/neurons/cuba/learn", '"voltage_decay"', 'write ["voltage_decay"]'),
    ("/data/train/0/input", '"input.bs1"', 'write {"path": "input.bs1"}'),
    ("/training/optimizer", '"best"', 'such as {"type": "adam", "learning_rate": null}'),
]


@pytest.mark.parametrize(("pointer", "text", "hint"), FORMS)
def test_a_value_of_the_wrong_form_says_what_to_write(pointer, text, hint, tmp_path):
    found = [each for each in findings(tmp_path, with_text(pointer, text)) if each.code == "ND103"]
    assert [each.hint for each in found] == [hint.replace("null", "0.001")]


def test_a_misspelt_name_is_no_unused_neuron(tmp_path):
    text = BASE.replace('"neuron": "cuba"}', '"neuron": "cubs"}')
    assert codes(findings(tmp_path, text)) == ["ND201", "ND201"]
