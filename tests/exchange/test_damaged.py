"""A damaged or hostile file gives one clear error, and no other file is read."""

import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchange_samples import FILES, datasets, records, write_dense, write_file
from support.mutations import damage_bytes

from netdesc.exchange import NetFile, NetFileError, hdf5_reader, import_net, read_net, write_net
from netdesc.exchange.hdf5_reader import open_net


def flatten(group: h5py.Group, kind: bytes = b"flatten", size: int = 3) -> None:
    group["type"], group["shape"] = np.array([kind]), np.array([size])


def no_layers(_root: h5py.File) -> None: ...
def empty_layers(root: h5py.File) -> None:
    root.create_group("layer")


def number_instead_of_layers(root: h5py.File) -> None:
    root["layer"] = 3


def gap(root: h5py.File) -> None:
    write_dense(root.create_group("layer/0"))
    write_dense(root.create_group("layer/2"))


def name_that_is_no_number(root: h5py.File) -> None:
    write_dense(root.create_group("layer/\x1b[31m"))


def no_neurons(root: h5py.File) -> None:
    flatten(root.create_group("layer/0"))


def external_link(root: h5py.File) -> None:
    root.create_group("layer")["0"] = h5py.ExternalLink("secret.net", "/layer/0")


def late_input(layer: h5py.Group) -> None:
    flatten(layer.parent.create_group("1"), b"input", 2)


def soft_link(layer: h5py.Group) -> None:
    layer.parent["1"] = h5py.SoftLink("/layer/0")


def linked_weight(layer: h5py.Group) -> None:
    layer["weight"] = h5py.ExternalLink("secret.net", "/layer/0/weight")


def external_storage(layer: h5py.Group) -> None:
    layer.create_dataset("weight", (2, 3), "f4", external=[("secret.net", 0, 24)])


def virtual_dataset(layer: h5py.Group) -> None:
    layout = h5py.VirtualLayout((2, 3), "f4")
    layout[...] = h5py.VirtualSource("secret.net", "layer/0/weight", (2, 3))
    layer.create_virtual_dataset("weight", layout)


def declared_huge(layer: h5py.Group) -> None:
    layer.create_dataset("weight", (1 << 20, 1 << 20), "f4", chunks=(1, 1 << 10))


def compressed_zeros(layer: h5py.Group) -> None:
    """A large dataset of zeros, which compresses to almost nothing."""
    layer.create_dataset(
        "weight", (1 << 16, 1 << 13), "f4", chunks=(1 << 10, 1 << 13), compression="gzip"
    )[:1] = 0


def never_written(layer: h5py.Group) -> None:
    layer.create_dataset("weight", (2, 3), "f4", chunks=(1, 1))


def huge_chunks(layer: h5py.Group) -> None:
    """Chunks of 128 MB for 400 kB of data."""
    weight = layer.create_dataset(
        "weight", (200, 256), "i8", chunks=(4096, 4096), maxshape=(None, None), compression="gzip"
    )
    weight.id.write_direct_chunk((0, 0), zlib.compress(bytes(100)))


def chunk_that_grows(layer: h5py.Group) -> None:
    """A chunk of 24 bytes that decompresses to 30 MB."""
    weight = layer.create_dataset("weight", (2, 3), "f4", chunks=(2, 3), compression="gzip")
    weight.id.write_direct_chunk((0, 0), zlib.compress(bytes(30_000_000)))


def compressed_twice(layer: h5py.Group) -> None:
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_chunk((2, 3))
    layout.set_deflate(9)
    layout.set_deflate(9)
    space = h5py.h5s.create_simple((2, 3))
    h5py.h5d.create(layer.id, b"weight", h5py.h5t.NATIVE_FLOAT, space, layout)


def other_compression(layer: h5py.Group) -> None:
    layer.create_dataset("weight", data=np.zeros((2, 3), "f4"), compression="lzf")


