"""Reading .npz files: what is in them becomes samples, and what is wrong is one message."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdesc.description.models import Arrays, LatencyEncoding
from netdesc.description.npz import Npz
from netdesc.report import ReportError
from netdesc.report import npz as report_npz
from netdesc.training import npz
from netdesc.training.arrays import ArrayFile
from netdesc.training.errors import DataError, MissingDataError
from netdesc.training.samples import SampleSpec

SPEC = SampleSpec(steps=6, step_ms=1.0, input_shape=(2, 3), output_shape=(4,), classes=4)
BY_STEP = SampleSpec(6, 1.0, (2, 3), (4,), 4, labels_by_step=True)
SAMPLES = 8


def good(**changes: Any) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "inputs": rng.integers(0, 17, (SAMPLES, 2, 3)).astype(np.uint8),
        "labels": np.arange(SAMPLES) % 4,
        "split": np.array([0, 0, 1, 0, 2, 0, 1, 0]),
    } | changes


def read(path: Path, spec: SampleSpec = SPEC, warn: Any = lambda text: None, **data: Any):
    settings = {"encoding": {"type": "latency"}, "range": (0, 16), "split": "split"} | data
    section = Arrays.model_validate({"type": "arrays", "path": path.name, **settings})
    return ArrayFile(path, section, spec, warn=warn).read()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.npz"


def fails(path: Path, message: str, spec: SampleSpec = SPEC, **data: Any) -> None:
    with pytest.raises(DataError, match=message) as error:
        read(path, spec, **data)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("largest", "data", "told"),
    [
        (16, {}, ""),
        (1.01, {}, ""),
        (1, {}, "goes up to 1, and data.range to 16: its values hardly make a spike"),
        (1, {"range": (0, 1)}, ""),
        (0, {"range": (-1, 1), "encoding": {"type": "rate"}}, ""),
        (-1, {"range": (-1, 1), "encoding": {"type": "rate"}}, "goes up to -1, and data.range to"),
    ],
)
def test_values_that_hardly_make_a_spike_are_told(
    largest: float, data: dict[str, Any], told: str, file: Path
) -> None:
    """As those from 0 to 1 in the range of bytes. They are taken all the same."""
    inputs = np.full((SAMPLES, 2, 3), data.get("range", (0, 16))[0], np.float32)
    inputs[3, 1, 2] = largest
    np.savez(file, **good(inputs=inputs))
    warned: list[str] = []
    assert len(read(file, warn=warned.append, **data)["train"]) == 5
    assert len(warned) == bool(told)
    assert all(line.startswith(f'{file}: the array "inputs" {told}') for line in warned)


@pytest.mark.parametrize("spikes", [0, 1])
def test_spikes_that_are_none_are_told(spikes: int, file: Path) -> None:
    inputs = np.zeros((SAMPLES, 6, 2, 3), np.uint8)
    inputs[7, 5, 1, 2] = spikes
    np.savez(file, **good(inputs=inputs))
    warned: list[str] = []
    read(file, warn=warned.append, encoding={"type": "spikes"})
    assert warned == [f'{file}: the array "inputs" holds no spike'] * (1 - spikes)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_samples_go_to_their_parts(file: Path, save: Any) -> None:
    arrays = good()
    save(file, **arrays)
    parts = read(file)
    for number, part in enumerate(("train", "validation", "test")):
        which = arrays["split"] == number
        spikes, labels = parts[part].dense(np.random.default_rng(0))
        assert spikes.shape == (6, which.sum(), 2, 3)
        assert labels.tolist() == arrays["labels"][which].tolist()
        values = arrays["inputs"][which]
        assert np.array_equal(spikes.any(0), values > 0)
        assert np.array_equal(spikes[0] == 1, np.rint((16 - values) * 5 / 16) == 0)


def test_spikes_may_have_fewer_steps(file: Path) -> None:
    values = np.zeros((SAMPLES, 4, 2, 3), np.uint8)
    values[5, 3, 1, 2] = 1
    np.savez(file, **good(inputs=values))
    parts = read(file, encoding={"type": "spikes"}, split=None)
    assert [len(parts[name]) for name in ("train", "validation", "test")] == [SAMPLES, 0, 0]
    spikes, _ = parts["train"].dense(np.random.default_rng(0))
    assert spikes.shape == (6, SAMPLES, 2, 3)
    assert spikes.sum() == spikes[3, 5, 1, 2] == 1


@pytest.mark.parametrize("change", [np.asfortranarray, lambda array: array.astype(">i4")])
def test_arrays_mean_the_same_however_numpy_stores_them(file: Path, change: Any) -> None:
    arrays = good()
    np.savez(file, **arrays)
    plain = read(file)["train"]
    np.savez(file, **{name: change(array) for name, array in arrays.items()})
    again = read(file)["train"]
    assert np.array_equal(again.kept, plain.kept)
    assert np.array_equal(again.labels, plain.labels)


def test_labels_by_step(file: Path) -> None:
    labels = np.arange(SAMPLES * 6).reshape(SAMPLES, 6) % 4
    np.savez(file, **good(labels=labels))
    samples = read(file, BY_STEP, split=None)["train"]
    _, found = samples.dense(np.random.default_rng(0))
    assert np.array_equal(found, labels.T)
    assert found.flags.c_contiguous
    fails(file, "only a loss with window_steps takes a label a step")
    np.savez(file, **good(labels=labels[:, :5]))
    fails(file, "has 5 labels a sample; the network runs 6 steps", BY_STEP)


def test_a_long_array_is_checked_and_kept_in_pieces(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = good()
    np.savez(file, **arrays)
    whole = read(file)["train"].kept
    monkeypatch.setattr("netdesc.training.arrays._CHUNK_VALUES", 13)
    assert np.array_equal(read(file)["train"].kept, whole)
    arrays["inputs"][7, 1, 2] = 17
    np.savez(file, **arrays)
    fails(file, "has 17 in sample 7")


WRONG = [
    ({"inputs": np.zeros((SAMPLES, 6))}, r'"inputs" has shape \[8, 6\]; \[samples, 2, 3\]'),
    ({"inputs": np.zeros((0, 2, 3))}, '"inputs" holds no samples'),
    ({"inputs": np.zeros(())}, r'"inputs" has shape \[\]'),
    ({"inputs": np.full((SAMPLES, 2, 3), np.nan)}, '"inputs" has nan in sample 0, not numbers'),
    ({"inputs": np.full((SAMPLES, 2, 3), 17)}, "has 17 in sample 0, not numbers from 0 to 16"),
    ({"inputs": np.full((SAMPLES, 2, 3), -1)}, "has -1 in sample 0"),
    ({"inputs": np.zeros((SAMPLES, 2, 3), complex)}, '"inputs" holds complex128; numbers'),
    ({"inputs": np.full((SAMPLES, 2, 3), "a")}, '"inputs" holds <U1; numbers are needed'),
    ({"labels": np.arange(SAMPLES)}, '"labels" has 4 for sample 4; the classes are 0 to 3'),
    ({"labels": np.arange(SAMPLES) - 1}, '"labels" has -1 for sample 0'),
    ({"labels": np.zeros(7, int)}, r'"labels" has shape \[7\]; the inputs have 8 samples'),
    ({"labels": np.zeros((8, 1, 1), int)}, '"labels" has shape'),
    ({"labels": np.zeros(SAMPLES)}, '"labels" holds float64; whole numbers'),
    ({"split": np.ones(SAMPLES, int)}, '"split" leaves none of the 8 samples to train on'),
    ({"split": np.full(SAMPLES, 3)}, '"split" has 3 for sample 0; 0 is training, 1 validation'),
    ({"split": np.zeros(7, int)}, r'"split" has type int64 and shape \[7\]; .* \[8\] are needed'),
    ({"split": np.zeros(SAMPLES)}, '"split" has type float64'),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[message for _, message in WRONG])
def test_arrays_that_do_not_fit(file: Path, changes: dict[str, Any], message: str) -> None:
    np.savez(file, **good(**changes))
    fails(file, message)


def test_spikes_that_do_not_fit(file: Path) -> None:
    np.savez(file, **good(inputs=np.zeros((SAMPLES, 7, 2, 3), bool)))
    fails(file, "has 7 steps a sample; the network runs 6", encoding={"type": "spikes"})
    np.savez(file, **good(inputs=np.full((SAMPLES, 6, 2, 3), 2)))
    fails(file, "has 2 in sample 0, not 0 and 1", encoding={"type": "spikes"})
    np.savez(file, **good())
    fails(file, r'\[samples, steps, 2, 3\] is needed for encoding "spikes"', encoding={
        "type": "spikes"
    })  # fmt: skip


def test_pickles_are_never_loaded(file: Path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (file.with_name("exploded"),))

    for name in ("inputs", "labels", "split"):
        np.savez(file, **good(**{name: np.array([Bomb()] * SAMPLES, dtype=object)}))
        fails(file, f'array "{name}" holds pickled Python objects, which are never loaded')
    assert not file.with_name("exploded").exists()


def test_files_that_are_missing_or_changed(file: Path) -> None:
    with pytest.raises(MissingDataError, match="cannot read this file: no such"):
        read(file)
    np.savez(file, **good())
    fails(file, "the file has changed", sha256="0" * 64)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"no zip at all", b"\x93NUMPY\x01\x00" + b"v" * 50]
)
def test_files_that_are_no_npz(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    fails(file, r"is no sound \.npz file")


def member(header: bytes, data: bytes, name: str = "labels.npy") -> bytes:
    """An .npz file whose array "labels" has this header and these bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        text = header.ljust(117) + b"\n"
        archive.writestr(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)
    return buffer.getvalue()


