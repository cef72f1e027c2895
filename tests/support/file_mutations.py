"""Mutations of binary files that keep their format: what is inside is wrong, not the container."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
from safetensors.numpy import load, save
from support.mutations import damage_bytes, damage_value

# .npy and .npz

DTYPES = [
    *("|O", "<f8", "<f4", "<f2", ">i2", "|b1", "<i8", "<u8", "<c16", "|S3", "<U1000000", "|V8"),
    *("<M8[s]", "|V0", "<f99", "nonsense", "", 7, None, [("a", "<i4")], [("a", "|O")]),
]
SHAPES = [
    *((), (0,), (0, 3), (1 << 40,), (1 << 62, 4), (-1, 4), (3, 1 << 30), (1,) * 33),
    *((1 << 64,), (2.5,), ("3",), 3, None, [4, 3]),
]


def damage_npy(chance: random.Random, content: bytes) -> bytes:
    """Changes the header of an array, or writes another array."""
    array = np.load(io.BytesIO(content))
    if chance.random() < 0.6:
        header = {
            "descr": np.lib.format.dtype_to_descr(array.dtype),
            "fortran_order": False,
            "shape": array.shape,
        }
        key, value = chance.choice(
            [("descr", chance.choice(DTYPES)), ("shape", chance.choice(SHAPES))] * 3
            + [("fortran_order", True), ("fortran_order", "x"), ("more", 1)]
        )
        header[key] = value
        if chance.random() < 0.1:
            del header[chance.choice(list(header))]
        return npy_of_header(repr(header), array.tobytes())
    return npy(other_array(chance, array))


def npy_of_header(header: str, data: bytes) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def other_array(chance: random.Random, array: np.ndarray) -> np.ndarray:
    """Returns an array of another type, shape or size, or one with odd numbers in it."""
    how = chance.randrange(6)
    if how == 0:
        kinds = ("f2", "f4", "f8", "i1", "i4", "i8", "u1", "u8", "?", "c8", "S4", "U4", "O")
        with np.errstate(all="ignore"):
            return array.astype(chance.choice(kinds))
    if how == 1:
        return array.reshape(chance.choice(((-1,), (1, *array.shape), (*array.shape, 1))))
    if how == 2:
        return np.asfortranarray(array.T)
    if how == 3:
        return np.atleast_1d(array)[..., : chance.randrange(3)]
    if how == 4:
        return np.atleast_1d(array)[: chance.randrange(2)]
    odd = (np.nan, np.inf, -np.inf, -1, 2**31, 2**63, 1e300, 0.5)
    with np.errstate(all="ignore"):
        wide = array.astype(np.float64)
        for _ in range(chance.choice((1, 3))):
            if wide.size:
                wide.flat[chance.randrange(wide.size)] = chance.choice(odd)
        return wide if chance.random() < 0.5 else wide.astype(array.dtype)


def damage_npz(chance: random.Random, content: bytes) -> bytes:
    """Changes, removes, renames or repeats the members of an archive, or how they are stored."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at, how = chance.randrange(len(members)), chance.randrange(8)
    name, data = members[at]
    if how <= 2:
        members[at] = name, damage_npy(chance, data)
    elif how == 3:
        members[at] = name, damage_bytes(chance, data)
    elif how == 4:
        del members[at]
    elif how == 5:
        odd = ("../up.npy", "/tmp/x.npy", "\x1b[31m.npy", "", "x" * 60_000, "a\0b.npy", "inputs")
        members[at] = chance.choice(odd), data
    elif how == 6:
        members.append(members[chance.randrange(len(members))])
    else:
        zeros = np.zeros(1 << 26, np.uint8)
        members[at] = name, npy(zeros)
    file = io.BytesIO()
    method = chance.choice((zipfile.ZIP_DEFLATED,) * 3 + (zipfile.ZIP_STORED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            archive.writestr(info, data, method)
    return file.getvalue()


# .safetensors and last.state


def damage_safetensors(chance: random.Random, content: bytes) -> bytes:
    """Changes the JSON of the header, its length, or a tensor."""
    size = int.from_bytes(content[:8], "little")
    how = chance.randrange(4)
    if how == 0:
        lengths = (0, 1, size - 1, size + 1, len(content), 1 << 32, (1 << 63) - 1, (1 << 64) - 1)
        return chance.choice(lengths).to_bytes(8, "little") + content[8:]
    if how == 1:
        header = json.loads(content[8 : 8 + size])
        damage_value(chance, header)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + size :]
    tensors = load(content)
    damage_tensors(chance, tensors)
    return save(tensors)


def damage_tensors(chance: random.Random, tensors: dict[str, np.ndarray]) -> None:
    """Changes, removes, renames or adds a tensor in place."""
    name, how = chance.choice(list(tensors)), chance.randrange(5)
    if how == 0:
        del tensors[name]
    elif how == 1:
        tensors[name + chance.choice(("x", ".weight", "\x1b[31m", ""))] = tensors.pop(name)
    elif how == 2:
        tensors["layers.more.synapse.weight"] = np.zeros((2, 2), np.float32)
    else:
        kinds = "biufc"  # the only kinds that the format has
        other = other_array(chance, tensors[name])
        tensors[name] = np.ascontiguousarray(other) if other.dtype.kind in kinds else other[:0]
        if tensors[name].dtype.kind not in kinds:
            del tensors[name]


def damage_state(chance: random.Random, content: bytes) -> bytes:
    """Changes what a checkpoint holds and computes its checksum anew, as a stranger can."""
    size = int.from_bytes(content[:8], "little")
    notes = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["netdesc"])
    tensors = load(content)
    if chance.random() < 0.7:
        damage_value(chance, notes)
    else:
        damage_tensors(chance, tensors)
    text = json.dumps(notes)
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} torch.{tensor.dtype.name} {list(tensor.shape)}".encode())
        digest.update(tensor.tobytes())
    return save(tensors, {"netdesc": text, "sha256": digest.hexdigest()})


