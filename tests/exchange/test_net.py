"""Files have slayer's layout, and exporting an imported file gives the same file."""

import json
import math
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchange_samples import (
    DATA,
    assert_same_network,
    datasets,
    dense,
    document,
    model_of,
    records,
    restyle,
)
from support.neuron_definitions import example_fields

from netdesc.description import Document
from netdesc.exchange import NetFile, NetFileError, export_net, import_net, read_weights, write_net
from netdesc.graph import build_graph
from netdesc.modules import build

pytestmark = pytest.mark.usefixtures("reference_engine")

RECURRENT = dense("a", 5) | {"type": "recurrent"}
WINNERS = RECURRENT | {"type": "winner_take_all", "winners": 2, "inhibition": 0.25}
WINNERS |= {"neuron": {"type": "lif", "threshold": 0.4, "voltage_decay": 0.1}}
TWO = [dense("hidden", 5), dense("output", 3)]
NORM = {"norm": "mean", "current_decay": 0.5}


def perturbed_model(description: dict, seed: int = 0):
    """A model whose weights, gains and means were changed at random."""
    model = model_of(description, seed)
    state = model.state_dict()
    generator = torch.Generator().manual_seed(seed)
    for name, value in state.items():
        if name.endswith(("weight", "gain", "running_mean")):
            value += torch.randn(value.shape, generator=generator)
    model.load_state_dict(state)
    return model.eval()


def imported_model(imported):
    parsed = Document.model_validate_json(json.dumps({"data": DATA, **imported.description}))
    model = build(build_graph(parsed))
    model.load_state_dict({name: torch.from_numpy(v) for name, v in imported.weights.items()})
    return model.eval()


