"""What a quick look at event files says, compared with what training makes of them."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.description_samples import (
    BASE,
    UNHURRIED,
    codes,
    events,
    findings,
    npy,
    plane_events,
    slowed,
    text_of,
)

from netdesc.data import event_reader
from netdesc.events import read_events, to_dense

PLANE = [2, 5, 9]


def _document(name: str, shape: list[int], **changes) -> str:
    data = {"type": "spike_files", "train": [{"input": {"path": name}, **changes}]}
    data["train"][0].setdefault("target", {"path": "target.bs1"})
    layers = [{"name": "flat", "type": "flatten"}] if len(shape) > 1 else []
    base = json.loads(BASE)
    base |= {"data": data, "input": {"shape": shape}, "layers": layers + base["layers"]}
    return json.dumps(base)


def _findings(directory, name: str, raw: bytes, shape: list[int] | None = None):
    (directory / name).write_bytes(raw)
    return findings(directory, _document(name, shape or [4]))


INSIDE = [(8, 4, 1, 99.0), (0, 0, 0, 0.0)]
CASES = [
    # file, contents, shape, code, words
    ("a.bs2", plane_events((9, 0, 0, 1)), PLANE, "ND307", 'need "shape": [1, 1, 10]'),
    ("a.bs2", plane_events(*INSIDE, (0, 5, 0, 1)), PLANE, "ND308", "1 of 3 events"),
    ("a.bs2", plane_events(*INSIDE, (0, 0, 0, 99.7)), PLANE, "ND308", '"rounding": "floor"'),
    ("a.bs2", plane_events(*INSIDE), [90], "ND323", '"shape": [2, 5, 9] has room for all of them'),
    ("a.bs1", events((3, 1), (39, 1)), [30], "ND308", 'neuron is 39, which needs "shape": [40]'),
    ("a.npy", npy([[0, 1, 1], [1, 1, 50000], [1, 0, 90000]]), [4], "ND308", "milliseconds"),
    ("a.npy", npy(np.zeros((0, 3))), [4], "ND307", "has no events"),
    ("a.npy", npy([[0, 1, 0.004], [3, 0, 0.9]] * 5), [4], "ND330", "are the times in seconds?"),
    ("a.npy", npy([[8, 0, 12], [44, 1, 40]]), PLANE, "ND330", "add 45 to x where p is 1"),
    ("a.npy", npy([[0, 12, 1], [3, 40, 0], [2, 50, 1]]), [4], "ND330", "The columns are x, p, t"),
    ("a.npy", npy([[8, 4, -1, 1], [1, 1, 1, 5]]), PLANE, "ND308", "save (p + 1) // 2"),
    ("a.npy", npy([1, 2, 3]), [4], "ND322", "has the shape [3]; expected: rows of x, p, t"),
    ("a.npy", npy(np.zeros(5, [("x", "i2"), ("t", "i8"), ("p", "?")])), [4], "ND322",
     "numpy.c_[a['x'], a['p'], a['t'] / 1000]"),
    ("a.npy", npy([[0.5, 1, 1]]), [4], "ND322", "the x 0.5 in its row 0, not a whole number"),
    ("a.npy", npy([[0, 1, 1.7e15]]), [4], "ND322",
     "at most 46 days are possible | are the times in µs?"),
    ("a.npy", npy([[0, 1, 1.0]])[:-1], [4], "ND322", "is cut off"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "raw", "shape", "code", "words"), CASES)
def test_one_error_is_found_and_what_may_be_meant(name, raw, shape, code, words, tmp_path):
    (diagnostic,) = _findings(tmp_path, name, raw, shape)
    assert (diagnostic.code, diagnostic.pointer) == (code, "/data/train/0/input/path")
    assert words in text_of(diagnostic)
    assert diagnostic.is_error == (code in ("ND307", "ND322", "ND323"))


SOUND = [
    ("a.bs2", plane_events(*INSIDE), PLANE),
    ("a.bs2", plane_events((3, 0, 1, 5)), [4]),
    ("a.bs1", events((0, 1), (89, 1)), PLANE),
    ("a.npy", npy([[0, 1, 1], [3, 1, 99]]), [4]),
    ("a.npy", npy([[8, 4, 1, 99]]), PLANE),
    ("a.npy", npy([[0, 1, 0.5]]) + b"more", [4]),
]


@pytest.mark.parametrize(("name", "raw", "shape"), SOUND)
def test_sound_files_have_no_diagnostics(name, raw, shape, tmp_path):
    assert _findings(tmp_path, name, raw, shape) == []


@pytest.mark.parametrize("others", [["a.bs1"], ["input.bs1"]])
def test_inputs_without_events_are_errors_where_all_are(others, tmp_path):
    (tmp_path / "a.bs1").write_bytes(b"")
    pairs = [
        {"input": {"path": name}, "target": {"path": "target.bs1"}} for name in ("a.bs1", *others)
    ]
    document = json.loads(_document("input.bs1", [4]))
    document["data"] |= {"train": pairs, "validation": pairs}
    found = findings(tmp_path, json.dumps(document))
    told = {(each.pointer.split("/")[2], each.code, each.is_error) for each in found}
    assert told == {("train", "ND307", others == ["a.bs1"]), ("validation", "ND307", False)}


def test_targets_are_errors_and_speak_of_units(tmp_path):
    (tmp_path / "a.bs1").write_bytes(events((4, 1)))
    document = _document("input.bs1", [4], target={"path": "a.bs1"})
    (diagnostic,) = findings(tmp_path, document)
    assert (diagnostic.code, diagnostic.severity) == ("ND306", "error")
    assert diagnostic.hint == "the largest neuron is 4, which needs 5 units"
    (tmp_path / "a.bs2").write_bytes(plane_events((1, 1, 0, 1)))
    (diagnostic,) = findings(tmp_path, _document("input.bs1", [4], target={"path": "a.bs2"}))
    assert (diagnostic.code, diagnostic.severity) == ("ND323", "error")
    (tmp_path / "a.npy").write_bytes(npy([[10, 1, 0.5], [11, 2, 0.9]] * 5))
    assert codes(findings(tmp_path, document.replace("a.bs1", "a.npy"))) == ["ND306", "ND330"]


@pytest.mark.parametrize(("last_ms", "expected"), [(94, []), (96, ["ND308"])])
def test_targets_lie_in_steps_of_the_output(last_ms, expected, tmp_path):
    (tmp_path / "a.bs1").write_bytes(events((1, 1), (1, last_ms)))
    document = _document("input.bs1", [4], target={"path": "a.bs1"})
    assert codes(findings(tmp_path, slowed(document))) == expected


@UNHURRIED
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 1), st.floats(-3, 60)),
        min_size=1,
    ),
    st.integers(4, 20),
    st.sampled_from([1.0, 0.1, 0.5, 0.3333333333333333, 2.5]),
    st.sampled_from(["nearest", "floor"]),
)
def test_binning_drops_the_events_outside(tmp_path_factory, rows, steps, step_ms, rounding):
    directory = tmp_path_factory.getbasetemp()
    rows = [(x, y, p, round(t, 3)) for x, y, p, t in rows]
    # Half steps, where rounding decides.
    rows += [(0, 0, 0, round((steps + half) * step_ms, 3)) for half in (-1.5, -0.5, 0)]
    rows += [(0, 0, 0, -half) for half in (0.499, 0.5, 0.501, 1.5)]
    (directory / "a.npy").write_bytes(npy(np.array(rows)))
    changes = {"input": {"path": "a.npy", "rounding": rounding}}
    document = json.loads(_document("a.npy", PLANE, **changes))
    document["time"] = {"steps": steps, "step_ms": step_ms}
    found = findings(directory, json.dumps(document))
    event = read_events(directory / "a.npy")
    dropped = to_dense(event, tuple(PLANE), steps, step_ms, rounding)[1]
    assert dropped > 0
    (told,) = (each.message for each in found if each.pointer.startswith("/data/train/0/input"))
    count = "all" if dropped == len(rows) else f"{dropped} of"
    assert told.startswith(f"{count} {len(rows)} events of a.npy lie outside")


def test_a_file_that_many_samples_name_is_looked_at_once(tmp_path, monkeypatch):
    """A faulty one is reported where it is named."""
    for name, raw in (("good.bs1", events((0, 1), (1, 2))), ("bad.bs1", b"\0\0\0")):
        (tmp_path / name).write_bytes(raw)
    looked: list[Any] = []
    read = event_reader.read_events
    monkeypatch.setattr(event_reader, "read_events", lambda path: looked.append(path) or read(path))
    document = json.loads(_document("good.bs1", [4]))
    sample = document["data"]["train"][0] | {"target": {"path": "good.bs1"}}
    bad = sample | {"input": {"path": "bad.bs1"}}
    document["data"]["train"] = [sample, bad, sample, sample, bad]
    found = findings(tmp_path, json.dumps(document))
    assert [(each.code, each.pointer) for each in found] == [
        ("ND304", f"/data/train/{number}/input/path") for number in (1, 4)
    ]
    assert len(looked) == 3  # the good one as input and as target
