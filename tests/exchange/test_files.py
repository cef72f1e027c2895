"""Layers as other programs write them are read; any other content is one clear error."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.exchange_samples import WEIGHT, WITHOUT_NEURON, set_time, write_dense, write_file

import netdesc
from netdesc.api.compile import open_network
from netdesc.exchange import DenseLayer, NetFileError, import_net, read_net


def only_layer(path: Path) -> DenseLayer:
    (layer,) = read_net(path).net.layers
    assert isinstance(layer, DenseLayer)
    return layer


OTHER_FORMS = {
    "type of another width": {"type": np.array([b"dense"], "S5")},
    "trailing axes": {"weight": WEIGHT.reshape(2, 3, 1, 1, 1)},
    "flat weight": {"weight": WEIGHT.ravel()},
    "weights in int16": {"weight": WEIGHT.astype(np.int16)},
    "weights in float16": {"weight": WEIGHT.astype(np.float16)},
    "big-endian weights": {"weight": WEIGHT.astype(">f4")},
    "delays of zero": {"delay": np.zeros(2, np.float32)},
}


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_other_forms_of_the_same_layer(tmp_path: Path, name: str) -> None:
    path = write_file(tmp_path / "a.net", **OTHER_FORMS[name])
    layer = only_layer(path)
    np.testing.assert_array_equal(layer.weights, [WEIGHT])
    assert (layer.neuron.type, layer.bias) == ("CUBA", None)
    found = {name: set(values.ravel()) for name, values in layer.neuron.numbers.items()}
    assert found == {"iDecay": {1024}, "vDecay": {128}, "vThMant": {80}}
    assert read_net(path).warnings == []
    assert import_net(path).description["input"] == {"shape": [3]}


def test_one_shared_decay_and_one_decay_by_neuron(tmp_path: Path) -> None:
    layer = only_layer(write_file(tmp_path / "a.net", **{"neuron/iDecay": np.array([1, 2])}))
    found = {name: values.tolist() for name, values in layer.neuron.numbers.items()}
    assert found == {"iDecay": [1, 2], "vDecay": [128, 128], "vThMant": 80}


def test_a_layer_without_neurons(tmp_path: Path) -> None:
    imported = import_net(write_file(tmp_path / "a.net", **WITHOUT_NEURON))
    assert imported.description["layers"][0]["neuron"] is None
    assert imported.table[0].neuron == "none"
    assert any("netx" in each for each in imported.warnings)


def test_the_time_of_the_file_is_imported(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net")
    set_time(path, 2, 300)
    assert import_net(path).description["time"] == {"steps": 150, "step_ms": 2.0}
    changed = import_net(path, steps=7, step_ms=0.25)
    assert changed.description["time"] == {"steps": 7, "step_ms": 0.25}
    assert not any("time." in text for text in changed.assumptions)
    for step, steps in ((np.float64(0.1), 3), (np.float64(0.7), 999_999), (np.float32(0.1), 1000)):
        set_time(path, step, np.float64(steps * float(str(step))))
        assert import_net(path).document.time.steps == steps
        assert import_net(path).document.time.step_ms == step


@pytest.mark.parametrize(
    ("step", "sample", "dataset"),
    [
        (0, 300, "Ts"), (-1.0, 300, "Ts"), (np.nan, 300, "Ts"), (1e7, 1e8, "Ts"), (None, 300, "Ts"),
        (1.0, np.inf, "tSample"), (2, 1, "tSample"), (1e-300, 1e300, "tSample"),
        (1, 1_000_001, "tSample"), (1, None, "tSample"), (1, np.ones(2), "tSample"),
    ],
)  # fmt: skip
def test_a_time_that_no_network_has_is_one_clear_error(
    tmp_path: Path, step: object, sample: object, dataset: str
) -> None:
    path = write_file(tmp_path / "a.net")
    set_time(path, step, sample)
    with pytest.raises(NetFileError) as raised:
        import_net(path)
    assert str(raised.value).startswith(f"{path}: simulation/{dataset}: ")


def test_an_input_layer_that_only_counts_neurons(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    with h5py.File(path, "w") as file:
        file["layer/0/type"] = np.array([b"input"])
        file["layer/0/shape"] = np.array([3, 1, 1])
        write_dense(file.create_group("layer/1"))
    assert import_net(path).description["input"] == {"shape": [3]}


def test_unknown_datasets_are_warned_of(tmp_path: Path) -> None:
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

RECURRENT = {"type": np.array([b"dense_rec"], "S10")}
BAD_LAYERS = [
    # the dataset that the error names, and the changes of the file
    ("weight", WEIGHT + 1),
    ("weight", WEIGHT / 4),
    ("weight", WEIGHT * np.nan),
    ("weight", np.full((2, 3), 0x7F800001, "u4").view("f4")),  # casting it makes numpy warn
    ("weight", np.array([[b"a"]])),
    ("weight", WEIGHT * 1j),
    ("weight", {"weight": np.zeros((2, 0)), "inFeatures": None}),
    ("weight", np.zeros((2, 3, 2))),
    ("weight", h5py.Empty("f4")),
    ("weight", None),
    ("weight", {"weight": None, "weight/real": WEIGHT, "weight/imag": WEIGHT}),
    ("weight", {"shape": np.array([2**31 - 1] * 8)}),
    ("inFeatures", 4),
    ("shape", None),
    ("shape", np.array([0])),
    ("shape", 2),
    ("neuron", WITHOUT_NEURON | {"neuron": 3}),
    ("neuron/type", "LIF"),
    ("neuron/type", "C" * 300),
    ("neuron/type", np.array([b"CUBA"] * 2)),
    ("neuron/type", "C\x1b[2J"),
    ("neuron/gradedSpike", 0.5),
    ("neuron/refDelay", 3),
    ("neuron/vThMant", 0),
    ("delay", np.array([0, 63])),
    ("delay", np.ones(4)),
    ("bias", np.zeros(3)),
    ("bias", np.array([0.5, 0])),
    ("bias", np.array([2, 258])),
    ("type", None),
    ("weight_rec", RECURRENT),
    ("weight_rec", RECURRENT | {"weight_rec": np.ones((2, 2))}),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("dataset", "value"), BAD_LAYERS)
def test_the_error_names_the_dataset_of_a_bad_layer(tmp_path: Path, dataset: str, value) -> None:
    changes = value if isinstance(value, dict) else {dataset: value}
    path = write_file(tmp_path / "a.net", **changes)
    with pytest.raises(NetFileError) as raised:
        import_net(path)
    assert str(raised.value).startswith(f"{path}: layer 0: {dataset}: ")
    assert str(raised.value).isprintable()
    assert (raised.value.path, raised.value.layer, raised.value.dataset) == (path, 0, dataset)


def test_all_that_is_not_read_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    layers = [
        {"type": np.array([b"concat"], "S10"), "neuron/type": "LIF"},
        {"neuron/type": "SDNN", "neuron/activation": "tanh"},
        {"type": np.array([b"concat"], "S10")},
        {"neuron/type": "LIF", "neuron/refDelay": 2},
        WITHOUT_NEURON | {"weight": None, "weight/real": WEIGHT, "weight/imag": WEIGHT},
        {"neuron/vThMant": 0},
    ]
    with h5py.File(path, "w") as file:
        for index, changes in enumerate(layers):
            write_dense(file.create_group(f"layer/{index}"), **changes)
    with pytest.raises(NetFileError) as raised:
        import_net(path)
    message = str(raised.value)
    for words in (
        "concat layers (type of layer 0)",
        "neurons of type LIF (neuron/type of layer 0)",
        "the activation tanh (neuron/activation of layer 1)",
        "refractory periods (neuron/refDelay of layer 3)",
        "complex weights of neurons other than resonators (weight of layer 4)",
        "thresholds of 0 (neuron/vThMant of layer 5)",
    ):
        assert words in message
    assert raised.value.layer is None


def test_a_nir_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    with h5py.File(path, "w") as file:
        file["node/type"] = "NIRGraph"
    with pytest.raises(NetFileError, match=r"ends in \.nir"):
        import_net(path)


# What the file says of the network that was trained


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"neuron/weight_exp": np.array([2.0], np.float32)}, ["neuron/weight_exp is 2", "trained"]),
        ({"neuron/weight_exp": np.array([0.0], np.float32)}, []),
    ],
)
def test_what_differs_from_the_trained_network_is_named(
    tmp_path: Path, changes: dict, words: list[str]
) -> None:
    path = write_file(tmp_path / "a.net", **changes)
    warnings = import_net(path).warnings
    assert len(warnings) == bool(words)
    input_TN = np.zeros((1, WEIGHT.shape[1]), np.float32)
    for found in (open_network(path), netdesc.run(path, input_TN, "integer")):
        assert found.warnings[:-1] == warnings
    for text in warnings:
        assert text.startswith(f"{path}: layer 0: ")
        assert all(word in text for word in words)


def test_layers_that_do_not_fit_together(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net")
    with h5py.File(path, "a") as file:
        write_dense(file.create_group("layer/1"))
    with pytest.raises(NetFileError, match="layer 1: weight: is for 3 inputs"):
        import_net(path)
    with h5py.File(path, "a") as file:
        del file["layer/1"]
        file["layer/1/type"] = np.array([b"flatten"])
        file["layer/1/shape"] = np.array([3, 1, 1])
    with pytest.raises(NetFileError, match="layer 1: shape: is for 3 inputs"):
        import_net(path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"shape": [7], "weight": np.ones((6, 8))}, "weight: has shape [6, 8]; [7, 8] is needed"),
        ({"shape": [2], "weight": np.ones((3, 2))}, "weight: has shape [3, 2]; [2, 3] is needed"),
        ({"weight": 2.0}, "weight: has shape []; [2, inputs] is needed"),
        ({"weight": np.ones(0)}, "weight: has shape [0]; [2, inputs] is needed"),
        ({"type": "dense_rec", "weight_rec": np.ones((2, 3))}, "[2, 3]; [2, 2] is needed"),
        ({"weight": "ab"}, "weight: holds text, not numbers"),
        ({"type": np.array(b"", "S4")}, "does not read layers of an empty type yet"),
        ({"neuron/type": " "}, "does not read neurons of an empty type yet"),
    ],
)
def test_errors_name_what_is_needed(changes: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(NetFileError, match=re.escape(problem)):
        read_net(write_file(tmp_path / "a.net", **changes))