# .net

NET_VALUES: list[Any] = [
    *(0, -1, 1, 2.5, 1 << 18, 1 << 31, (1 << 63) - 1, float("nan"), float("inf"), True),
    *("CUBA", "", "x\x1b[31m", "é" * 300, b"dense", b"\xff\xfe", np.array([b"input"])),
    *(np.zeros(0), np.zeros((0, 3)), np.zeros((2, 3)), np.zeros((1,) * 20), np.full(6, 1e300)),
    *(np.arange(12, dtype="u1"), np.array([2, 3], "f2"), np.array(["a"], h5py.string_dtype())),
]


def damage_net(chance: random.Random, content: bytes) -> bytes:
    """Replaces, removes, links and renames what is in an hdf5 file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.net"
        path.write_bytes(content)
        with h5py.File(path, "r+") as root:
            for _ in range(chance.choice((1, 1, 2))):
                _damage_hdf5(chance, root)
        return path.read_bytes()


def _damage_hdf5(chance: random.Random, root: h5py.File) -> None:
    names: list[str] = []
    root.visit(names.append)
    if not names:
        return
    name, how = chance.choice(names), chance.randrange(9)
    value = root[name] if root.get(name, getlink=True).__class__ is h5py.HardLink else None
    shape = value.shape if isinstance(value, h5py.Dataset) else (2, 3)
    if how != 8:
        root.pop(name)
    if how == 0:
        root.create_group(name)
    elif how == 1:
        link = chance.choice((h5py.SoftLink("/"), h5py.ExternalLink("other.net", "/layer")))
        root[name] = link
    elif how == 2:
        root.create_dataset(name, chance.choice(((1 << 20,) * 2, (1 << 40,), (3, 1 << 20))), "i4")
    elif how == 3:
        _write_chunked(chance, root, name, shape)
    elif how == 4:
        return
    elif how == 8:
        root.move(name, name + chance.choice(("x", "0", "9" * 30)))
    else:
        root[name] = chance.choice(NET_VALUES)


def _write_chunked(
    chance: random.Random, root: h5py.File, name: str, shape: tuple[int, ...]
) -> None:
    """Stores a dataset in chunks that are large, or larger than they say."""
    shape = shape if len(shape) == 2 and min(shape) > 0 else (2, 3)
    side = chance.choice((1, 2, 64, 1024, 4096))
    options = chance.choice(
        ({}, {"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True}, {"scaleoffset": 2})
    )
    kind = chance.choice(("f4", "i8", "i2", "S8", "?"))
    if "scaleoffset" in options and kind in ("S8", "?"):
        kind = "i8"
    data = root.create_dataset(
        name, shape, kind, chunks=(side, side), maxshape=(None, None), **options
    )
    if chance.random() < 0.7:
        size = chance.choice((0, 100, 1 << 16, 1 << 26))
        data.id.write_direct_chunk((0, 0), zlib.compress(bytes(size), 1))
