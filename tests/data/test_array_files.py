"""The reader of .npz and .npy files: right about sound ones, calm about others, never greedy."""

import contextlib
import io
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support.description_samples import UNHURRIED, npy

from netdesc.data.array_files import (
    MAX_UNPACKED_BYTES,
    ArrayFileError,
    UnpackedSizeError,
    open_arrays,
)

NUMBERS = (
    arrays.boolean_dtypes()
    | arrays.integer_dtypes(endianness="?")
    | arrays.floating_dtypes(sizes=(16, 32, 64), endianness="?")
)


def _npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header.encode()))
    return b"\x93NUMPY" + bytes((version, 0)) + length + header.encode() + data


def _zip(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, raw in members.items():
            archive.writestr(f"{name}.npy", raw)
    return file.getvalue()


def _header(descr: str = "'<i4'", order: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def _read(path: Path, raw: bytes) -> dict[str, np.ndarray]:
    """All arrays of a file, after a look at their headers."""
    path.write_bytes(raw)
    with open_arrays(path) as source:
        found = {name: source.read(name) for name in source.names}
        for name, array in found.items():
            header = source.header(name)
            assert (array.shape, array.dtype) == (header.shape, header.dtype)
    return found


@UNHURRIED
@given(st.data(), st.booleans(), st.booleans(), st.sampled_from([(1, 0), (2, 0)]))
def test_headers_and_values_are_those_of_numpy(tmp_path_factory, data, packed, fortran, version):
    shape = arrays.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=4)
    array = data.draw(arrays.arrays(data.draw(NUMBERS), shape))
    array = np.asfortranarray(array) if fortran else array
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    folder = tmp_path_factory.mktemp("arrays")
    found = _read(folder / "a.npz", _zip(method, a=file.getvalue(), b=npy([1.0])))
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(_read(folder / "a.npy", file.getvalue())["a"], array)


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_pickles_are_never_loaded(name, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    for array in (np.array([Bomb()]), np.array([(1, Bomb())], dtype=[("a", "i4"), ("b", "O")])):
        np.savez(tmp_path / "a.npz", a=array)
        np.save(tmp_path / "a.npy", array)
        with open_arrays(tmp_path / name) as source:
            assert source.header("a").dtype.hasobject
            with pytest.raises(ArrayFileError, match='no numbers in its array "a"'):
                source.read("a")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "array",
    [
        np.array(["text"]),
        np.array([b"bytes"]),
        np.array([1j]),
        np.array([1], np.longdouble),
        np.array(["2020-01-01"], dtype="M8[ns]"),
        np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]),
    ],
)
def test_what_is_no_number_is_refused(array, tmp_path):
    np.save(tmp_path / "a.npy", array)
    with open_arrays(tmp_path) as source:
        assert source.header("a").shape == (1,)
        with pytest.raises(ArrayFileError, match="holds no numbers"):
            source.read("a")


ODD_HEADERS = [
    "", "7", "[]", "[(1, 2)]", "{}", "{[]: 1}", "{'descr': '<i4'}", "__import__('os').abort()",
    "(" * 9000, "-" * 9000 + "1", "{'a':" * 2000, "9" * 9000, "1or 2", "\0",
    _header("'i4x'"), _header("'<i99999999999'"), _header("7"), _header(order="0"),
    _header(shape="2"), _header(shape="[2]"), _header(shape="(2.0,)"), _header(shape="(-2,)"),
    _header(shape="('2',)"), _header(shape="(-2, -1)"),
    _header(shape=f"({'9' * 4000}, {'9' * 4000})"), _header().strip() + " " * 20_000,
]  # fmt: skip


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("header", ODD_HEADERS, ids=lambda header: repr(header[:25]))
@pytest.mark.filterwarnings("ignore")
def test_odd_headers_are_damage(header, version, tmp_path):
    for name, raw in (("a.npy", _npy), ("a.npz", lambda *made: _zip(a=_npy(*made)))):
        with pytest.raises(ArrayFileError):
            _read(tmp_path / name, raw(header, bytes(8), version))


@pytest.mark.parametrize("name", ["a/b", "../a", "ü€", "a\n\x1b[31m", " ", "a.npy", "x" * 1000, ""])
def test_names_may_be_odd(name, tmp_path):
    (array,) = _read(tmp_path / "a.npz", _zip(**{name: npy([1, 2])})).values()
    assert list(array) == [1, 2]
    with pytest.raises(ArrayFileError) as caught:
        _read(tmp_path / "a.npz", _zip(**{name: b""}))
    assert len(str(caught.value)) < 120


def test_data_that_is_not_all_there(tmp_path):
    for data in (b"", bytes(7), bytes(9)):
        raw = _npy(_header(), data)
        for name, content in (("a.npy", raw), ("a.npz", _zip(a=raw))):
            with pytest.raises(ArrayFileError, match="is damaged"):
                _read(tmp_path / name, content)


def test_a_changed_value_is_found_by_its_checksum(tmp_path):
    header = _header(shape="(10000,)")
    raw = bytearray(_zip(zipfile.ZIP_STORED, a=_npy(header, bytes(40_000))))
    raw[20_000] ^= 1
    with pytest.raises(ArrayFileError, match="is damaged"):
        _read(tmp_path / "a.npz", bytes(raw))


def with_unpacked_size(raw: bytes, size: int) -> bytes:
    """The archive with another unpacked size in its table of contents."""
    at = raw.index(b"PK\1\2") + 24
    return raw[:at] + struct.pack("<I", size) + raw[at + 4 :]


def test_a_bomb_is_refused_by_what_it_claims(tmp_path, monkeypatch):
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("was unpacked"))
    header = _header("'|u1'", shape=f"({10**9},)")
    raw = _zip(a=_npy(header, bytes(1000)))
    with pytest.raises(ArrayFileError, match="is damaged"):
        _read(tmp_path / "a.npz", raw)
    monkeypatch.setattr("netdesc.data.array_files.MAX_UNPACKED_BYTES", 10**6)
    with pytest.raises(UnpackedSizeError, match="GiB in its compressed array"):
        _read(tmp_path / "a.npz", with_unpacked_size(raw, 10 + len(header) + 10**9))
    assert MAX_UNPACKED_BYTES == 4 << 30


SOUND = [
    _zip(
        method,
        inputs=_npy(_header("'<f4'", shape="(3, 4)"), bytes(range(48))),
        labels=_npy(_header("'<i8'", shape="(3,)"), bytes(24)),
    )
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
]


@UNHURRIED
@given(st.data(), st.sampled_from([*SOUND, npy([[1.5, 2], [3, 4]])]))
@pytest.mark.filterwarnings("ignore")
def test_damage_of_any_kind_is_one_kind_of_error(tmp_path_factory, data, sound):
    raw = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        how = data.draw(st.sampled_from(["flip", "cut", "put", "drop"]))
        if how == "cut":
            del raw[at:]
        elif how == "put":
            raw[at:at] = data.draw(st.binary(max_size=8))
        elif how == "drop":
            del raw[at : at + data.draw(st.integers(1, 8))]
        elif at < len(raw):
            raw[at] ^= data.draw(st.integers(1, 255))
    name = "a.npz" if sound in SOUND else "a.npy"
    with contextlib.suppress(ArrayFileError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _read(tmp_path_factory.getbasetemp() / name, bytes(raw))
