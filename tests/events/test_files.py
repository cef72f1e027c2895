"""Event files: written events are read back, and a damaged file gives one clear error."""

import contextlib
import os
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.event_samples import events_of

from netdesc.events import Event, EventFileError, files, read_events, write_events

TIMES_US = st.integers(0, 2**23 - 1)


def assert_same(left: Event, right: Event):
    assert (left.y is None) == (right.y is None)
    np.testing.assert_array_equal(left.x, right.x)
    np.testing.assert_array_equal(left.p, right.p)
    np.testing.assert_array_equal(left.t, right.t)
    if left.y is not None:
        np.testing.assert_array_equal(left.y, right.y)


@pytest.mark.parametrize(
    ("suffix", "with_y", "largest_x"),
    [(".bs1", False, 65535), (".bs2", True, 255), (".npy", False, 65535), (".npy", True, 65535)],
)
def test_events_come_back_exact_to_the_microsecond(tmp_path_factory, suffix, with_y, largest_x):
    path = tmp_path_factory.mktemp("events") / f"spikes{suffix}"
    row = st.tuples(st.integers(0, largest_x), st.integers(0, 255), st.integers(0, 1), TIMES_US)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(row, max_size=30))
    def round_trip(rows):
        event = events_of(rows, with_y)
        write_events(path, event)
        assert_same(event, read_events(path))

    round_trip()


@pytest.mark.parametrize("y", [None, [0, 2]])
def test_payloads_are_written_as_a_fifth_column_and_only_to_npy(tmp_path, y):
    event = Event(x=[3, 1], y=y, t=[0.5, 2.0], payload=[-2.5, 4.0])
    write_events(tmp_path / "graded.npy", event)
    back = read_events(tmp_path / "graded.npy")
    assert (back.payload.tolist(), back.y.tolist()) == ([-2.5, 4.0], y or [0, 0])
    with pytest.raises(EventFileError, match=r"use \.npy"):
        write_events(tmp_path / ("graded.bs1" if y is None else "graded.bs2"), event)
    np.save(tmp_path / "graded.npy", [[0, 0, 0, 1.0, 1.0], [0, 0, 0, 1.0, np.nan]])
    with pytest.raises(EventFileError, match="payload nan in its row 1"):
        read_events(tmp_path / "graded.npy")


@settings(max_examples=40, deadline=None)
@given(neuron=st.integers(0, 65535), polarity=st.integers(0, 1), time_us=TIMES_US)
def test_bits_are_laid_out_as_documented(tmp_path_factory, neuron, polarity, time_us):
    path = tmp_path_factory.mktemp("bits") / "one.bs1"
    path.write_bytes((neuron << 24 | polarity << 23 | time_us).to_bytes(5, "big"))
    event = read_events(path)
    assert (event.x[0], event.y, event.p[0]) == (neuron, None, polarity)
    assert event.t[0] == time_us / 1000.0
    event = read_events(path.rename(path.with_suffix(".bs2")))
    assert (event.x[0], event.y[0], event.p[0]) == (neuron >> 8, neuron & 0xFF, polarity)
    assert event.t[0] == time_us / 1000.0


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "<i4", "<u2", ">i8", "|i1"])
def test_npy_takes_any_kind_of_number_and_either_memory_order(tmp_path, dtype):
    rows = np.asfortranarray(np.array([[3, 1, 0, 25], [4, 2, 1, 26]], dtype=dtype))
    np.save(tmp_path / "a.npy", rows)
    event = read_events(tmp_path / "a.npy")
    assert event.x.tolist() == [3, 4]
    assert event.t.tolist() == [25.0, 26.0]


def test_no_events_are_events(tmp_path):
    (tmp_path / "empty.bs1").write_bytes(b"")
    assert len(read_events(tmp_path / "empty.bs1")) == 0
    np.save(tmp_path / "empty.npy", np.zeros((0, 4)))
    assert len(read_events(tmp_path / "empty.npy")) == 0


def npy_bytes(header: str, body: bytes = b"") -> bytes:
    text = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + body


class Payload:
    def __reduce__(self):
        return (os.mkdir, ("pwned",))


