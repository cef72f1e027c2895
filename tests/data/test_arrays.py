"""Arrays with labels: what is said of them, and where."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.description_samples import (
    LABELLED,
    LABELS,
    SOUND,
    VALUES,
    array_findings,
    codes,
    findings,
    labelled,
    labelled_data,
    npz,
    text_of,
    with_text,
    write_files,
)

from netdesc.api.load import load
from netdesc.description import DescriptionError, explain, render_text

SPIKES = np.eye(100, 4, dtype=np.uint8)[None].repeat(6, 0)


UNENCODED = labelled_data(encoding={"type": "spikes"})
IMAGES = labelled(
    data=json.loads(UNENCODED)["data"],
    input={"shape": [2, 2]},
    layers=[{"name": "flat", "type": "flatten"}, *json.loads(UNENCODED)["layers"]],
)
PLANES = with_text(
    "/data/encoding", '{"type": "rate"}', with_text("/input", '{"shape": [2, 1, 2]}', IMAGES)
)
SPLIT = labelled_data(split="split")
WITHOUT_SPLIT = labelled(data={"type": "arrays", "path": "a.npz", "encoding": {"type": "rate"}})
TWO_STEPS = labelled(time={"steps": 2}, layers=json.loads(LABELLED)["layers"][1:])
ONE_HOT = np.eye(2, dtype=int)[LABELS]
WINDOW = labelled(loss={"type": "spike_rate", "window_steps": 10})

SOUND_ARRAYS = [
    (LABELLED, {}),
    (LABELLED, {"inputs": VALUES.astype(np.float16)}),
    (LABELLED, {"inputs": VALUES.astype(">f8")}),
    (LABELLED, {"inputs": VALUES > 0.5}),
    (LABELLED, {"inputs": np.asfortranarray(VALUES)}),
    (labelled_data(range=[-8, 16]), {"inputs": np.full((6, 4), 16, dtype=np.int8)}),
    (LABELLED, {"labels": LABELS.astype(np.uint8)}),
    (LABELLED, {"labels": LABELS.astype(">i2")}),
    (UNENCODED, {"inputs": SPIKES}),
    (UNENCODED, {"inputs": SPIKES.astype(np.float32)}),
    (UNENCODED, {"inputs": SPIKES > 0}),
    (labelled_data(encoding={"type": "latency"}), {}),
    (SPLIT, {"split": [0, 0, 1, 1, 2, 2]}),
    (SPLIT, {"split": np.array([2, 2, 0, 0, 1, 1], dtype=np.uint8)}),
    (LABELLED, {"split": [0, 0, 1, 1, 2, 2]}),
    (WITHOUT_SPLIT, {}),
    (with_text("/data/labels", '"split"', WITHOUT_SPLIT), {"split": LABELS}),
    (WINDOW, {}),
    (WINDOW, {"labels": np.arange(600).reshape(6, 100) % 2}),
    (LABELLED, {"other": np.array([{}])}),
]


@pytest.mark.parametrize(("base", "arrays"), SOUND_ARRAYS)
def test_sound_arrays_have_no_diagnostics(base, arrays, tmp_path):
    assert array_findings(tmp_path, base, **arrays) == []


OUT_OF_RANGE = VALUES.copy()
OUT_OF_RANGE[2, 3] = 1.5
SPLIT_WINDOW = json.dumps(json.loads(WINDOW) | {"data": json.loads(SPLIT)["data"]})
OF_STEPS = np.repeat(LABELS[:, None], 100, axis=1)
LATE_LABEL = np.arange(600).reshape(6, 100) % 2
LATE_LABEL[3, 7] = 2

CASES = [
    # document, arrays, code, pointer, words
    (LABELLED, {"inputs": np.array([{}])}, "ND311", "/data/inputs", 'array "inputs" of own.npz'),
    (LABELLED, {"labels": np.array(["a"], dtype=object)}, "ND311", "/data/labels", "pickled"),
    (SPLIT, {"split": np.array([None])}, "ND311", "/data/split", "never loads"),
    (SPLIT, {}, "ND310", "/data/split", "for each sample: 0 is for training"),
    (labelled_data(inputs="x", labels="y", split="part"), {"x_train": VALUES, "x_test": VALUES},
     "ND310", "/data/inputs", "join the parts: arrays x, y, part, in which"),
    (SPLIT, {"train": LABELS, "contest": LABELS}, "ND310", "/data/split", 'its arrays: "split": …'),
    (labelled_data(inputs="input"), {}, "ND310", "/data/inputs", 'did you mean "inputs"?'),
    (LABELLED, {"inputs": VALUES * 1j}, "ND312", "/data/inputs", "contains complex numbers"),
    (LABELLED, {"inputs": VALUES.astype(np.longdouble)}, "ND312", "/data/inputs", "of 16 bytes"),
    (LABELLED, {"labels": LABELS * 1.0}, "ND312", "/data/labels", "labels.astype(int) converts it"),
    (LABELLED, {"labels": np.eye(2)[LABELS]}, "ND312", "/data/labels", "labels.argmax(axis=1)"),
    (LABELLED, {"labels": np.eye(2, dtype=int)[LABELS]}, "ND315", "/data/labels",
     "labels.argmax(axis=1)"),
    (TWO_STEPS, {"labels": ONE_HOT}, "ND315", "/data/labels", "labels.argmax(axis=1)"),
    (LABELLED, {"labels": LABELS + 0.5}, "ND312", "/data/labels", "classes are whole numbers"),
    (LABELLED, {"labels": LABELS + np.nan}, "ND312", "/data/labels", "NaN is a missing label"),
    (LABELLED, {"inputs": VALUES.T}, "ND313", "/data/inputs", "last axis: save inputs.T"),
    (SPLIT, {"inputs": VALUES.T, "split": [0, 0, 0, 1, 1, 2]}, "ND313", "/data/inputs",
     "the shape [4, 6]; expected: [samples, 4]"),
    (LABELLED, {"labels": LABELS > 0}, "ND312", "/data/labels", "contains booleans"),
    (LABELLED, {"labels": LABELS.astype(str)}, "ND312", "/data/labels",
     "numpy.unique(labels, return_inverse=True)[1]"),
    (LABELLED, {"labels": LABELS[:, None] * 1.0}, "ND312", "/data/labels",
     "labels.ravel().astype(int)"),
    (LABELLED, {"labels": LABELS[:, None].astype(str)}, "ND312", "/data/labels",
     "numpy.unique(labels.ravel()"),
    (LABELLED, {"inputs": VALUES.reshape(6, 2, 2)}, "ND313", "/data/inputs",
     "inputs.reshape(6, 4)"),
    (UNENCODED, {"inputs": SPIKES[..., None]}, "ND313", "/data/inputs",
     "inputs.reshape(6, 100, 4)"),
    (SPLIT, {"split": [0.0] * 6}, "ND312", "/data/split", "contains floats"),
    (LABELLED, {"inputs": VALUES[:, :3]}, "ND313", "/data/inputs",
     "[6, 3]; expected: [samples, 4]"),
    (LABELLED, {"inputs": VALUES[0]}, "ND313", "/data/inputs", "shape [4]"),
    (LABELLED, {"inputs": np.array(0.5)}, "ND313", "/data/inputs", "shape []"),
    (UNENCODED, {"inputs": SPIKES[..., :3]}, "ND313", "/data/inputs", "[samples, steps, 4]"),
    (UNENCODED, {"inputs": np.zeros((6, 101, 4))}, "ND313", "/data/inputs", '"steps": 101 takes'),
    (UNENCODED, {"inputs": np.zeros((6, 1_000_001, 4), bool)}, "ND313", "/data/inputs",
     "time.steps is 100 | inputs[:, :100] takes"),
    (UNENCODED, {"inputs": (np.arange(2400) % 2 * 255).reshape(6, 100, 4)}, "ND321",
     "/data/inputs", "save inputs > 0"),
    (UNENCODED, {"inputs": (np.arange(2400) % 3).reshape(6, 100, 4)}, "ND321", "/data/inputs",
     '{"type": "series"}'),
    (UNENCODED, {"inputs": SPIKES[:, :0]}, "ND313", "/data/inputs", "has 0 steps"),
    (UNENCODED, {"inputs": np.zeros((6, 4, 100))}, "ND313", "/data/inputs",
     "inputs.transpose(0, 2, 1)"),
    (IMAGES, {"inputs": np.zeros((6, 2, 2, 100))}, "ND313", "/data/inputs",
     "inputs.transpose(0, 3, 1, 2)"),
    (PLANES, {"inputs": np.zeros((6, 1, 2, 2))}, "ND313", "/data/inputs",
     "inputs.transpose(0, 3, 1, 2)"),
    (with_text("/data/encoding", '{"type": "spikes"}', PLANES),
     {"inputs": np.zeros((6, 1, 2, 2))}, "ND313", "/data/inputs", "reshape(6, 1, 2, 1, 2)"),
    (with_text("/data/encoding", '{"type": "spikes"}', PLANES),
     {"inputs": np.zeros((6, 100, 1, 2, 2))}, "ND313", "/data/inputs",
     "inputs.transpose(0, 1, 4, 2, 3)"),
    (labelled(input={"shape": [1]}), {"inputs": np.zeros(6)}, "ND313", "/data/inputs",
     "inputs.reshape(6, 1)"),
    (UNENCODED, {"inputs": np.zeros((100, 6, 4))}, "ND313", "/data/inputs",
     "inputs.swapaxes(0, 1)"),
    (UNENCODED, {}, "ND314", "/data/encoding", '{"type": "rate"}, or "constant"'),
    (LABELLED, {"inputs": SPIKES}, "ND314", "/data/encoding", '"rate" takes one per input'),
    (LABELLED, {"inputs": SPIKES[:, :1]}, "ND313", "/data/inputs", "the shape [6, 1, 4]"),
    (LABELLED, {"labels": LABELS[:5]}, "ND315", "/data/labels", "the shape [5]; expected: [6]"),
    (LABELLED, {"labels": LABELS[:, None]}, "ND315", "/data/labels", "labels.ravel()"),
    (WINDOW, {"labels": LATE_LABEL[:, :99]}, "ND315", "/data/labels", "or [6, 100] with one"),
    (LABELLED, {"labels": LATE_LABEL}, "ND315", "/data/labels", "each_step"),
    (LABELLED, {"labels": LABELS + 1}, "ND316", "/data/labels", "subtract 1"),
    (LABELLED, {"labels": LABELS - 1}, "ND316", "/data/labels", "labels >= 0 | 3 of 6 labels name"),
    (LABELLED, {"labels": 2 * LABELS - 1}, "ND316", "/data/labels", "(labels > 0).astype(int)"),
    (WINDOW, {"labels": LATE_LABEL}, "ND316", "/data/labels", "labels[3, 7] is 2"),
    (WINDOW, {"labels": np.asfortranarray(LATE_LABEL)}, "ND316", "/data/labels",
     "labels[3, 7] is 2"),
    (SPLIT, {"split": [1, 2, 1, 2, 1, 2]}, "ND317", "/data/split", "none of 6 samples to train on"),
    (LABELLED, {"inputs": VALUES[:0], "labels": LABELS[:0]}, "ND317", "/data/inputs", "no samples"),
    (SPLIT, {"split": [0, 0, 0, 1]}, "ND318", "/data/split", "the shape [4]; expected: [6]"),
    (SPLIT, {"split": [0, 0, 0, -1, 1, 2]}, "ND318", "/data/split", "split[3] is -1 | 0 is for"),
    (SPLIT, {"split": [0] * 6}, "ND319", "/data/split", "marks all 6 samples for training"),
    (WITHOUT_SPLIT, {"split": [0, 0, 1, 1, 2, 2]}, "ND325", "/data/split",
     "all 6 samples are for training"),
    (LABELLED, {"inputs": OUT_OF_RANGE}, "ND320", "/data/range", "1.5] holds all"),
    (LABELLED, {"inputs": VALUES * np.nan}, "ND320", "/data/inputs", "nan_to_num(inputs)"),
    (UNENCODED, {"inputs": SPIKES * np.nan}, "ND321", "/data/inputs", "nan_to_num(inputs)"),
    (labelled_data(range=[0.5, 1]), {}, "ND320", "/data/range", "12 of 24 values are wrong"),
    (UNENCODED, {"inputs": SPIKES + 2}, "ND321", "/data/inputs", "0, 0] is 3, not 0 or 1"),
    (LABELLED, {"labels": LABELS * 0}, "ND235", "/data/labels", "has the label 1"),
    (SPLIT, {"split": [0, 1, 0, 2, 0, 2]}, "ND235", "/data/labels", "has the label 1"),
    (SPLIT_WINDOW, {"labels": OF_STEPS, "split": [0, 1] * 3}, "ND235", "/data/labels", "label 1"),
    (SPLIT_WINDOW, {"labels": np.asfortranarray(OF_STEPS), "split": [0, 1] * 3}, "ND235",
     "/data/labels", "label 1"),
]  # fmt: skip


@pytest.mark.parametrize(("base", "arrays", "code", "at", "words"), CASES)
def test_one_error_is_found_at_its_place(base, arrays, code, at, words, tmp_path):
    (diagnostic,) = array_findings(tmp_path, base, **arrays)
    assert (diagnostic.code, diagnostic.pointer) == (code, at)
    assert words in text_of(diagnostic)
    assert diagnostic.line is not None
    assert diagnostic.is_error == (code not in ("ND235", "ND319", "ND325"))


@pytest.mark.parametrize(
    ("base", "arrays"),
    [
        (IMAGES, {"inputs": np.zeros((6, 100, 4))}),  # the order of an image's axes is unknown
        (UNENCODED, {"inputs": np.zeros((6, 4))[..., None]}),
        (LABELLED, {"labels": LABELS * 4 - 1}),
        (WINDOW, {"labels": LATE_LABEL - 2}),
        (LABELLED, {"labels": 2 * LABELS + 1}),
    ],
)
def test_no_way_out_is_invented(base, arrays, tmp_path):
    (diagnostic,) = array_findings(tmp_path, base, **arrays)
    assert diagnostic.hint == ""


def test_a_split_says_what_it_holds(tmp_path):
    (diagnostic,) = findings(tmp_path, labelled_data(split=0.2))
    assert (diagnostic.code, diagnostic.pointer) == ("ND103", "/data/split")
    assert diagnostic.hint == (
        "training.validation_split takes a share; data.split names an array with 0 train, "
        "1 validation, 2 test"
    )
    assert "validation_split" not in findings(tmp_path, labelled_data(labels=0.2))[0].hint
    for split in (["train"] * 6, [0.0] * 6, [True] * 6):
        (diagnostic,) = array_findings(tmp_path, SPLIT, split=split)
        assert diagnostic.code == "ND312"
        assert diagnostic.hint == "0 is for training, 1 for validation, 2 for testing"
    assert "1 for validation" in " ".join(explain("ND312").split())


def test_several_arrays_have_their_diagnostics_at_once(tmp_path):
    found = array_findings(
        tmp_path, SPLIT, inputs=OUT_OF_RANGE, labels=LABELS + 5, split=[0, 0, 0, 0, 3, 3]
    )
    assert sorted(codes(found)) == ["ND316", "ND318", "ND320"]


def test_the_ends_of_the_range_are_those_of_the_values_type(tmp_path):
    for kind in (np.float16, np.float32, np.float64):
        values = np.full((6, 4), 0.1, dtype=kind)
        for ends in ([0, 0.1], [0.1, 0.3], [-1e300, 1e300]):
            found = array_findings(tmp_path, labelled_data(range=ends), inputs=values)
            assert {*codes(found)} <= {"ND331"}


@pytest.mark.parametrize("ending", ["cut.npz", "own.npz"])
def test_damaged_files_have_a_diagnostic_at_their_path(ending, tmp_path):
    (tmp_path / "own.npz").write_bytes(b"\x93NUMPY" + bytes(100))
    (diagnostic,) = findings(tmp_path, with_text("/data/path", f'"{ending}"', LABELLED))
    assert (diagnostic.code, diagnostic.pointer) == ("ND309", "/data/path")
    assert diagnostic.message == f"{ending} is not an .npz file, or it is cut off or damaged"
    assert not diagnostic.lacks_data


def test_a_damaged_array_is_named(tmp_path):
    raw = bytearray(npz(**SOUND))
    at = raw.index(b"labels.npy") + len("labels.npy") + 25
    raw[at : at + 9] = bytes(9)
    (tmp_path / "own.npz").write_bytes(raw)
    (diagnostic,) = findings(tmp_path, with_text("/data/path", '"own.npz"', LABELLED))
    assert (diagnostic.code, diagnostic.pointer) == ("ND309", "/data/labels")
    assert 'own.npz is damaged in its array "labels"' in diagnostic.message


def test_files_of_another_kind_and_none_at_all(tmp_path):
    (diagnostic,) = findings(tmp_path, with_text("/data/path", '"input.bs1"', LABELLED))
    assert (diagnostic.code, diagnostic.notes) == (
        "ND305",
        ("allowed: .npz, a folder of .npy files",),
    )
    write_files(tmp_path)
    (tmp_path / "network.json").write_text(with_text("/data/path", '"absent.npz"', LABELLED))
    with pytest.raises(DescriptionError) as caught:
        load(tmp_path / "network.json")
    assert codes(caught.value.diagnostics) == ["ND301"]
    assert caught.value.lacks_data
    assert load(tmp_path / "network.json", with_files=False).document.name == "example"


def test_a_checksum_comes_before_the_contents(tmp_path):
    text = labelled_data(path="cut.npz", sha256="0" * 64)
    assert codes(findings(tmp_path, text)) == ["ND303"]


def test_names_with_markup_and_controls_show_as_text(tmp_path):
    name = "<b>\x1b[31m&é"
    found = array_findings(
        tmp_path, labelled_data(inputs=name, labels="x"), **{name: np.array(["a"])}
    )
    assert sorted(codes(found)) == ["ND310", "ND312"]
    shown = render_text(found)
    assert "\x1b" not in shown
    assert "<b>\ufffd[31m&é" in shown


def test_a_range_that_is_too_wide_is_refused(tmp_path):
    (diagnostic,) = array_findings(tmp_path, labelled_data(range=[-1e308, 1e308]))
    assert (diagnostic.code, diagnostic.pointer) == ("ND216", "/data/range")
    assert "from -1e+308 to 1e+308" in diagnostic.message
    assert array_findings(tmp_path, labelled_data(range=[-8e307, 9e307])) == []
    assert codes(array_findings(tmp_path, labelled_data(range=[1e308, -1e308]))) == ["ND216"]
