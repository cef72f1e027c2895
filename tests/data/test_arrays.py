"""Arrays with labels: what is said of them, and where."""

import json
import zipfile

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
    npy,
    npz,
    text_of,
    with_text,
    write_files,
)

from netdesc.api.load import load
from netdesc.description import DescriptionError, explain

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
WINDOW = labelled(loss={"type": "spike_rate", "window_steps": 10})

SOUND_ARRAYS = [
    (LABELLED, {}),
    (LABELLED, {"inputs": VALUES.astype(np.float16)}),
    (LABELLED, {"inputs": VALUES > 0.5}),
    (LABELLED, {"inputs": np.asfortranarray(VALUES)}),
    (UNENCODED, {"inputs": SPIKES}),
    (UNENCODED, {"inputs": SPIKES > 0}),
    (SPLIT, {"split": [0, 0, 1, 1, 2, 2]}),
    (LABELLED, {"split": [0, 0, 1, 1, 2, 2]}),
    (WITHOUT_SPLIT, {}),
    (with_text("/data/labels", '"split"', WITHOUT_SPLIT), {"split": LABELS}),
    (WINDOW, {}),
    (WINDOW, {"labels": np.arange(600).reshape(6, 100) % 2}),
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
    (SPLIT, {}, "ND310", "/data/split", "for each sample: 0 is for training"),
    (labelled_data(inputs="input"), {}, "ND310", "/data/inputs", 'did you mean "inputs"?'),
    (LABELLED, {"inputs": VALUES.astype(np.longdouble)}, "ND312", "/data/inputs", "of 16 bytes"),
    (LABELLED, {"labels": np.eye(2, dtype=int)[LABELS]}, "ND315", "/data/labels",
     "labels.argmax(axis=1)"),
    (LABELLED, {"labels": LABELS + np.nan}, "ND312", "/data/labels", "NaN is a missing label"),
    (LABELLED, {"inputs": VALUES.T}, "ND313", "/data/inputs", "last axis: save inputs.T"),
    (LABELLED, {"labels": LABELS.astype(str)}, "ND312", "/data/labels",
     "numpy.unique(labels, return_inverse=True)[1]"),
    (LABELLED, {"inputs": VALUES.reshape(6, 2, 2)}, "ND313", "/data/inputs",
     "inputs.reshape(6, 4)"),
    (SPLIT, {"split": [0.0] * 6}, "ND312", "/data/split", "contains floats"),
    (LABELLED, {"inputs": VALUES[:, :3]}, "ND313", "/data/inputs",
     "[6, 3]; expected: [samples, 4]"),
    (UNENCODED, {"inputs": np.zeros((6, 101, 4))}, "ND313", "/data/inputs", '"steps": 101 takes'),
    (UNENCODED, {"inputs": (np.arange(2400) % 2 * 255).reshape(6, 100, 4)}, "ND321",
     "/data/inputs", "save inputs > 0"),
    (UNENCODED, {"inputs": np.zeros((6, 4, 100))}, "ND313", "/data/inputs",
     "inputs.transpose(0, 2, 1)"),
    (PLANES, {"inputs": np.zeros((6, 1, 2, 2))}, "ND313", "/data/inputs",
     "inputs.transpose(0, 3, 1, 2)"),
    (with_text("/data/encoding", '{"type": "spikes"}', PLANES),
     {"inputs": np.zeros((6, 1, 2, 2))}, "ND313", "/data/inputs", "reshape(6, 1, 2, 1, 2)"),
    (labelled(input={"shape": [1]}), {"inputs": np.zeros(6)}, "ND313", "/data/inputs",
     "inputs.reshape(6, 1)"),
    (UNENCODED, {"inputs": np.zeros((100, 6, 4))}, "ND313", "/data/inputs",
     "inputs.swapaxes(0, 1)"),
    (LABELLED, {"inputs": SPIKES}, "ND314", "/data/encoding", '"rate" takes one per input'),
    (LABELLED, {"labels": LABELS[:, None]}, "ND315", "/data/labels", "labels.ravel()"),
    (WINDOW, {"labels": LATE_LABEL[:, :99]}, "ND315", "/data/labels", "or [6, 100] with one"),
    (LABELLED, {"labels": LATE_LABEL}, "ND315", "/data/labels", "each_step"),
    (LABELLED, {"labels": LABELS + 1}, "ND316", "/data/labels", "subtract 1"),
    (LABELLED, {"labels": LABELS - 1}, "ND316", "/data/labels", "labels >= 0 | 3 of 6 labels name"),
    (WINDOW, {"labels": LATE_LABEL}, "ND316", "/data/labels", "labels[3, 7] is 2"),
    (SPLIT, {"split": [1, 2, 1, 2, 1, 2]}, "ND317", "/data/split", "none of 6 samples to train on"),
    (LABELLED, {"inputs": VALUES[:0], "labels": LABELS[:0]}, "ND317", "/data/inputs", "no samples"),
    (SPLIT, {"split": [0, 0, 0, 1]}, "ND318", "/data/split", "the shape [4]; expected: [6]"),
    (SPLIT, {"split": [0, 0, 0, -1, 1, 2]}, "ND318", "/data/split", "split[3] is -1 | 0 is for"),
    (SPLIT, {"split": [0] * 6}, "ND319", "/data/split", "marks all 6 samples for training"),
    (WITHOUT_SPLIT, {"split": [0, 0, 1, 1, 2, 2]}, "ND325", "/data/split",
     "all 6 samples are for training"),
    (LABELLED, {"inputs": OUT_OF_RANGE}, "ND320", "/data/range", "1.5] holds all"),
    (LABELLED, {"inputs": VALUES * np.nan}, "ND320", "/data/inputs", "nan_to_num(inputs)"),
    (LABELLED, {"labels": LABELS * 0}, "ND235", "/data/labels", "has the label 1"),
    (SPLIT_WINDOW, {"labels": OF_STEPS, "split": [0, 1] * 3}, "ND235", "/data/labels", "label 1"),
]  # fmt: skip