HEADERS = [
    (
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,)}",
        "is damaged: 64 bytes",
    ),
    (b"{'descr': '<i8', 'fortran_order': False, 'shape': (-8,)}", "is damaged"),
    (b"{'descr': '<i8', 'fortran_order': False, 'shape': (4, 4)}", "is damaged: 64 bytes are no"),
    (b"{'descr': '<i8', 'fortran_order': False, 'shape': (2**99,)}", "does not begin as an array"),
    (b"{'descr': '<i8'", "does not begin as an array does"),
    (b"__import__('os').abort()", "does not begin as an array does"),
    (b"(" * 3000, "does not begin as an array does"),
    (b"{'descr': '|O', 'fortran_order': False, 'shape': (8,)}", "pickled Python objects"),
    (b"{'descr': [('a', '<i4'), ('b', '<i4')], 'fortran_order': False, 'shape': (8,)}", "numbers"),
]


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_format_is_read(file: Path, version: tuple[int, int]) -> None:
    """As they are validated, and as the report reads its own arrays."""
    values = np.arange(8)
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # numpy says that few readers know it
        np.lib.format.write_array(content, values, version)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels.npy", content.getvalue())
    assert np.array_equal(npz.read_npz(file, ["labels"])["labels"], values)
    assert np.array_equal(report_npz.read_npz(file)["labels"], values)
    with file.open("rb") as opened:
        assert Npz(opened).header("labels").shape == (8,)


