"""The reader of .npz files: right about sound ones, calm about all others, and never greedy."""

from __future__ import annotations

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
from support.description_samples import UNHURRIED, npy, npz

from netdesc.description.files.array_source import MAX_ARRAY_BYTES, ArrayFileError, array_values
from netdesc.description.files.npy import MAX_HEADER_BYTES
from netdesc.description.files.npz import Npz

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


def _read(raw: bytes) -> None:
    """All that there is to read."""
    found = Npz(io.BytesIO(raw))
    for name in found.names:
        header = found.header(name)
        array = found.read(name, np.lib.format.read_array)
        assert (array.shape, array.dtype.itemsize) == (header.shape, header.item_bytes)
        if header.code is not None:
            assert len(array_values(found, name)) == header.size


@UNHURRIED
@given(st.data(), st.booleans(), st.booleans(), st.sampled_from([(1, 0), (2, 0), (3, 0)]))
def test_headers_and_values_are_those_of_numpy(data, packed, fortran, version):
    shape = arrays.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=4)
    array = data.draw(arrays.arrays(data.draw(NUMBERS), shape))
    array = np.asfortranarray(array) if fortran else array
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # numpy says that few readers know version 3
        np.lib.format.write_array(file, array, version)
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    found = Npz(io.BytesIO(_zip(method, a=file.getvalue(), b=npy([1.0]))))
    assert found.names == ["a", "b"]
    header = found.header("a")
    assert (header.kind, header.item_bytes) == (array.dtype.kind, array.dtype.itemsize)
    assert (header.shape, header.size) == (array.shape, array.size)
    values = array_values(found, "a")
    assert len(values) == array.size
    assert found.claimed_bytes > array.nbytes
    np.testing.assert_array_equal(found.read("a", np.lib.format.read_array), array)
    for position, value in enumerate(values):
        np.testing.assert_array_equal(value, array[header.index(position)])


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}]),
        np.array([None, 1]),
        np.array([(1, {})], dtype=[("a", "i4"), ("b", "O")]),
        np.array([(1, ({},))], dtype=[("a", "i4"), ("b", [("c", "O")])]),
    ],
)
def test_pickles_are_named_and_not_loaded(array):
    file = io.BytesIO()
    np.savez(file, a=array)
    header = Npz(file).header("a")
    assert (header.kind, header.code) == ("O", None)
    with pytest.raises(ArrayFileError, match='pickled Python objects in its array "a"'):
        Npz(file).read("a", lambda file: pytest.fail("a pickle was opened"))


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array(["text"]), "U"),
        (np.array([b"bytes"]), "S"),
        (np.array([1j]), "c"),
        (np.array(["2020-01-01"], dtype="M8[ns]"), "M"),
        (np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]), "V"),
        (np.array([1], dtype=np.longdouble), "f"),
    ],
)
def test_what_is_no_plain_number_has_no_code(array, kind):
    found = Npz(io.BytesIO(npz(a=array)))
    assert (found.header("a").kind, found.header("a").code) == (kind, None)
    if kind == "V":
        with pytest.raises(ArrayFileError, match='holds records in its array "a"'):
            found.read("a", np.lib.format.read_array)
    else:
        assert found.read("a", np.lib.format.read_array) == array


ODD_HEADERS = [
    "", "7", "[]", "[(1, 2)]", "{}", "{[]: 1}", "{'descr': '<i4'}", "__import__('os').abort()",
    "(" * 9000, "-" * 9000 + "1", "{'a':" * 2000, "9" * 9000, "'\\d' '\\N{x}'", "1or 2", "\0",
    _header("'i4x'"), _header("'<i99999999999'"), _header("7"), _header("None"), _header(order="0"),
    _header(shape="2"), _header(shape="[2]"), _header(shape="(2.0,)"), _header(shape="(-2,)"),
    _header(shape="(True,)"), _header(shape="('2',)"),
    _header(shape=f"({'9' * 4000}, {'9' * 4000})"), _header().strip() + " " * MAX_HEADER_BYTES,
]  # fmt: skip


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("header", ODD_HEADERS, ids=lambda header: repr(header[:25]))
def test_odd_headers_are_damage(header, version):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(ArrayFileError):
            Npz(io.BytesIO(_zip(a=_npy(header, bytes(8), version)))).header("a")
    assert not warned


@pytest.mark.parametrize("raw", [b"", b"\x93NUMPY", b"\x93NUMPZ\1\0" + bytes(99)])
def test_members_that_are_no_arrays_are_damage(raw):
    with pytest.raises(ArrayFileError, match=r'is damaged in its array "a"'):
        Npz(io.BytesIO(_zip(a=raw))).header("a")


@pytest.mark.parametrize("raw", [b"", b"PK", b"PK\5\6" + bytes(17), bytes(1000), b"\x93NUMPY"])
def test_files_that_are_no_archives(raw):
    with pytest.raises(ArrayFileError, match=r"is not an \.npz file"):
        Npz(io.BytesIO(raw))


