"""Layers with a kernel in ``.net`` files: written, read, refused."""

import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.exchange_samples import assert_file_holds, assert_same_network, datasets, restyle
from support.kernel_layers import Case, kernel_layers
from support.modules_samples import dense, graph, network, neuron, spikes

from netdesc.exchange import NetFileError, export_net, import_net
from netdesc.exchange.importer import read_weights

pytestmark = pytest.mark.usefixtures("reference_engine")

CONV = {"name": "a", "type": "conv", "kernel": [3, 2], "channels": 4, "neuron": neuron()}
POOL = {"name": "b", "type": "sum_pool", "kernel": 2, "neuron": neuron()}


def exported(path: Path, *layers: dict[str, Any], shape: tuple[int, ...] = (2, 6, 7)) -> list[str]:
    return export_net(network(*layers, shape=shape).eval(), path)


@given(kernel_layers(), st.booleans(), st.integers(0, 99))
@settings(max_examples=25)
def test_a_file_holds_the_network(tmp_path_factory, case: Case, has_norm, seed) -> None:
    layer, shape = case
    assume(not np.any(layer.get("output_padding", 0)))
    cell = neuron(threshold=0.3, per_channel=True, current_decay=[0.1, 0.5])
    cell["norm"] = "mean" if has_norm else None
    last = dense("c", 3, weight_scale=4.0)
    layers = {"name": "a", "neuron": cell, **layer}, {"name": "b", "type": "flatten"}, last
    model = network(*layers, shape=shape, seed=seed)
    input_TBCHW = spikes(30, 2, *shape, density=0.3)
    model(input_TBCHW)
    folder = tmp_path_factory.mktemp("net")
    other = network(*layers, shape=shape, seed=seed + 1)
    assert_file_holds(model.eval(), other, input_TBCHW, folder)
    same = import_net(folder / "first.net")
    restyle(folder / "first.net", random.Random(seed))
    assert_same_network(import_net(folder / "first.net"), same)


def test_datasets_are_those_of_slayer(tmp_path) -> None:
    conv = CONV | {"padding": [1, 0], "stride": 2, "groups": 2}
    exported(tmp_path / "a.net", conv, POOL | {"stride": 1, "weight_scale": 0.5})
    found = {name: (kind, value) for name, (kind, _, value, _) in
             datasets(tmp_path / "a.net").items() if "neuron" not in name}  # fmt: skip
    assert found["layer/0/shape"] == (np.int64, [2, 6, 7])
    numbers = {"shape": [4, 3, 3], "kernelSize": [3, 2], "stride": [2, 2], "padding": [1, 0]}
    numbers |= {"dilation": [1, 1], "inChannels": 2, "outChannels": 4, "groups": 2}
    for name, value in numbers.items():
        assert found[f"layer/1/{name}"] == (np.int64, value)
    assert np.shape(found["layer/1/weight"][1]) == (4, 1, 3, 2)
    numbers = {"shape": [4, 2, 2], "kernelSize": [2, 2], "stride": [1, 1], "padding": [0, 0]}
    for name, value in numbers.items():
        assert found[f"layer/2/{name}"] == (np.int64, value)
    assert found["layer/2/weight"] == (np.float32, [[[[32.0, 32.0], [32.0, 32.0]]]])
    assert "layer/2/groups" not in found


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"neuron": {"type": "rf", "threshold": 1, "period": 8, "decay": 0.1}}, "resonators"),
        ({"type": "conv_transpose", "stride": 2, "output_padding": 1}, "output padding"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(change, problem, tmp_path) -> None:
    with pytest.raises(NetFileError, match=f'layer "a" has .*{problem}.*: train with'):
        exported(tmp_path / "a.net", CONV | change)
    assert not (tmp_path / "a.net").exists()


def test_a_file_without_input_layer(tmp_path) -> None:
    exported(tmp_path / "a.net", CONV | {"stride": 2})
    with h5py.File(tmp_path / "a.net", "a") as file:
        del file["layer/0"]
        file.move("layer/1", "layer/0")
    imported = import_net(tmp_path / "a.net")
    assert imported.description["input"] == {"shape": [2, 5, 6]}
    assert any("height and width of the input" in each for each in imported.warnings)


def test_a_pool_of_slayer_adds_a_last_column(tmp_path) -> None:
    exported(tmp_path / "a.net", CONV, POOL)
    with h5py.File(tmp_path / "a.net", "a") as file:
        file["layer/0/shape"][:] = [2, 6, 8]
        file["layer/1/shape"][:] = [4, 4, 7]
        file["layer/2/shape"][:] = [4, 2, 4]
    imported = import_net(tmp_path / "a.net")
    weight = imported.weights["layers.conv2.synapse.weight"]
    assert [layer["type"] for layer in imported.description["layers"]] == ["conv", "conv"]
    image = torch.arange(28.0).reshape(1, 4, 7)
    section = imported.document.layers[1]
    found = torch.conv2d(
        image.repeat(4, 1, 1), torch.tensor(weight), None, section.strides, section.paddings, 1, 4
    )
    padded = torch.nn.functional.pad(image, (0, 1))
    assert torch.equal(found, torch.nn.functional.avg_pool2d(padded, 2).repeat(4, 1, 1) * 4)


DAMAGED = {
    # layer/dataset -> a wrong value, and a part of the message
    "1/shape": ([4, 4, 5], r"layer 1: shape: is \[4, 4, 5\]; \[4, 4, 6\] follows"),
    "1/kernelSize": ([3, 3], "layer 1: kernelSize: does not fit the weight"),
    "1/groups": (2, "layer 1: inChannels: is 2, but the layer has 4"),
    "1/stride": ([0, 1], "layer 1: stride: is .*one or two numbers from 1"),
    "1/padding": ([[1, 2], [3, 4]], "layer 1: padding: is"),
    "1/dilation": (9, "layer 1: shape: does not fit: the layer has a kernel of 3×2, which its"),
    "1/weight": (np.zeros((4, 2, 3)), r"layer 1: weight: .*\[4, 1, 3, 2\] is needed"),
    "1/delay": (np.ones(3), r"layer 1: delay: has shape \[3\]"),
    "2/dilation": (2, "layer 2: dilation: netdesc does not read pools with a dilation"),
    "2/weight": (np.array([[[[2, 2], [2, 4]]]]), "layer 2: weight: .*one number"),
    "3/type": (np.array([b"dense"], "S10"), "layer 3: .*"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(name, tmp_path) -> None:
    path, (value, message) = tmp_path / "a.net", DAMAGED[name]
    exported(path, CONV, POOL, {"name": "c", "type": "flatten"}, dense("d", 2))
    with h5py.File(path, "a") as file:
        file.pop(f"layer/{name}", None)
        file[f"layer/{name}"] = value
    with pytest.raises(NetFileError, match=message):
        import_net(path)


def test_weights_of_another_kind_of_layer_are_refused(tmp_path) -> None:
    exported(tmp_path / "a.net", CONV)
    other = graph(CONV | {"type": "conv_transpose"}, shape=(2, 6, 7))
    with pytest.raises(NetFileError, match="layer 1: type: is conv; a is conv_transpose"):
        read_weights(tmp_path / "a.net", other)