@pytest.mark.parametrize("header", [header for header, _ in HEADERS])
def test_the_report_takes_no_header_that_lies(file: Path, header: bytes) -> None:
    file.write_bytes(member(header, b"\0" * 64))
    if b"[(" in header:
        return  # records of numbers are harmless: what is read of them is refused later
    with pytest.raises(ReportError, match="is damaged"):
        report_npz.read_npz(file)


@pytest.mark.parametrize(("header", "message"), HEADERS, ids=range(len(HEADERS)))
def test_headers_that_lie(file: Path, header: bytes, message: str) -> None:
    file.write_bytes(member(header, b"\0" * 64))
    with pytest.raises(DataError, match=message):
        npz.read_npz(file, ["labels"])


def test_a_size_that_the_file_cannot_hold_is_not_believed(file: Path) -> None:
    """A bomb with a forged size: nothing of that size is ever taken from memory."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (3000000000,)}"
    packed = bytearray(member(header, b"\0" * 64))
    entry = packed.rindex(b"PK\x01\x02")
    packed[entry + 24 : entry + 28] = struct.pack("<I", 3_000_000_128)
    file.write_bytes(packed)
    with pytest.raises(DataError, match="it claims 3,000,000,128 bytes, more than"):
        npz.read_npz(file, ["labels"])


def test_an_array_that_is_too_large_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(file, labels=np.zeros(10**6, np.uint8))
    monkeypatch.setattr(npz, "LARGEST_ARRAY", 10**5)
    with pytest.raises(DataError, match="has 1,000,128 bytes; an array may have 100,000"):
        npz.read_npz(file, ["labels"])


@pytest.mark.parametrize("name", ["inputs", "labels", "split"])
def test_an_array_that_is_packed_too_tightly_is_not_unpacked(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("netdesc.description.npz.FREE_BYTES", 10**5)
    monkeypatch.setattr(npz, "_fill", lambda *_: pytest.fail("an array was unpacked"))
    np.savez_compressed(file, **good(**{name: np.zeros(10**6, np.uint8)}))
    fails(file, f'unpacks 1,000,128 bytes from 1,.* in its array "{name}"')


def test_inputs_that_would_fill_the_memory_are_not_read(file: Path) -> None:
    """Of 8 samples 5 are trained on: 6 cells of 4 bytes a step each."""
    np.savez(file, **good())
    spec = replace(SPEC, steps=200_000_000)
    message = "takes 22.4 GiB in training: .* 22.4 for a batch of 5 samples of 200,000,000 steps"
    fails(file, message, spec)
    section = Arrays.model_validate({"type": "arrays", "path": "data.npz", "range": (0, 16)})
    section = section.model_copy(update={"encoding": LatencyEncoding(type="latency")})
    with pytest.raises(DataError, match=r"for a batch of 8 samples .* make training\.batch_size"):
        ArrayFile(file, section, spec).read()
    assert len(ArrayFile(file, section, spec, 2).read()["train"]) == 8


@given(st.data())
def test_damaged_bytes_are_told_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever happens to a file, it reads as it was or is a DataError."""
    file = tmp_path_factory.mktemp("damage") / "data.npz"
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(file, **good())
    before = read(file)["train"]
    content = bytearray(file.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "splice"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if kind == "flip":
        content[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[place:]
    else:
        content[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    file.write_bytes(content)
    try:
        after = read(file)["train"]
    except DataError as error:
        assert str(error).startswith(str(file))  # noqa: PT017
    else:
        assert np.array_equal(after.kept, before.kept)
        assert np.array_equal(after.labels, before.labels)