def test_compressed_chunks_are_read(tmp_path: Path) -> None:
    values = np.arange(200 * 64, dtype=np.int32).reshape(200, 64)
    with h5py.File(tmp_path / "a.net", "w") as file:
        file.create_dataset(
            "values", data=values, chunks=(30, 30), maxshape=(None, None),
            compression="gzip", shuffle=True, fletcher32=True,
        )  # fmt: skip
    with open_net(tmp_path / "a.net") as root:
        np.testing.assert_array_equal(root.integers("values"), values)


Changes = dict[Callable[[h5py.Group], None], str]
BAD_FILES: Changes = {
    no_layers: "layer: is missing",
    empty_layers: "layer: holds 0 layers",
    number_instead_of_layers: "layer: is not a group",
    gap: "layer/2: the layers are not numbered 0 to 1",
    name_that_is_no_number: r"layer/\\x1b\[31m: the layers are not numbered",
    no_neurons: "there is no layer of neurons",
    external_link: "layer/0: is a link into another file; refused",
}
"""Changes of an empty file, and the error of each."""
WITH_WEIGHT: Changes = {
    late_input: "layer 1: type: is input, but only the first layer can be",
    soft_link: "layer/1: is a soft link; refused",
}
"""Changes of a file with a valid layer."""
WITHOUT_WEIGHT: Changes = {
    linked_weight: "layer 0: weight: is a link into another file; refused",
    external_storage: "layer 0: weight: is stored in another file; refused",
    virtual_dataset: "layer 0: weight: is a virtual dataset",
    declared_huge: r"layer 0: weight: has shape \[1048576, 1048576\], which is too large",
    compressed_zeros: r"layer 0: weight: has shape \[65536, 8192\], which is too large",
    never_written: "layer 0: weight: was never written",
    huge_chunks: "layer 0: weight: has chunks of 134217728 bytes, which are too large",
    chunk_that_grows: "layer 0: weight: has a chunk that is larger than declared",
    compressed_twice: "layer 0: weight: is compressed more than once; refused",
    other_compression: "layer 0: weight: uses filter 32000",
}