def test_only_arrays_count():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "x")
        archive.writestr("a.npy", _npy(_header(), bytes(8)))
    assert Npz(file).names == ["a"]
    assert Npz(io.BytesIO(_zip())).names == []


@pytest.mark.parametrize("name", ["a/b", "../a", "ü€", "a\n\x1b[31m", " ", "a.npy", "x" * 1000, ""])
def test_names_may_be_odd(name):
    found = Npz(io.BytesIO(npz(**{name: [1, 2]})))
    assert found.names == [name]
    assert list(array_values(found, name)) == [1, 2]
    with pytest.raises(ArrayFileError) as caught:
        Npz(io.BytesIO(_zip(**{name: b""}))).header(name)
    assert len(str(caught.value)) < 120


def test_a_name_that_occurs_twice():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("a.npy", _npy(_header(), bytes(8)))
        archive.writestr("a.npy", _npy(_header(), bytes(8)))
    with pytest.raises(ArrayFileError, match='holds the array "a" twice'):
        Npz(file)


def test_encrypted_and_otherwise_packed_members():
    raw = bytearray(_zip(a=_npy(_header(), bytes(8))))
    raw[6] |= 1
    raw[raw.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(ArrayFileError, match="is encrypted"):
        Npz(io.BytesIO(bytes(raw))).header("a")
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with pytest.raises(ArrayFileError, match="does not use"):
            Npz(io.BytesIO(_zip(method, a=_npy(_header(), bytes(8))))).header("a")


def test_data_that_is_not_all_there():
    said = r"cut off or damaged.* does not have [0-9,]+ bytes"
    for data in (b"", bytes(7), bytes(9)):
        with pytest.raises(ArrayFileError, match=said):
            Npz(io.BytesIO(_zip(a=_npy(_header(), data)))).header("a")


def test_a_changed_value_is_found_by_its_checksum():
    header = _header(shape="(10000,)")
    raw = bytearray(_zip(zipfile.ZIP_STORED, a=_npy(header, bytes(40_000))))
    raw[20_000] ^= 1
    found = Npz(io.BytesIO(bytes(raw)))
    assert found.header("a").shape == (10_000,)
    with pytest.raises(ArrayFileError, match="is damaged"):
        array_values(found, "a")


def _with_sizes(raw: bytes, size: int) -> bytes:
    """The archive with another unpacked size in its table of contents."""
    at = raw.index(b"PK\1\2") + 24
    return raw[:at] + struct.pack("<I", size) + raw[at + 4 :]


@pytest.mark.parametrize("count", [10**6, 10**9])
def test_a_bomb_is_refused_by_what_it_claims(count):
    header = _header("'|u1'", shape=f"({count},)")
    raw = _zip(a=_npy(header, bytes(1000)))
    with pytest.raises(ArrayFileError, match="cut off or damaged"):
        Npz(io.BytesIO(_with_sizes(raw, 10 + len(header) + count))).header("a")
    large = _header("'|u1'", shape=f"({MAX_ARRAY_BYTES},)")
    with pytest.raises(ArrayFileError, match=r"has 4\.0 GiB .* at most 4 GiB"):
        Npz(io.BytesIO(_zip(a=_npy(large)))).header("a")


class _Counting(io.FileIO):
    """A file that counts the bytes that are read of it."""

    taken = 0

    def read(self, size=-1):
        raw = super().read(size)
        self.taken += len(raw or b"")
        return raw


def test_no_more_is_read_than_is_needed(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, large=np.zeros(30_000_000, dtype=np.uint8), small=[1, 2, 3])
    with _Counting(path) as file:
        found = Npz(file)
        assert found.header("large").size == 30_000_000
        assert list(array_values(found, "small")) == [1, 2, 3]
        assert file.taken < 200_000


def test_an_endless_table_of_contents_is_not_read(tmp_path):
    path: Path = tmp_path / "a.npz"
    size = 1 << 28
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0))
    with _Counting(path) as file:
        with pytest.raises(ArrayFileError, match="table of contents"):
            Npz(file)
        assert file.taken < 200_000


SOUND = [
    _zip(
        method,
        inputs=_npy(_header("'<f4'", shape="(3, 4)"), bytes(range(48))),
        labels=_npy(_header("'<i8'", shape="(3,)"), bytes(24)),
    )
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
]


@UNHURRIED
@given(st.data(), st.sampled_from(SOUND))
def test_damage_of_any_kind_is_one_kind_of_error(data, sound):
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
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(ArrayFileError):
            _read(bytes(raw))


def test_every_cut_of_a_file_is_found():
    for sound in SOUND:
        _read(sound)
        for length in range(len(sound)):
            with pytest.raises(ArrayFileError):
                _read(sound[:length])