@pytest.mark.parametrize(("base", "arrays", "code", "at", "words"), CASES)
def test_one_error_is_found_at_its_place(base, arrays, code, at, words, tmp_path):
    (diagnostic,) = array_findings(tmp_path, base, **arrays)
    assert (diagnostic.code, diagnostic.pointer) == (code, at)
    assert words in text_of(diagnostic)
    assert diagnostic.line is not None
    assert diagnostic.is_error == (code not in ("ND235", "ND319", "ND325"))


@pytest.mark.parametrize("name", ["labels", "inputs"])
@pytest.mark.parametrize("kind", ["<f0", "i0", "V4", "S3", "U0", "<c8", "<f16", "M8", "|O"])
def test_what_holds_no_numbers_is_one_error(name, kind, tmp_path):
    header = str({"descr": kind, "fortran_order": False, "shape": (6,)}).ljust(118).encode()
    raw = b"\x93NUMPY\1\0" + bytes([118, 0]) + header + bytes(96)
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as file:
        for key, array in SOUND.items():
            file.writestr(f"{key}.npy", raw if key == name else npy(array))
    (found,) = findings(tmp_path, with_text("/data/path", '"own.npz"', LABELLED))
    assert (found.pointer, found.is_error) == (f"/data/{name}", True)


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


def test_a_range_that_is_too_wide_is_refused(tmp_path):
    (diagnostic,) = array_findings(tmp_path, labelled_data(range=[-1e308, 1e308]))
    assert (diagnostic.code, diagnostic.pointer) == ("ND216", "/data/range")
    assert "from -1e+308 to 1e+308" in diagnostic.message
    assert array_findings(tmp_path, labelled_data(range=[-8e307, 9e307])) == []
    assert codes(array_findings(tmp_path, labelled_data(range=[1e308, -1e308]))) == ["ND216"]