@pytest.mark.parametrize(
    "make", [*BAD_FILES, *WITH_WEIGHT, *WITHOUT_WEIGHT], ids=lambda make: make.__name__
)
def test_a_hostile_file_is_one_clear_error(tmp_path: Path, make, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_file(tmp_path / "secret.net")
    path = tmp_path / "a.net"
    with h5py.File(path, "w") as file:
        if make in BAD_FILES:
            make(file)
        else:
            layer = file.create_group("layer/0")
            write_dense(layer, **({} if make in WITH_WEIGHT else {"weight": None}))
            make(layer)
    words = (BAD_FILES | WITH_WEIGHT | WITHOUT_WEIGHT)[make]
    with pytest.raises(NetFileError, match=words) as raised:
        import_net(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        (b"", "is not an hdf5 file"),
        (b'{"format": 1}', "is not an hdf5 file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:2a5\n", "git lfs pull"),
        ("folder", "is not a regular file"),
        (-100, "is damaged or truncated"),
    ],
)
def test_a_file_that_is_not_hdf5_is_one_clear_error(tmp_path: Path, content, words: str) -> None:
    path = tmp_path / "a.net"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, int):
        path.write_bytes(write_file(path).read_bytes()[:content])
    elif content is not None:
        path.mkdir()
    with pytest.raises(NetFileError, match=words) as raised:
        import_net(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_all_datasets_together_have_a_budget(tmp_path: Path, monkeypatch) -> None:
    """A file may hold one number for each two bytes, and small files more."""
    path = write_file(tmp_path / "a.net", bias=np.zeros(2, np.float32))
    read_net(path)
    monkeypatch.setattr(hdf5_reader, "MAX_VALUES", 60_000)
    with h5py.File(path, "r+") as file:
        del file["layer/0/inFeatures"]
        for name in ("weight", "bias"):
            del file[f"layer/0/{name}"]
            zeros = np.zeros((2, 20_000), np.float32)
            file.create_dataset(f"layer/0/{name}", data=zeros, compression="gzip")
    with pytest.raises(NetFileError, match="which is too large"):
        read_net(path)
    monkeypatch.setattr(hdf5_reader, "MAX_FILE_BYTES", 100)
    with pytest.raises(NetFileError, match="is larger than 100 bytes"):
        read_net(path)


WRONG_VALUES: list[Any] = [
    None, 0.5, -3, 2**40, 3.0, np.nan, np.inf, "concat", "LIF\x1b[2J", b"\xff", [[1, 2]],
    np.full((2, 3, 2), 6), np.full(7, 4), np.full((5, 5), -2), h5py.Empty("f4"), np.zeros(0),
    "a group",
]  # fmt: skip
"""Values of a dataset; None takes it away."""


def error_of(path: Path) -> NetFileError | None:
    try:
        import_net(path)
    except NetFileError as error:
        return error
    return None


@settings(max_examples=40, deadline=None)
@given(net=records(), data=st.data())
def test_one_wrong_dataset_is_a_network_or_named_with_its_layer(
    tmp_path_factory, net: NetFile, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("net") / "a.net"
    write_net(path, net)
    name = data.draw(st.sampled_from([*datasets(path)]))
    value = data.draw(st.sampled_from(WRONG_VALUES))
    with h5py.File(path, "a") as file:
        del file[name]
        if isinstance(value, str) and value == "a group":
            file.create_group(name)
        elif value is not None:
            file[name] = value
    error = error_of(path)
    if error is None:
        return
    text, (room, index, *_) = str(error), name.split("/")
    assert text.isprintable()
    assert text.count(str(path)) == 1
    if room == "simulation":
        assert error.dataset.startswith("simulation/")
    elif "does not read yet: " in text:
        assert f"of layer {index}" in text
    else:
        assert error.layer in (int(index), int(index) + 1)
        assert error.dataset or "flatten layer is needed" in text


# Damage that another process reads, because hdf5 is C and may crash

FUZZ = """
import faulthandler, sys
from pathlib import Path
from netdesc.exchange import NetFileError, import_net
faulthandler.dump_traceback_later(300, exit=True)
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, flush=True)
    try:
        import_net(path)
    except NetFileError as error:
        assert str(error).isprintable(), str(error)
"""


def test_random_damage_is_an_error_or_a_network(tmp_path: Path) -> None:
    """``cli/test_damaged_files.py`` has other damage, and other commands that read it."""
    sound = [
        write_file(tmp_path / f"{kind}.net", **{"neuron/type": kind} | changes).read_bytes()
        for kind, changes in {"CUBA": {"bias": np.zeros(2, np.float32)}, **FILES}.items()
    ]
    chance = random.Random(0)
    (tmp_path / "damaged").mkdir()
    for index in range(200):
        damaged = tmp_path / "damaged" / f"{index:03}.net"
        damaged.write_bytes(damage_bytes(chance, sound[index % len(sound)]))
    command = [sys.executable, "-c", FUZZ, str(tmp_path / "damaged")]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout[-80:] + outcome.stderr


def test_a_heap_on_which_the_hdf5_library_hangs(tmp_path: Path) -> None:
    """The library never returns from a heap whose first free object has the size 0."""
    data = write_file(tmp_path / "a.net").read_bytes()
    heap = data.index(b"GCOL")
    for place in range(heap + 16, heap + 64, 8):
        changed = data[:place] + bytes(16) + data[place + 16 :]
        (tmp_path / f"{place}.net").write_bytes(changed)
    command = [sys.executable, "-c", FUZZ, str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True, timeout=200)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_an_error(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "a.net"
    for start in (b"", b"\x89HDF\r\n\x1a\n"):
        path.write_bytes(start + content)
        with pytest.raises(NetFileError):
            read_net(path)


def test_texts_in_a_file_with_a_user_block(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    with h5py.File(path, "w", userblock_size=1024) as file:
        write_dense(file.create_group("layer/0"), type="dense")
    assert read_net(path).net.input_shape == (3,)


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read every file")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net")
    path.chmod(0)
    with pytest.raises(NetFileError, match="cannot be read: Permission denied"):
        read_net(path)
