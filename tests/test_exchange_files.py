"""Files of other programs: what they write is read, everything else is one clear error."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdesc.exchange import DenseLayer, NetFileError, guard, import_net, read_net

WEIGHT = np.array([[2, -4, 6], [0, 254, -256]], np.float32)


def write_dense(group: h5py.Group, **changes) -> None:
    """A dense layer as slayer writes it; a change of None leaves a dataset out."""
    values = {
        "type": np.array([b"dense"], "S10"),
        "shape": np.array([2]),
        "inFeatures": 3,
        "outFeatures": 2,
        "weight": WEIGHT,
        "neuron/type": "CUBA",
        "neuron/iDecay": 1024,
        "neuron/vDecay": 128,
        "neuron/vThMant": 80,
        "neuron/refDelay": 1,
        "neuron/gradedSpike": False,
    }
    for name, value in {**values, **changes}.items():
        if value is not None:
            group[name] = value


def write_file(path: Path, **changes) -> Path:
    with h5py.File(path, "w") as file:
        write_dense(file.create_group("layer/0"), **changes)
    return path


def only_layer(path: Path) -> DenseLayer:
    (layer,) = read_net(path).net.layers
    assert isinstance(layer, DenseLayer)
    return layer


OTHER_FORMS = {
    "type of another width": {"type": np.array([b"dense"], "S5")},
    "type as text": {"type": "dense"},
    "neuron type of fixed width": {"neuron/type": np.bytes_(b"CUBA")},
    "neuron type padded with zeros": {"neuron/type": np.array([b"CUBA"], "S32")},
    "old name of the neuron": {"neuron/type": "LOIHI"},
    "old shape": {"shape": np.array([2, 1, 1])},
    "32-bit shape": {"shape": np.array([2], np.int32)},
    "trailing axes": {"weight": WEIGHT.reshape(2, 3, 1, 1, 1)},
    "flat weight": {"weight": WEIGHT.ravel()},
    "weights in float64": {"weight": WEIGHT.astype(np.float64)},
    "weights in int16": {"weight": WEIGHT.astype(np.int16)},
    "big-endian weights": {"weight": WEIGHT.astype(">f4")},
    "no sizes": {"inFeatures": None, "outFeatures": None},
    "decay as a list of one": {"neuron/iDecay": np.array([1024])},
    "decays of each neuron, shaped": {
        "neuron/iDecay": np.full((2, 1, 1), 1024),
        "neuron/vDecay": np.array([128, 128]),
    },
    "delays of zero": {"delay": np.zeros(2, np.float32)},
    "nothing optional": {"neuron/refDelay": None, "neuron/gradedSpike": None},
    "gradient of old files": {"neuron/tauRho": 1.0, "neuron/scaleRho": 1.0, "neuron/wgtExp": 0},
}


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_other_forms_of_the_same_layer(tmp_path: Path, name: str) -> None:
    path = write_file(tmp_path / "a.net", **OTHER_FORMS[name])
    layer = only_layer(path)
    np.testing.assert_array_equal(layer.weight, WEIGHT)
    assert (set(layer.current_decay.ravel()), set(layer.voltage_decay.ravel())) == ({1024}, {128})
    assert (layer.threshold, layer.bias) == (80, None)
    assert read_net(path).warnings == []
    assert import_net(path).description["input"] == {"shape": [3]}


def test_one_decay_shared_and_one_of_each_neuron(tmp_path: Path) -> None:
    layer = only_layer(write_file(tmp_path / "a.net", **{"neuron/iDecay": np.array([1, 2])}))
    assert (layer.current_decay.tolist(), layer.voltage_decay.tolist()) == ([1, 2], [128, 128])


def test_bias(tmp_path: Path) -> None:
    bias = np.array([4, -6], np.float32)
    imported = import_net(write_file(tmp_path / "a.net", bias=bias))
    assert imported.description["neurons"]["cuba1"]["norm"] == "mean"
    mean = imported.weights["layers.dense0.neuron.norm.running_mean"]
    assert mean.tolist() == [-4 / 64, 6 / 64]


def test_time_is_kept_where_the_file_gives_it(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net")
    with h5py.File(path, "a") as file:
        file["simulation/Ts"] = 2
        file["simulation/tSample"] = 300
    assert import_net(path).description["time"] == {"steps": 150, "step_ms": 2.0}
    with h5py.File(path, "a") as file:
        file["simulation/Ts"][...] = 0
    with pytest.raises(NetFileError, match="simulation"):
        import_net(path)


def test_an_input_layer_that_only_counts_neurons(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    with h5py.File(path, "w") as file:
        file["layer/0/type"] = np.array([b"input"])
        file["layer/0/shape"] = np.array([3, 1, 1])
        write_dense(file.create_group("layer/1"))
    assert import_net(path).description["input"] == {"shape": [3]}


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net", **{"colour": 3, "neuron/mood": 2})
    found = [warning.removeprefix(f"{path}: ") for warning in read_net(path).warnings]
    assert found == [
        "layer 0: colour is not known and was not read",
        "layer 0: neuron/mood is not known and was not read",
    ]


def test_layers_are_sorted_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    with h5py.File(path, "w") as file:
        for index in reversed(range(12)):
            outputs = 2 + index
            write_dense(
                file.create_group(f"layer/{index}"),
                weight=np.zeros((outputs, outputs - 1)),
                shape=np.array([outputs]),
                inFeatures=None,
                outFeatures=None,
            )
    assert [layer.outputs for layer in read_net(path).net.layers] == list(range(2, 14))


# Layers and numbers that are not read

BAD_LAYERS = {
    "odd weight": ({"weight": WEIGHT + 1}, r"weight: \[0, 0\] is 3; weights are even integers"),
    "weight too large": ({"weight": WEIGHT * 2}, r"weight: \[1, 1\] is 508; weights are even"),
    "weight between": ({"weight": WEIGHT / 4}, r"weight: \[0, 0\] is 0.5, not a whole number"),
    "weight NaN": ({"weight": WEIGHT * np.nan}, r"weight: \[0, 0\] is nan, not a number"),
    "weight infinite": (
        {"weight": np.full((2, 3), -np.inf)},
        r"weight: \[0, 0\] is -inf, not a number",
    ),
    "weight huge": ({"weight": WEIGHT * 1e30}, r"weight: \[0, 0\] is \S+, not within 32 bits"),
    "weight of texts": ({"weight": np.array([[b"a"]])}, r"weight: is \S+, not numbers"),
    "weight complex": ({"weight": WEIGHT * 1j}, r"weight: is complex64, not numbers"),
    "weight of another layer": ({"weight": WEIGHT.T}, r"weight: has shape \[3, 2\]; \[2, inputs\]"),
    "weight of no inputs": (
        {"weight": np.zeros((2, 0)), "inFeatures": None},
        r"weight: has shape \[2, 0\]",
    ),
    "weight of three axes": ({"weight": np.zeros((2, 3, 2))}, r"weight: has shape \[2, 3, 2\]"),
    "weight one number": ({"weight": 2.0}, r"weight: has shape \[\]"),
    "weight empty": ({"weight": h5py.Empty("f4")}, r"weight: holds nothing"),
    "no weight": ({"weight": None}, r"weight: is missing"),
    "complex synapses": (
        {"weight": None, "weight/real": WEIGHT, "weight/imag": WEIGHT},
        r"weight: is complex, which netdesc does not read yet",
    ),
    "other inFeatures": ({"inFeatures": 4}, r"inFeatures: is 4, but the weight is for 3"),
    "other outFeatures": ({"outFeatures": 4}, r"outFeatures: is 4, but the weight is for 2"),
    "no shape": ({"shape": None}, r"shape: is missing"),
    "shape of zero": ({"shape": np.array([0])}, r"shape: is \[0\]; sizes are positive"),
    "shape negative": ({"shape": np.array([-2])}, r"shape: is \[-2\]; sizes are positive"),
    "shape one number": ({"shape": 2}, r"shape: has shape \[\], not a list of sizes"),
    "shape huge": ({"shape": np.array([2**31 - 1] * 8)}, r"weight: has shape"),
    "shape beyond 64 bits": (
        {"shape": np.array([2**64 - 1], "u8")},
        r"shape: .*not within 32 bits",
    ),
    "no neuron": (
        {f"neuron/{n}": None for n in ("type", "iDecay", "vDecay", "vThMant")}
        | {"neuron/refDelay": None, "neuron/gradedSpike": None},
        r"neuron: is missing: a layer that only integrates",
    ),
    "neuron a number": (
        {f"neuron/{n}": None for n in ("type", "iDecay", "vDecay", "vThMant")}
        | {"neuron/refDelay": None, "neuron/gradedSpike": None, "neuron": 3},
        r"neuron: is not a group",
    ),
    "another neuron": ({"neuron/type": "SDNN"}, r"neuron/type: is SDNN, which netdesc does not"),
    "neuron type a number": ({"neuron/type": 3}, r"neuron/type: is int64, not text"),
    "neuron type long": ({"neuron/type": "C" * 300}, r"neuron/type: is damaged"),
    "neuron type wide": ({"neuron/type": np.bytes_(b"C" * 300)}, r"neuron/type: is not one short"),
    "neuron type many": (
        {"neuron/type": np.array([b"CUBA"] * 2)},
        r"neuron/type: is not one short",
    ),
    "neuron type control": ({"neuron/type": "C\x1b[2J"}, r"neuron/type: is not one short text"),
    "graded": ({"neuron/gradedSpike": True}, r"neuron/gradedSpike: is 1 \(graded spikes\)"),
    "refractory": ({"neuron/refDelay": 3}, r"neuron/refDelay: is 3 \(a refractory period\)"),
    "decay negative": ({"neuron/iDecay": -1}, r"neuron/iDecay: is -1; decays are 0 to 4096"),
    "decay large": (
        {"neuron/vDecay": np.array([0, 4097])},
        r"neuron/vDecay: \[1\] is 4097; decays are 0 to 4096",
    ),
    "too many decays": ({"neuron/iDecay": np.zeros(3)}, r"neuron/iDecay: has shape \[3\]"),
    "no decay": ({"neuron/vDecay": None}, r"neuron/vDecay: is missing"),
    "threshold negative": ({"neuron/vThMant": -1}, r"neuron/vThMant: is -1"),
    "threshold a list": ({"neuron/vThMant": np.array([1, 2])}, r"neuron/vThMant: has shape \[2\]"),
    "delay": ({"delay": np.array([0.0, 3.0])}, r"delay: is up to 3 steps, which netdesc does not"),
    "bias of another size": ({"bias": np.zeros(3)}, r"bias: has shape \[3\]; the layer has 2"),
    "bias between": ({"bias": np.array([0.5, 0])}, r"bias: \[0\] is 0.5, not a whole number"),
    "no type": ({"type": None}, r"type: is missing"),
}


@pytest.mark.parametrize("name", BAD_LAYERS)
def test_a_layer_that_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    changes, words = BAD_LAYERS[name]
    path = write_file(tmp_path / "a.net", **changes)
    with pytest.raises(NetFileError, match=f"layer 0: {words}") as raised:
        import_net(path)
    assert str(raised.value).startswith(f"{path}: layer 0: ")
    assert str(raised.value).isprintable()
    assert (raised.value.path, raised.value.layer) == (path, 0)


def test_all_unknown_types_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    with h5py.File(path, "w") as file:
        for index, kind in enumerate([b"conv", b"dense", b"pool", b"brain"]):
            write_dense(file.create_group(f"layer/{index}"), type=np.array([kind], "S10"))
    words = (
        "layer 0 is a conv layer, layer 2 is a pool layer, layer 3 is a brain layer, "
        "which netdesc does not read yet"
    )
    with pytest.raises(NetFileError, match=words):
        import_net(path)


def test_layers_that_do_not_fit_together(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net")
    with h5py.File(path, "a") as file:
        write_dense(file.create_group("layer/1"))
    with pytest.raises(NetFileError, match="layer 1: weight: has 3 inputs, but 2 come from before"):
        import_net(path)
    with h5py.File(path, "a") as file:
        del file["layer/1"]
        file["layer/1/type"] = np.array([b"flatten"])
        file["layer/1/shape"] = np.array([3, 1, 1])
    with pytest.raises(NetFileError, match="layer 1: shape: says 3 neurons, but 2 come"):
        import_net(path)


# The file itself


def flatten(group: h5py.Group, kind: bytes = b"flatten", size: int = 3) -> None:
    group["type"], group["shape"] = np.array([kind]), np.array([size])


def no_layers(_root: h5py.File) -> None: ...
def empty_layers(root: h5py.File) -> None:
    root.create_group("layer")


def layers_a_number(root: h5py.File) -> None:
    root["layer"] = 3


def gap(root: h5py.File) -> None:
    write_dense(root.create_group("layer/0"))
    write_dense(root.create_group("layer/2"))


def name_of_no_number(root: h5py.File) -> None:
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


def bomb(layer: h5py.Group) -> None:
    """Large, all zeros and well compressed."""
    layer.create_dataset(
        "weight", (1 << 16, 1 << 13), "f4", chunks=(1 << 10, 1 << 13), compression="gzip"
    )[:1] = 0


def never_written(layer: h5py.Group) -> None:
    layer.create_dataset("weight", (2, 3), "f4", chunks=(1, 1))


Made = dict[Callable[[h5py.Group], None], str]
BAD_FILES: Made = {
    no_layers: "layer: is missing",
    empty_layers: "layer: holds 0 layers",
    layers_a_number: "layer: is not a group",
    gap: "layer/2: the layers are not numbered 0 to 1",
    name_of_no_number: r"layer/\\x1b\[31m: the layers are not numbered",
    no_neurons: "there is no layer of neurons",
    external_link: "layer/0: is a link into another file; refused",
}
"""What is done to an empty file."""
WITH_WEIGHT: Made = {
    late_input: "layer 1: type: is input, but only the first layer can be",
    soft_link: "layer/1: is a soft link; refused",
}
"""What is done to a file with a sound layer."""
WITHOUT_WEIGHT: Made = {
    linked_weight: "layer 0: weight: is a link into another file; refused",
    external_storage: "layer 0: weight: is stored in another file; refused",
    virtual_dataset: "layer 0: weight: is a virtual dataset",
    declared_huge: r"layer 0: weight: has shape \[1048576, 1048576\], which is too large",
    bomb: r"layer 0: weight: has shape \[65536, 8192\], which is too large",
    never_written: "layer 0: weight: was never written",
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
        ("folder", "is not a regular file"),
        (-100, "is damaged or truncated"),
    ],
)
def test_what_is_no_hdf5_file_is_one_clear_error(tmp_path: Path, content, words: str) -> None:
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
    path = write_file(tmp_path / "a.net")
    monkeypatch.setattr(guard, "BUDGET", 60)
    with pytest.raises(NetFileError, match="which is too large"):
        read_net(path)
    monkeypatch.setattr(guard, "LARGEST_FILE", 100)
    with pytest.raises(NetFileError, match="is larger than 100 bytes"):
        read_net(path)


# Damage at random

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


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Some bytes flipped, a piece cut out, or the end missing."""
    data = bytearray(content)
    kind = chance.randrange(10)
    start = chance.randrange(len(data))
    if kind == 0:
        return bytes(data[:start])
    if kind == 1:
        data[start : start + chance.randrange(64)] = bytes(chance.randrange(64))
        return bytes(data)
    for _ in range(chance.choice([1, 1, 2, 8, 32])):
        place = chance.randrange(len(data))
        data[place] = chance.choice([chance.randrange(256), data[place] ^ 1, 0, 255])
    return bytes(data)


def test_random_damage_is_an_error_or_a_network(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net", bias=np.zeros(2, np.float32))
    chance = random.Random(0)
    (tmp_path / "damaged").mkdir()
    for index in range(200):
        content = damaged(path.read_bytes(), chance)
        (tmp_path / "damaged" / f"{index:03}.net").write_bytes(content)
    # In a process of its own, because hdf5 is C.
    command = [sys.executable, "-c", FUZZ, str(tmp_path / "damaged")]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout[-80:] + outcome.stderr


def test_a_heap_that_hdf5_never_leaves(tmp_path: Path) -> None:
    """The library loops for ever over a heap whose first free object claims to have no size."""
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


def test_texts_behind_a_block_of_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    with h5py.File(path, "w", userblock_size=1024) as file:
        write_dense(file.create_group("layer/0"), type="dense")
    assert only_layer(path).threshold == 80


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read every file")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net")
    path.chmod(0)
    with pytest.raises(NetFileError, match="cannot be read: Permission denied"):
        read_net(path)