BAD_FILES = {
    "odd.bs1": (b"\0" * 7, "no multiple of 5"),
    "odd.bs2": (b"\0" * 11, "no multiple of 5"),
    "kind.txt": (b"", ".bs1, .bs2, .bin, .npy"),
    "short.npy": (b"\x93NUM", "is not an .npy file"),
    "text.npy": (b"spikes, spikes, spikes, spikes", "is not an .npy file"),
    "huge.npy": (
        npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999, 4)}"),
        "shorter than its header",
    ),
    "truncated.npy": (
        npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (9, 4)}", b"\0" * 64),
        "shorter than its header",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_damaged_file_is_one_clear_error(tmp_path, name):
    content, words = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EventFileError, match=words) as raised:
        read_events(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((5, 2)), r"shape \[5, 2\]; expected: rows of x, p, t"),
        (np.zeros(12), r"shape \[12\]"),
        (np.zeros((2, 3), dtype="U3"), "holds no numbers"),
        (np.zeros((2, 3), dtype=complex), "holds no numbers"),
        (np.zeros((2, 3), dtype=bool), "holds no numbers"),
        (np.array([[1, 0, np.nan]]), "the time nan in its row 0"),
        (
            np.array([[1, 0, 4e9], [1, 0, 4.1e9]]),
            "the time 4,100,000,000 ms in its row 1; at most 46 days",
        ),
        (np.array([[1, 0, 4e9], [1, 0, -4.1e9]]), "the time -4,100,000,000 ms in its row 1"),
        (np.array([[1, 0, 5], [1.5, 0, 5]]), "the x 1.5 in its row 1, not a whole number"),
        (np.array([[1, 0, 5], [1, np.inf, 5]]), "the p inf in its row 1"),
        (np.array([[1, 2, 0, 5], [1, np.nan, 0, 5]]), "the y nan in its row 1"),
        (np.array([[1e30, 0, 5]]), r"the x 1e\+30 in its row 0"),
        (np.array([[1, 2**31, 5]]), "the p 2147483648 in its row 0"),
        (np.zeros(4, dtype=[("x", "i4"), ("t", "f8")]), "holds records.* its fields are x, t"),
    ],
)
def test_the_error_names_npy_columns_that_are_no_events(tmp_path, rows, words):
    np.save(tmp_path / "a.npy", rows)
    with pytest.raises(EventFileError, match=words):
        read_events(tmp_path / "a.npy")


def test_npy_never_runs_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a.npy", np.array([[Payload()] * 4], dtype=object), allow_pickle=True)
    with pytest.raises(EventFileError):
        read_events(tmp_path / "a.npy")
    assert not (tmp_path / "pwned").exists()


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".bs1", ".bs2", ".npy"]))
def test_any_bytes_are_events_or_an_error(tmp_path_factory, content, suffix):
    if suffix == ".npy":
        content = b"\x93NUMPY\x01\x00" + content
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(EventFileError):
        read_events(path)


def test_missing_folder_and_oversized_files(tmp_path, monkeypatch):
    with pytest.raises(EventFileError, match="no such event file"):
        read_events(tmp_path / "none.bs1")
    (tmp_path / "folder.bs1").mkdir()
    with pytest.raises(EventFileError, match="not a regular file"):
        read_events(tmp_path / "folder.bs1")
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 9)
    (tmp_path / "large.bs1").write_bytes(bytes(10))
    with pytest.raises(EventFileError, match="10 bytes long"):
        read_events(tmp_path / "large.bs1")


@pytest.mark.parametrize(
    ("suffix", "row", "with_y", "words"),
    [
        (".bs1", (65536, 0, 0, 0), False, "neuron 65536"),
        (".bs1", (-1, 0, 0, 0), False, "neuron -1"),
        (".bs1", (1, 0, 2, 0), False, "polarity 2"),
        (".bs1", (1, 0, 0, 2**23), False, "time in microseconds 8388608"),
        (".bs1", (1, 0, 0, -1), False, "time in microseconds -1"),
        (".bs1", (1, 0, 0, 0), True, r"use .bs2"),
        (".bs2", (1, 0, 0, 0), False, r"use .bs1"),
        (".bs2", (256, 0, 0, 0), True, "x 256"),
        (".bs2", (0, 256, 0, 0), True, "y 256"),
    ],
)
def test_events_that_a_format_cannot_hold_are_refused_and_the_old_file_stays(
    tmp_path, suffix, row, with_y, words
):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"older")
    with pytest.raises(EventFileError, match=words):
        write_events(path, events_of([(0, 0, 0, 0), row], with_y))
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".bs1", ".npy"])
@pytest.mark.parametrize("time_ms", [-1e10, 1e10])
def test_times_that_no_file_holds_are_refused(tmp_path, suffix, time_ms):
    event = Event(np.zeros(2, int), None, np.zeros(2, int), np.array([0.0, time_ms]))
    with pytest.raises(EventFileError, match="event 1 has time"):
        write_events(tmp_path / f"a{suffix}", event)
    assert list(tmp_path.iterdir()) == []


def test_only_an_event_is_written(tmp_path):
    path, event = tmp_path / "a.bs1", Event(x=[1], t=[0.0])
    wrong: list[Any] = [(event, path), (path, np.zeros((3, 2)))]
    for arguments in wrong:
        with pytest.raises(TypeError, match=r"an Event is needed.*write_events\(path, event\)"):
            write_events(*arguments)
    assert not path.exists()
