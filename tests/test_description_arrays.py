"""Arrays with labels, and samples with labels: what is said of them, and where."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from description_samples import (
    BASE,
    LABELLED,
    UNHURRIED,
    codes,
    findings,
    npz,
    samples,
    with_text,
    write_files,
)
from hypothesis import given
from hypothesis import strategies as st

from netdesc.description import DescriptionError, check, explain, load, render_text
from netdesc.description.array_checks import QUICK_BYTES
from netdesc.description.npz import FREE_BYTES

VALUES = np.linspace(0, 1, 24, dtype=np.float32).reshape(6, 4)
SPIKES = np.zeros((6, 100, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 0, 1, 0, 1])
SOUND = {"inputs": VALUES, "labels": LABELS}


def _findings(directory, base: str = LABELLED, *overrides: str, **arrays):
    """All findings about a document whose file has these arrays."""
    (directory / "own.npz").write_bytes(npz(**(SOUND | arrays)))
    return findings(directory, with_text("/data/path", '"own.npz"', base), *overrides)


def _text(finding):
    return " | ".join(filter(None, (finding.message, finding.hint, *finding.notes)))


def _document(**changes) -> str:
    return json.dumps(json.loads(LABELLED) | changes)


def _data(**changes) -> str:
    return _document(data=json.loads(LABELLED)["data"] | changes)


UNENCODED = _data(encoding={"type": "spikes"})
SPLIT = _data(split="split")
WINDOW = _document(loss={"type": "spike_rate", "window_steps": 10})

SOUND_ARRAYS = [
    (LABELLED, {}),
    (LABELLED, {"inputs": VALUES.astype(np.float16)}),
    (LABELLED, {"inputs": VALUES.astype(">f8")}),
    (LABELLED, {"inputs": VALUES > 0.5}),
    (LABELLED, {"inputs": np.asfortranarray(VALUES)}),
    (_data(range=[-8, 16]), {"inputs": np.full((6, 4), 16, dtype=np.int8)}),
    (LABELLED, {"labels": LABELS.astype(np.uint8)}),
    (LABELLED, {"labels": LABELS.astype(">i2")}),
    (UNENCODED, {"inputs": SPIKES}),
    (UNENCODED, {"inputs": SPIKES[:, :60]}),
    (UNENCODED, {"inputs": SPIKES.astype(np.float32)}),
    (UNENCODED, {"inputs": SPIKES > 0}),
    (_data(encoding={"type": "latency"}), {}),
    (SPLIT, {"split": [0, 0, 1, 1, 2, 2]}),
    (SPLIT, {"split": np.array([2, 2, 0, 0, 1, 1], dtype=np.uint8)}),
    (WINDOW, {}),
    (WINDOW, {"labels": np.arange(600).reshape(6, 100) % 2}),
    (LABELLED, {"other": np.array([{}])}),
]


@pytest.mark.parametrize(("base", "arrays"), SOUND_ARRAYS)
def test_sound_arrays_have_no_findings(base, arrays, tmp_path):
    assert _findings(tmp_path, base, **arrays) == []


OUT_OF_RANGE = VALUES.copy()
OUT_OF_RANGE[2, 3] = 1.5
NOT_A_NUMBER = VALUES.copy()
NOT_A_NUMBER[5, 0] = np.nan
INFINITE = VALUES.copy()
INFINITE[0, 1] = -np.inf
SPLIT_WINDOW = json.dumps(json.loads(WINDOW) | {"data": json.loads(SPLIT)["data"]})
OF_STEPS = np.repeat(LABELS[:, None], 100, axis=1)
LATE_LABEL = np.arange(600).reshape(6, 100) % 2
LATE_LABEL[3, 7] = 2

FAULTS = [
    # document, arrays, code, pointer, words
    (LABELLED, {"inputs": np.array([{}])}, "ND311", "/data/inputs", 'array "inputs" of own.npz'),
    (LABELLED, {"labels": np.array(["a"], dtype=object)}, "ND311", "/data/labels", "pickled"),
    (SPLIT, {"split": np.array([None])}, "ND311", "/data/split", "never loads"),
    (SPLIT, {}, "ND310", "/data/split", 'no array "split" | its arrays: inputs, labels'),
    (_data(inputs="input"), {}, "ND310", "/data/inputs", 'did you mean "inputs"?'),
    (LABELLED, {"inputs": VALUES * 1j}, "ND312", "/data/inputs", "holds complex numbers"),
    (LABELLED, {"inputs": VALUES.astype(np.longdouble)}, "ND312", "/data/inputs", "of 16 bytes"),
    (LABELLED, {"labels": LABELS * 1.0}, "ND312", "/data/labels", "holds floats; wanted: integers"),
    (LABELLED, {"labels": LABELS * 1.0}, "ND312", "/data/labels", "labels.astype(int) makes"),
    (LABELLED, {"labels": np.eye(2)[LABELS]}, "ND312", "/data/labels", "labels.argmax(axis=1)"),
    (
        LABELLED,
        {"labels": np.eye(2, dtype=int)[LABELS]},
        "ND315",
        "/data/labels",
        "labels.argmax(axis=1)",
    ),
    (LABELLED, {"inputs": VALUES.T}, "ND313", "/data/inputs", "6 samples come last: save inputs.T"),
    (
        SPLIT,
        {"inputs": VALUES.T, "split": [0, 0, 0, 1, 1, 2]},
        "ND313",
        "/data/inputs",
        "the shape [4, 6]; wanted: [samples, 4]",
    ),
    (LABELLED, {"labels": LABELS > 0}, "ND312", "/data/labels", "holds true and false"),
    (LABELLED, {"labels": LABELS.astype(str)}, "ND312", "/data/labels", "holds text"),
    (SPLIT, {"split": [0.0] * 6}, "ND312", "/data/split", "holds floats"),
    (LABELLED, {"inputs": VALUES[:, :3]}, "ND313", "/data/inputs", "[6, 3]; wanted: [samples, 4]"),
    (LABELLED, {"inputs": VALUES[0]}, "ND313", "/data/inputs", "shape [4]"),
    (LABELLED, {"inputs": np.array(0.5)}, "ND313", "/data/inputs", "shape []"),
    (UNENCODED, {"inputs": SPIKES[..., :3]}, "ND313", "/data/inputs", "[samples, steps, 4]"),
    (
        UNENCODED,
        {"inputs": np.zeros((6, 101, 4))},
        "ND313",
        "/data/inputs",
        "101 steps; time.steps",
    ),
    (UNENCODED, {"inputs": SPIKES[:, :0]}, "ND313", "/data/inputs", "has 0 steps"),
    (UNENCODED, {}, "ND314", "/data/encoding", '"encoding": {"type": "rate"}'),
    (LABELLED, {"inputs": SPIKES}, "ND314", "/data/encoding", '"rate" takes [samples, 4]'),
    (LABELLED, {"inputs": SPIKES[:, :1]}, "ND313", "/data/inputs", 'write "shape": [1, 4] in'),
    (LABELLED, {"labels": LABELS[:5]}, "ND315", "/data/labels", "the shape [5]; wanted: [6]"),
    (LABELLED, {"labels": LABELS[:, None]}, "ND315", "/data/labels", "the shape [6, 1]"),
    (WINDOW, {"labels": LATE_LABEL[:, :99]}, "ND315", "/data/labels", "or [6, 100] with one"),
    (LABELLED, {"labels": LATE_LABEL}, "ND315", "/data/labels", 'give the loss "window_steps"'),
    (LABELLED, {"labels": LABELS + 1}, "ND316", "/data/labels", "labels[1] is 2; the network has"),
    (LABELLED, {"labels": LABELS - 1}, "ND316", "/data/labels", "labels[0] is -1"),
    (LABELLED, {"labels": LABELS - 1}, "ND316", "/data/labels", "3 of 6 labels name no output"),
    (WINDOW, {"labels": LATE_LABEL}, "ND316", "/data/labels", "labels[3, 7] is 2"),
    (
        WINDOW,
        {"labels": np.asfortranarray(LATE_LABEL)},
        "ND316",
        "/data/labels",
        "labels[3, 7] is 2",
    ),
    (SPLIT, {"split": [1, 2, 1, 2, 1, 2]}, "ND317", "/data/split", "none of 6 samples to train on"),
    (LABELLED, {"inputs": VALUES[:0], "labels": LABELS[:0]}, "ND317", "/data/inputs", "no samples"),
    (SPLIT, {"split": [0, 0, 0, 1]}, "ND318", "/data/split", "the shape [4]; wanted: [6]"),
    (SPLIT, {"split": [0, 0, 0, -1, 1, 2]}, "ND318", "/data/split", "split[3] is -1 | 0 is for"),
    (SPLIT, {"split": [0] * 6}, "ND319", "/data/split", "sets none of 6 samples aside"),
    (LABELLED, {"inputs": OUT_OF_RANGE}, "ND320", "/data/range", "inputs[2, 3] is 1.5; data.range"),
    (LABELLED, {"inputs": OUT_OF_RANGE}, "ND320", "/data/range", "the values go from 0 to 1.5"),
    (LABELLED, {"inputs": NOT_A_NUMBER}, "ND320", "/data/range", "inputs[5, 0] is nan"),
    (LABELLED, {"inputs": INFINITE}, "ND320", "/data/range", "inputs[0, 1] is -inf"),
    (_data(range=[0.5, 1]), {}, "ND320", "/data/range", "12 of 24 values lie outside"),
    (UNENCODED, {"inputs": SPIKES + 2}, "ND321", "/data/inputs", "inputs[0, 0, 0] is 2; a spike"),
    (UNENCODED, {"inputs": SPIKES + 0.5}, "ND321", "/data/inputs", "inputs[0, 0, 0] is 0.5"),
    (LABELLED, {"labels": LABELS * 0}, "ND235", "/data/labels", "has the label 1"),
    (SPLIT, {"split": [0, 1, 0, 2, 0, 2]}, "ND235", "/data/labels", "has the label 1"),
    (SPLIT_WINDOW, {"labels": OF_STEPS, "split": [0, 1] * 3}, "ND235", "/data/labels", "label 1"),
    (
        SPLIT_WINDOW,
        {"labels": np.asfortranarray(OF_STEPS), "split": [0, 1] * 3},
        "ND235",
        "/data/labels",
        "label 1",
    ),
]


@pytest.mark.parametrize(("base", "arrays", "code", "at", "words"), FAULTS)
def test_one_fault_is_found_at_its_place(base, arrays, code, at, words, tmp_path):
    (finding,) = _findings(tmp_path, base, **arrays)
    assert (finding.code, finding.pointer) == (code, at)
    assert words in _text(finding)
    assert finding.line is not None
    assert finding.is_error == (code not in ("ND235", "ND319"))


X, Y = VALUES, LABELS
NAMES = [
    # document, arrays of the file, what is proposed
    (LABELLED, {"X": X, "y": Y}, {"inputs": "X", "labels": "y"}),
    (LABELLED, {"images": X, "data": X, "target": Y}, {"inputs": "data", "labels": "target"}),
    (LABELLED, {"grey": X, "digit": Y}, {"inputs": "grey", "labels": "digit"}),
    (LABELLED, {"x": X[:, :3], "grey": X, "y": Y}, {"inputs": "grey", "labels": "y"}),
    (LABELLED, {"x": SPIKES, "y": Y * 1.0, "who": Y}, {"inputs": "x", "labels": "who"}),
    (LABELLED, {"a": X, "b": X, "c": Y, "d": Y}, {}),
    (LABELLED, {"x": np.array([{}]), "y": np.array(["a"])}, {}),
    (_data(inputs="X"), {"X": X, "q": Y}, {"labels": "q"}),
    (_data(labels="y"), {"y": Y, "q": X.astype(int)}, {"inputs": "q"}),
    (_data(split="split", labels="y", inputs="x"), {"x": X, "y": Y, "part": Y}, {"split": "part"}),
    (_data(split="split", labels="y", inputs="x"), {"x": X, "y": Y, "q": Y}, {}),
]


@pytest.mark.parametrize(("base", "arrays", "proposed"), NAMES)
def test_a_missing_array_is_proposed(base, arrays, proposed, tmp_path):
    (tmp_path / "own.npz").write_bytes(npz(**arrays))
    found = findings(tmp_path, with_text("/data/path", '"own.npz"', base))
    assert set(codes(found)) == {"ND310"}
    hints = {each.pointer.removeprefix("/data/"): each.hint for each in found if each.hint}
    assert hints == {field: f'write "{field}": "{name}"' for field, name in proposed.items()}


def test_a_split_says_what_it_holds(tmp_path):
    (finding,) = findings(tmp_path, _data(split=0.2))
    assert (finding.code, finding.pointer) == ("ND103", "/data/split")
    assert finding.hint == (
        "training.validation_split takes a share; data.split names an array with 0 train, "
        "1 validation, 2 test"
    )
    assert "validation_split" not in findings(tmp_path, _data(labels=0.2))[0].hint
    for split in (["train"] * 6, [0.0] * 6, [True] * 6):
        (finding,) = _findings(tmp_path, SPLIT, split=split)
        assert finding.code == "ND312"
        assert finding.hint == "0 is for training, 1 for validation, 2 for testing"
    assert "1 for validation" in " ".join(explain("ND312").split())


BATCHES = [
    # samples, training, how many are one batch
    (63, {}, None),
    (64, {}, 64),
    (64, {"batch_size": None}, 64),
    (64, {"batch_size": 64}, None),
    (70, {"validation_split": 0.1}, None),
    (72, {"validation_split": 0.1}, 65),
]


@pytest.mark.parametrize(("samples", "training", "batch"), BATCHES)
def test_many_samples_in_one_batch(samples, training, batch, tmp_path):
    arrays = {"inputs": np.zeros((samples, 4)), "labels": np.arange(samples) % 2}
    found = _findings(tmp_path, _document(training=_training(**training)), **arrays)
    assert codes(found) == (["ND237"] if batch else [])
    if batch:
        assert found[0].message.startswith(f"all {batch} training samples are one batch")
        assert (found[0].severity, found[0].hint) == ("warning", 'add "batch_size": 32')


def test_listed_samples_are_counted_where_they_have_labels(tmp_path):
    pairs = [INPUT | {"label": number % 2} for number in range(64)]
    assert codes(findings(tmp_path, _pairs(*pairs))) == ["ND237"]
    base = json.loads(BASE)
    base["data"]["train"] *= 64
    assert findings(tmp_path, json.dumps(base)) == []


def test_the_finding_stands_at_the_name_of_the_array(tmp_path):
    text = with_text("/data/labels", '"lables"', LABELLED)
    (finding,) = findings(tmp_path, text)
    assert finding.excerpt[finding.column - 1 : finding.end_column - 1] == '"lables"'
    assert 'did you mean "labels"?' in render_text([finding])


def test_several_arrays_have_their_faults_at_once(tmp_path):
    found = _findings(
        tmp_path, SPLIT, inputs=OUT_OF_RANGE, labels=LABELS + 5, split=[0, 0, 0, 0, 3, 3]
    )
    assert sorted(codes(found)) == ["ND316", "ND318", "ND320"]


def test_the_ends_of_the_range_are_those_of_the_values_type(tmp_path):
    for kind in (np.float16, np.float32, np.float64):
        values = np.full((6, 4), 0.1, dtype=kind)
        for ends in ([0, 0.1], [0.1, 0.3], [-1e300, 1e300]):
            assert _findings(tmp_path, _data(range=ends), inputs=values) == []


@pytest.mark.parametrize("ending", ["cut.npz", "own.npz"])
def test_damaged_files_are_the_fault_of_the_file(ending, tmp_path):
    (tmp_path / "own.npz").write_bytes(b"\x93NUMPY" + bytes(100))
    (finding,) = findings(tmp_path, with_text("/data/path", f'"{ending}"', LABELLED))
    assert (finding.code, finding.pointer) == ("ND309", "/data/path")
    assert finding.message == f"{ending} is no .npz file, or is cut off or damaged"
    assert not finding.lacks_data


def test_a_damaged_array_is_named(tmp_path):
    raw = bytearray(npz(**SOUND))
    at = raw.index(b"labels.npy") + len("labels.npy") + 25
    raw[at : at + 9] = bytes(9)
    (tmp_path / "own.npz").write_bytes(raw)
    (finding,) = findings(tmp_path, with_text("/data/path", '"own.npz"', LABELLED))
    assert (finding.code, finding.pointer) == ("ND309", "/data/labels")
    assert 'own.npz is damaged in its array "labels"' in finding.message


def test_files_of_another_kind_and_none_at_all(tmp_path):
    (finding,) = findings(tmp_path, with_text("/data/path", '"input.bs1"', LABELLED))
    assert (finding.code, finding.notes) == ("ND305", ("allowed: .npz",))
    write_files(tmp_path)
    (tmp_path / "network.json").write_text(with_text("/data/path", '"absent.npz"', LABELLED))
    with pytest.raises(DescriptionError) as caught:
        load(tmp_path / "network.json")
    assert codes(caught.value.diagnostics) == ["ND301"]
    assert caught.value.lacks_data
    assert load(tmp_path / "network.json", with_files=False).document.name == "example"


def test_a_checksum_comes_before_the_contents(tmp_path):
    text = _data(path="cut.npz", sha256="0" * 64)
    assert codes(findings(tmp_path, text)) == ["ND303"]


def test_names_with_markup_and_controls_show_as_text(tmp_path):
    name = "<b>\x1b[31m&é"
    found = _findings(tmp_path, _data(inputs=name, labels="x"), **{name: np.array(["a"])})
    assert sorted(codes(found)) == ["ND310", "ND312"]
    shown = render_text(found)
    assert "\x1b" not in shown
    assert "<b>\ufffd[31m&é" in shown


def test_large_arrays_are_left_to_training(tmp_path):
    count = QUICK_BYTES // 8
    document = json.loads(SPLIT) | {"training": _training(batch_size=count + 1)}
    arrays = {"inputs": np.zeros((count, 4), dtype=np.uint8), "labels": np.full(count, 9)}
    found = _findings(tmp_path, json.dumps(document), **arrays, split=np.zeros(count, dtype=int))
    assert sorted(codes(found)) == ["ND222", "ND316", "ND319"]
    arrays = {"inputs": np.full((count + 1, 4), 9, np.uint16), "labels": np.full(count + 1, 9)}
    assert _findings(tmp_path, json.dumps(document), **arrays, split=np.ones(count + 1, int)) == []


def test_inputs_that_would_fill_the_memory_are_refused(tmp_path):
    """200 samples of 40 values, each in a million steps."""
    document = json.loads(LABELLED) | {"time": {"steps": 1_000_000}}
    document["input"] = {"shape": [40]}
    arrays = {"inputs": np.zeros((200, 40), np.uint8), "labels": np.arange(200) % 2}
    finding, of_one_batch = _findings(tmp_path, json.dumps(document), **arrays)
    assert of_one_batch.code == "ND237"
    assert (finding.code, finding.pointer) == ("ND324", "/data/inputs")
    assert "takes 29.8 GiB in training" in finding.message
    assert "29.8 for a batch of 200 samples of 1,000,000 steps" in finding.message
    assert finding.hint == "make training.batch_size smaller"
    document["training"]["batch_size"] = 100
    assert _findings(tmp_path, json.dumps(document), **arrays) == []


def test_tight_arrays_are_refused_unless_they_are_small_or_unpacked(tmp_path):
    def found(count: int, save=np.savez_compressed):
        labels = np.arange(count, dtype=np.uint16) % 2
        save(tmp_path / "own.npz", inputs=np.zeros((count, 4), np.uint8), labels=labels)
        document = _data(path="own.npz", encoding={"type": "latency"})
        return findings(tmp_path, document, "training.batch_size=8")

    free = FREE_BYTES // 4
    (finding,) = found(free)
    assert (finding.code, finding.pointer) == ("ND324", "/data/inputs")
    assert f"unpacks {FREE_BYTES + 128:,} bytes from" in finding.message
    assert 'in its array "inputs"; from 64 MiB on, 500 times the packed size' in finding.message
    assert found(free - 32) == []
    assert found(free, np.savez) == []


def test_a_range_that_is_too_wide_is_refused(tmp_path):
    (finding,) = _findings(tmp_path, _data(range=[-1e308, 1e308]))
    assert (finding.code, finding.pointer) == ("ND216", "/data/range")
    assert "from -1e+308 to 1e+308, wider than any number" in finding.message
    assert _findings(tmp_path, _data(range=[-8e307, 9e307])) == []
    assert codes(_findings(tmp_path, _data(range=[1e308, -1e308]))) == ["ND216", "ND233"]


def _training(**changes):
    return json.loads(LABELLED)["training"] | changes


COUNTED = [
    # split, training, codes
    (None, {"batch_size": 6}, []),
    (None, {"batch_size": 7}, ["ND222"]),
    (None, {"batch_size": 6, "validation_split": 0.1}, ["ND222"]),
    (None, {"validation_split": 0.5}, []),
    (None, {"validation_split": 0.95}, ["ND217"]),
    ([0, 0, 0, 0, 1, 2], {"batch_size": 4}, []),
    ([0, 0, 0, 0, 1, 2], {"batch_size": 5}, ["ND222"]),
    ([0, 0, 0, 0, 1, 2], {"validation_split": 0.5}, ["ND218"]),
]


@pytest.mark.parametrize(("split", "training", "expected"), COUNTED)
def test_samples_are_counted_in_the_file(split, training, expected, tmp_path):
    document = json.loads(SPLIT if split else LABELLED) | {"training": _training(**training)}
    arrays = {"split": split} if split else {}
    assert codes(_findings(tmp_path, json.dumps(document), **arrays)) == expected


def test_without_files_nothing_is_counted(tmp_path):
    (tmp_path / "network.json").write_text(_document(training=_training(batch_size=7)))
    assert check(tmp_path / "network.json", with_files=False)[1] == []


def _pairs(*pairs: dict, **changes) -> str:
    return _document(data={"type": "spike_files", "train": list(pairs), **changes})


INPUT = {"input": {"path": "input.bs1"}}
TARGET = INPUT | {"target": {"path": "target.bs1"}}

LABELLED_PAIRS = [
    (_pairs(INPUT | {"label": 0}, INPUT | {"label": 1}), [], []),
    (_pairs(INPUT | {"label": 1}, INPUT | {"label": 1}), ["ND235"], ["/data/train"]),
    (_pairs(INPUT | {"label": 2}), ["ND229"], ["/data/train/0/label"]),
    (
        _pairs(INPUT | {"label": 0}, INPUT | {"label": 1}, validation=[INPUT | {"label": 7}]),
        ["ND229"],
        ["/data/validation/0/label"],
    ),
    (
        _pairs(INPUT | {"label": 0}, INPUT, INPUT | {"label": 1}),
        ["ND227"],
        ["/data/train/1"],
    ),
    (_pairs(TARGET, TARGET), ["ND228"], ["/data/train/0/target"]),
    (_pairs(INPUT | {"label": 0}, TARGET), ["ND228"], ["/data/train/1/target"]),
    (_pairs(TARGET | {"label": 0}, INPUT | {"label": 1}), ["ND227"], ["/data/train/0/label"]),
    (_pairs(INPUT | {"label": -1}, INPUT | {"label": 1}), ["ND106"], ["/data/train/0/label"]),
    (_pairs(INPUT | {"label": 1.5}, INPUT | {"label": 1}), ["ND103"], ["/data/train/0/label"]),
    (_pairs(INPUT | {"label": True}, INPUT | {"label": 1}), ["ND103"], ["/data/train/0/label"]),
]


@pytest.mark.parametrize(("text", "expected", "places"), LABELLED_PAIRS)
def test_pairs_with_labels(text, expected, places, tmp_path):
    found = findings(tmp_path, text)
    assert codes(found) == expected
    assert [each.pointer for each in found] == places


def test_the_loss_is_named_where_arrays_meet_spike_time(tmp_path):
    data = json.loads(LABELLED)["data"] | {"labels": "labels_of_steps"}
    text = _document(data=data, loss={"type": "spike_time", "time_constant_ms": 2})
    (finding,) = findings(tmp_path, text)
    assert (finding.code, finding.pointer) == ("ND228", "/loss/type")
    assert finding.hint == "use spike_rate or spike_max"


def test_samples_of_the_wrong_kind_are_named_once_and_counted(tmp_path):
    (finding,) = findings(tmp_path, _pairs(TARGET, TARGET, TARGET))
    assert finding.notes == ("3 of 3 samples have no label",)


WINDOWS = [
    ({"loss": {"type": "spike_rate", "window_steps": 100}}, None),
    ({"loss": {"type": "spike_rate", "window_steps": 101}}, "/loss/window_steps"),
    ({"loss": {"type": "spike_max", "window_steps": 101}}, "/loss/window_steps"),
    ({"classifier": {"type": "moving_window", "window_steps": 100}}, None),
    ({"classifier": {"type": "moving_window", "window_steps": 101}}, "/classifier/window_steps"),
]


@pytest.mark.parametrize(("changes", "at"), WINDOWS)
def test_windows_are_no_longer_than_samples(changes, at, tmp_path):
    found = findings(tmp_path, _document(**changes))
    assert [(each.code, each.pointer) for each in found] == ([("ND231", at)] if at else [])


def test_a_classifier_of_whole_samples_has_no_use_for_labels_of_steps(tmp_path):
    text = _document(
        data=json.loads(LABELLED)["data"] | {"labels": "labels_of_steps"},
        loss={"type": "spike_max", "window_steps": 10},
        classifier={"type": "rate"},
    )
    (finding,) = findings(tmp_path, text)
    assert (finding.code, finding.hint) == ("ND315", "leave the classifier out")


def test_a_guessed_window_says_nothing_about_labels(tmp_path):
    text = _document(
        data=json.loads(LABELLED)["data"] | {"labels": "labels_of_steps"},
        loss={"type": "spike_max", "window_steps": 0},
    )
    assert codes(findings(tmp_path, text)) == ["ND106"]


def test_the_outputs_may_be_unknown(tmp_path):
    text = with_text("/layers/1", '{"name": "o", "type": "flatten", "from": "no"}', LABELLED)
    assert codes(findings(tmp_path, text)) == ["ND205"]


def test_events_beyond_a_shape_of_several_axes(tmp_path):
    text = with_text("/input/shape", "[1, 1, 3]", BASE)
    text = text.replace('"layers": [', '"layers": [{"name": "flat", "type": "flatten"},', 1)
    (finding,) = findings(tmp_path, text)
    assert finding.code == "ND308"
    assert "1 of 2 events" in finding.message
    assert "the 1 x 1 x 3 inputs" in finding.message


@UNHURRIED
@given(st.data())
def test_damaged_files_give_findings_and_no_exception(tmp_path_factory, data):
    directory = tmp_path_factory.getbasetemp()
    raw = bytearray(samples())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    (directory / "own.npz").write_bytes(raw)
    text = json.dumps(json.loads(SPLIT) | {"data": json.loads(SPLIT)["data"] | {"path": "own.npz"}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = findings(directory, text)
    render_text(found)
    assert all(each.pointer.startswith("/data/") for each in found)
