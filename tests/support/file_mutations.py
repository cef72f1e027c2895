"""Mutations of binary files that keep their format: what is inside is wrong, not the container."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
from support.mutations import damage_bytes, damage_value

DTYPES = ["|O", "<f2", ">i2", "|b1", "<u8", "<c16", "|S3", "<U1000000", "<M8[s]", "nonsense", 7]
SHAPES = [(), (0, 3), (1 << 40,), (1 << 62, 4), (-1, 4), (1,) * 33, (2.5,), 3, None]


def damage_npy(chance: random.Random, content: bytes) -> bytes:
    """Changes the header of an array, or its numbers."""
    array = np.load(io.BytesIO(content))
    if chance.random() < 0.6:
        header = {
            "descr": np.lib.format.dtype_to_descr(array.dtype),
            "fortran_order": False,
            "shape": array.shape,
        }
        key, values = chance.choice(
            [("descr", DTYPES), ("shape", SHAPES), ("fortran_order", [True, "x"]), ("more", [1])]
        )
        text = repr(header | {key: chance.choice(values)}).encode() + b"\n"
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array.tobytes()
    return _npy(_other_array(chance, array))


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _other_array(chance: random.Random, array: np.ndarray) -> np.ndarray:
    """Returns an array of another type, shape or size, or one with odd numbers in it."""
    how = chance.randrange(4)
    with np.errstate(all="ignore"):
        if how == 0:
            return array.astype(chance.choice(("f2", "f8", "i1", "i8", "u8", "?", "c8", "U4", "O")))
        if how == 1:
            return array.reshape(chance.choice(((-1,), (1, *array.shape), (*array.shape, 1))))
        if how == 2:
            return np.atleast_1d(array)[..., : chance.randrange(3)]
        changed = array.astype(np.float64)
        if changed.size:
            odd = (np.nan, np.inf, -1, 2**31, 2**63, 1e300, 0.5)
            changed.flat[chance.randrange(changed.size)] = chance.choice(odd)
        return changed if chance.random() < 0.5 else changed.astype(array.dtype)


def damage_npz(chance: random.Random, content: bytes) -> bytes:
    """Changes, removes or renames a member of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name, how = chance.choice(list(members)), chance.randrange(6)
    data = members.pop(name)
    if how <= 2:
        members[name] = damage_npy(chance, data)
    elif how == 3:
        members[name] = damage_bytes(chance, data)
    elif how == 4:
        members[chance.choice(("../up.npy", "\x1b[31m.npy", "x" * 60_000, "inputs"))] = data
    file = io.BytesIO()
    method = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def damage_safetensors(chance: random.Random, content: bytes) -> bytes:
    """Changes the JSON of the header, or its length."""
    size = int.from_bytes(content[:8], "little")
    if chance.random() < 0.3:
        lengths = (0, 1, size - 1, size + 1, len(content), 1 << 32, (1 << 64) - 1)
        return chance.choice(lengths).to_bytes(8, "little") + content[8:]
    header = json.loads(content[8 : 8 + size])
    damage_value(chance, header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


NET_VALUES: list[Any] = [
    *(0, -1, 1, 2.5, 1 << 18, (1 << 63) - 1, float("nan"), float("inf"), True, "CUBA", ""),
    *("x\x1b[31m", "é" * 300, b"\xff\xfe", np.array([b"input"]), np.zeros(0), np.zeros((2, 3))),
    *(np.full(6, 1e300), np.arange(12, dtype="u1"), np.array(["a"], h5py.string_dtype())),
]


def damage_net(chance: random.Random, content: bytes) -> bytes:
    """Replaces, removes, links or renames something in an hdf5 file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.net"
        path.write_bytes(content)
        with h5py.File(path, "r+") as root:
            names: list[str] = []
            root.visit(names.append)
            name, how = chance.choice(names), chance.randrange(6)
            if how == 0:
                root.move(name, name + chance.choice(("x", "0", "9" * 30)))
            else:
                root.pop(name)
            if how == 1:
                root.create_group(name)
            elif how == 2:
                root[name] = h5py.ExternalLink("other.net", "/layer")
            elif how > 3:
                root[name] = chance.choice(NET_VALUES)
        return path.read_bytes()