def test_the_layout_is_that_of_slayer(tmp_path: Path) -> None:
    export_net(perturbed_model(document([4], TWO)), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert sorted(file) == ["layer", "simulation"]
        times = [file[f"simulation/{name}"] for name in ("Ts", "tSample")]
        assert [(each.dtype, each[()]) for each in times] == [("int64", 1), ("int64", 40)]
        assert sorted(file["layer"]) == ["0", "1"]
        group = file["layer/0"]
        forms = {
            "type": ("|S10", (1,)),
            "shape": ("int64", (1,)),
            "inFeatures": ("int64", ()),
            "outFeatures": ("int64", ()),
            "weight": ("float32", (5, 4)),
            "neuron/type": ("object", ()),
            "neuron/iDecay": ("int64", ()),
            "neuron/vDecay": ("int64", ()),
            "neuron/vThMant": ("int64", ()),
            "neuron/refDelay": ("int64", ()),
            "neuron/gradedSpike": ("bool", ()),
        }
        assert {n: (group[n].dtype, group[n].shape) for n in forms} == {
            name: (np.dtype(kind), shape) for name, (kind, shape) in forms.items()
        }
        assert len(group) + len(group["neuron"]) == len(forms) + 1
        assert group["type"][0] == b"dense"
        assert group["neuron/type"][()] == b"CUBA"
        text = h5py.check_string_dtype(group["neuron/type"].dtype)
        assert (text.encoding, text.length) == ("utf-8", None)
        constants = ("inFeatures", "outFeatures", "neuron/iDecay", "neuron/vDecay")
        assert [group[n][()] for n in constants] == [4, 5, 1024, 123]
        assert [group[f"neuron/{n}"][()] for n in ("vThMant", "refDelay")] == [25, 1]
        assert not group["neuron/gradedSpike"][()]


def test_biases_and_decays_by_neuron_are_lists(tmp_path: Path) -> None:
    neuron = {**NORM, "per_channel": True, "voltage_decay": [0.1, 0.9]}
    model = perturbed_model(
        document([4], [dense("a", 5, neuron=neuron), dense("b", 1, neuron=neuron)])
    )
    export_net(model, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert (file["layer/0/bias"].dtype, file["layer/0/bias"].shape) == (np.float32, (5,))
        assert (file["layer/0/neuron/iDecay"].dtype, file["layer/0/neuron/iDecay"].shape) == (
            np.int64,
            (5,),
        )
        assert file["layer/1/neuron/iDecay"].shape == ()  # one neuron: slayer writes a number
        mean = model.state_dict()["layers.a.neuron.norm.running_mean"].numpy()
        np.testing.assert_array_equal(file["layer/0/bias"], -2 * np.rint(32 * mean))


def test_an_input_with_channels_has_an_input_layer(tmp_path: Path) -> None:
    layers = [{"name": "flat", "type": "flatten"}, dense("output", 3)]
    export_net(perturbed_model(document([2, 3, 4], layers)), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert [file[f"layer/{i}/type"][0] for i in range(3)] == [b"input", b"flatten", b"dense"]
        assert sorted(file["layer/0"]) == sorted(file["layer/1"]) == ["shape", "type"]
        assert file["layer/0/shape"][:].tolist() == [2, 3, 4]
        assert file["layer/1/shape"][:].tolist() == [24, 1, 1]


NETWORKS = {
    "plain": document([4], TWO),
    "one layer": document([1], [dense("only", 1)]),
    "flatten": document([2, 3], [{"name": "f", "type": "flatten"}, *TWO]),
    "flatten of one axis": document([6], [{"name": "f", "type": "flatten"}, *TWO]),
    "flatten at the end": document([6], [*TWO, {"name": "f", "type": "flatten"}]),
    "weight norm": document([4], [dense("a", 5, weight_norm=True), dense("b", 3)]),
    "norm": document([4], [dense("a", 5, neuron=NORM), dense("b", 3)]),
    "own decays": document(
        [4], [dense("a", 5, neuron={"per_channel": True, "current_decay": [0.1, 0.9]})]
    ),
    "recurrent": document([4], [RECURRENT, dense("b", 3)]),
    "recurrent with weight norm": document([4], [RECURRENT | {"weight_norm": True}]),
    "winners": document([4], [WINNERS, dense("b", 3)]),
    "short steps": document([4], TWO, time={"steps": 40, "step_ms": 0.3}),
    "many": document([4], [dense(f"layer{i}", 2 + i % 3) for i in range(12)]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_export_import_export_is_one_file(tmp_path: Path, name: str) -> None:
    model = perturbed_model(NETWORKS[name])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export_net(model, tmp_path / "a.net")
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    imported = import_net(tmp_path / "a.net")
    assert imported.description["time"] == {"step_ms": 1.0, **NETWORKS[name]["time"]}
    again = imported_model(imported)
    export_net(again, tmp_path / "b.net")
    assert datasets(tmp_path / "a.net") == datasets(tmp_path / "b.net")
    assert imported.warnings == []
    generator = torch.Generator().manual_seed(1)
    shape = NETWORKS[name]["input"]["shape"]
    input_TBN = (torch.rand(40, 2, *shape, generator=generator) < 0.5).float()
    with torch.no_grad():
        assert torch.equal(model(input_TBN), again(input_TBN))


@settings(max_examples=20, deadline=None)
@given(net=records())
def test_records_survive_file_document_and_model(tmp_path_factory, net: NetFile) -> None:
    folder = tmp_path_factory.mktemp("net")
    write_net(folder / "a.net", net)
    export_net(imported_model(import_net(folder / "a.net")), folder / "b.net")
    assert datasets(folder / "a.net") == datasets(folder / "b.net")


@settings(max_examples=20, deadline=None)
@given(net=records(), chance=st.randoms(use_true_random=False))
def test_other_forms_of_a_file_are_the_same_network(tmp_path_factory, net, chance) -> None:
    path = tmp_path_factory.mktemp("net") / "a.net"
    write_net(path, net)
    same = import_net(path)
    restyle(path, chance)
    assert_same_network(import_net(path), same)


SCALED = {"type": "integrator", "norm": "mean_variance"}
OWN = {"type": "equations", "norm": "mean_variance", "step": ["v = norm(x)"], "output": "v"}
DENSE, FROM_INPUT = {"name": "a", "type": "dense", "units": 2}, {"from": "input"}
JOINS = dense("c", 2, **{"from": ["a", "b"]})


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([dense("a", 2, quantization=None)], '"a" has weights that are not quantised'),
        ([WINNERS | {"neuron": dense("a", 5)["neuron"]}], '"a" has winners, .*"lif"'),
        ([RECURRENT | {"neuron": {"type": "integrator"}}], '"a" is recurrent, .*CUBA nor ALIF'),
        ([RECURRENT | {"neuron": example_fields("rf") | {"type": "rf"}}], "is recurrent"),
        ([dense("a", 2, axonal_delay_step=False)], '"a" has no axonal delay step'),
        ([DENSE | {"units": 9, "neuron": SCALED}], '"a" has a norm .*by 8, .*"norm": "mean"'),
        ([DENSE | {"neuron": OWN}], '"a" has neurons of type "equations"'),
        ([dense("a", 2), dense("b", 2, **FROM_INPUT), JOINS], '"b" reads input, not the layer'),
        ([dense("a", 2), dense("b", 2, **{"from": ["a", "input"]})], '"b" reads a and input, not'),
    ],
)
def test_a_layer_that_no_net_file_holds_is_named(tmp_path: Path, layers: list, words: str) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(b"older")
    with pytest.raises(NetFileError, match=words):
        export_net(model_of(document([2], layers)), path)
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["a.net"]


@pytest.mark.parametrize("of", ["synapse.weight", "neuron.voltage_decay"])
def test_a_network_that_has_diverged_is_not_written(tmp_path: Path, of: str) -> None:
    """NaN would silently become 0 in integers."""
    model = model_of(document([2], [dense("a", 2)]))
    model.state_dict()[f"layers.a.{of}"].view(-1)[-1] = math.nan
    with pytest.raises(NetFileError, match=f'layer "a" has a {of} that is NaN'):
        export_net(model, tmp_path / "a.net")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ([0, 0], "all weights are 0"),
        ([-64, -2], "power of two"),
        ([-256, -256], "power of two"),
        ([-62, -2], None),
        ([-64, 2], None),
        ([64, 0], None),
    ],
)
def test_weights_that_netx_loads_wrong_are_warned_of(tmp_path: Path, weights, problem) -> None:
    model = model_of(document([2], [dense("first", 2), dense("only", 1)]))
    state = model.state_dict()
    state["layers.only.synapse.weight"] = torch.tensor([weights]) / 64
    model.load_state_dict(state)
    warnings = export_net(model, tmp_path / "a.net")
    if problem is None:
        assert warnings == []
    else:
        assert len(warnings) == 1
        assert problem in warnings[0]
        assert 'layer "only"' in warnings[0]


# The imported document


def test_the_document_has_the_content_of_the_file(tmp_path: Path) -> None:
    layers = [{"name": "f", "type": "flatten"}, *TWO, dense("last", 2, neuron={"threshold": 2.0})]
    export_net(perturbed_model(document([2, 3], layers)), tmp_path / "my net.net")
    imported = import_net(tmp_path / "my net.net", steps=77)
    description = imported.description
    assert description["name"] == "my_net"
    assert description["time"] == {"steps": 77, "step_ms": 1.0}
    assert description["input"] == {"shape": [2, 3]}
    assert [layer["name"] for layer in description["layers"]] == [
        "flatten1",
        "dense2",
        "dense3",
        "dense4",
    ]
    assert [layer.get("neuron") for layer in description["layers"]] == [
        None,
        "cuba1",
        "cuba1",
        "cuba2",
    ]
    assert description["neurons"]["cuba1"] == {
        "type": "cuba",
        "threshold": 25 / 64,
        "tau_grad": 1.0,
        "scale_grad": 1.0,
        "current_decay": 0.25,
        "voltage_decay": 123 / 4096,
    }
    assert [
        (r.layer, r.type, math.prod(r.input_shape), math.prod(r.output_shape), r.weights)
        for r in imported.table
    ] == [
        (0, "input", 6, 6, 0),
        (1, "flatten", 6, 6, 0),
        (2, "dense", 6, 5, 30),
        (3, "dense", 5, 3, 15),
        (4, "dense", 3, 2, 6),
    ]


def test_save_writes_both_files_and_overwrites_neither(tmp_path: Path) -> None:
    export_net(perturbed_model(document([4], TWO)), tmp_path / "a.net")
    imported = import_net(tmp_path / "a.net")
    path = imported.save(tmp_path / "new" / "folder")
    assert sorted(os.listdir(path.parent)) == ["a.json", "a.safetensors"]
    written = json.loads(path.read_text())
    assert written["weights"]["path"] == "a.safetensors"
    assert len(written["weights"]["sha256"]) == 64
    with pytest.raises(FileExistsError):
        imported.save(path.parent)
    path.unlink()
    with pytest.raises(FileExistsError, match=r"a\.safetensors"):
        imported.save(path.parent)


def test_weights_initialise_a_network_with_other_layer_names(tmp_path: Path) -> None:
    model = perturbed_model(document([4], TWO))
    export_net(model, tmp_path / "a.net")
    kinds = {
        "weight norm": ({"weight_norm": True}, {}),
        "own decays": ({}, {"per_channel": True}),
        "norm": ({}, {"norm": "mean"}),
    }
    for more, neuron in kinds.values():
        layers = [dense("x", 5, neuron=neuron, **more), dense("y", 3)]
        other = model_of(document([4], layers), seed=5)
        weights = read_weights(tmp_path / "a.net", other.graph)
        other.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        for (_, mine), (_, theirs) in zip(model.blocks(), other.blocks(), strict=True):
            assert torch.equal(mine.synapse(), theirs.synapse())


def test_the_error_names_weights_that_do_not_fit(tmp_path: Path) -> None:
    export_net(perturbed_model(document([4], TWO)), tmp_path / "a.net")
    with pytest.raises(NetFileError, match="has 2 layers of neurons; sample has 1"):
        read_weights(tmp_path / "a.net", model_of(document([4], [dense("a", 3)])).graph)
    graph = model_of(document([4], [dense("a", 5), dense("b", 2)])).graph
    with pytest.raises(NetFileError, match=r"layer 1: weight: has shape \[3, 5\]; b has \[2, 5\]"):
        read_weights(tmp_path / "a.net", graph)
