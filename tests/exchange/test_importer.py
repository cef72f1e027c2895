"""Files become documents, with a table that says what was inferred and what was filled in."""

import math
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from support.exchange_samples import FILES, WITHOUT_NEURON, document, write_file, write_layers

import netdesc
from netdesc.api.compile import open_network
from netdesc.api.load import load
from netdesc.exchange import NetFileError, export_net, import_net, read_weights
from netdesc.kernels.engines import use_engine

OLD_NEURON = {
    "neuron/type": np.array(b"LOIHI", "S8"), "neuron/iDecay": 4096, "neuron/vDecay": 1024,
    "neuron/vThMant": 25, "neuron/refDelay": 1, "neuron/wgtExp": 0, "neuron/theta": 1600,
    "neuron/tauRho": 0.5, "neuron/scaleRho": 1.0,
}  # fmt: skip
OLD_INPUT = {"type": "input", "shape": [3, 1, 1], "weight": 36.0, "bias": [34.0], **OLD_NEURON}
AVERAGE = {"type": np.array([b"average"], "S16"), "shape": [1, 1, 1]}
DELTA = {"type": "input", "shape": [3], "neuron/type": "SDNN", "neuron/activation": "relu"}
DELTA |= {"neuron/vThMant": 0}


def test_input_layers_of_neurons_and_averages(tmp_path: Path) -> None:
    path = write_layers(tmp_path / "a.net", OLD_INPUT, {"shape": [2, 1, 1]}, AVERAGE)
    imported = import_net(path)
    layers = imported.description["layers"]
    assert imported.description["input"] == {"shape": [3]}
    assert layers[0] == {
        "name": "input0", "type": "neurons", "weight": 36 / 64, "bias": 34 / 64,
        "axonal_delay_step": False, "neuron": "cuba1",
    }  # fmt: skip
    assert imported.weights["layers.input0.synapse.weight"].tolist() == [36 / 64, 34 / 64]
    assert layers[2] == {"name": "average2", "type": "population_average", "units": 1}
    assert imported.description["loss"]["type"] == "mean_squared_error"
    assert imported.warnings == []
    assert ["LOIHI" in str(row.inferred) for row in imported.table] == [True, False, False]
    assert any("axonal" in each for each in imported.table[0].inferred)
    write_layers(path, {}, AVERAGE | {"shape": [3]})
    with pytest.raises(NetFileError, match="layer 1: shape: has 3 groups, which do not divide 2"):
        import_net(path)
    delta = import_net(write_layers(tmp_path / "b.net", DELTA, {})).description
    assert delta["neurons"]["delta1"] == {"type": "delta", "threshold": 0.0}
    assert (delta["layers"][0]["weight"], delta["layers"][0]["bias"]) == (1, 0)


def test_a_sum_is_none_if_the_file_says_so(tmp_path: Path) -> None:
    no_sum = {"neuron/type": "SDNN", "neuron/sigma_output": False}
    imported = import_net(write_layers(tmp_path / "a.net", DELTA | no_sum, FILES["SDNN"] | no_sum))
    assert imported.warnings == []
    assert [row.neuron for row in imported.table] == ["delta", "sigma_delta"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"neuron/vThMant": 131071}, {"a readout"}),
        ({"neuron/sigma_output": True, **FILES["SDNN"], "neuron/type": "SDNN"}, {"a sum"}),
        ({"bias": [2.0, 4.0], "delay": [3.0, 1.0]}, {"learns its bias", "1 to 3 steps"}),
        ({"delay": 3}, {"delays its output by 3 steps"}),
        (WITHOUT_NEURON, {"no neuron"}),
    ],
)
def test_the_table_says_what_was_inferred(tmp_path: Path, changes: dict, words: set) -> None:
    (row,) = import_net(write_file(tmp_path / "a.net", colour=3, **changes)).table
    assert all(any(word in text for text in row.inferred) for word in words | {"input [3]"})
    assert row.unknown == ("colour",)


def test_what_was_filled_in_can_be_stated_as_named(tmp_path: Path) -> None:
    imported = import_net(write_file(tmp_path / "a.net", **{"neuron/vThMant": 131071}))
    path = imported.save(tmp_path)
    options = [re.search(r"--set (.*)\)$", text) for text in imported.assumptions]
    values = [value for each in options if each for value in shlex.split(each[1])]
    values = [value for value in values if value != "--set"]
    assert [value.partition("=")[0] for value in values] == [
        "time.steps", "time.step_ms", "loss", "training.epochs", "training.optimizer",
        "neurons.cuba1.learn", "neurons.cuba1.dropout", "neurons.cuba1.tau_grad",
        "neurons.cuba1.scale_grad", "layers.dense0.axonal_delay_step",
    ]  # fmt: skip
    stated = load(path, values, with_files=False).document
    assert stated.main_loss == imported.document.main_loss


def test_steps_and_their_length_may_be_given(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.net")
    for given, assumed in (({"steps": 7}, "step_ms"), ({"step_ms": 0.5}, "steps")):
        imported = import_net(path, **given)
        assert imported.steps_are_assumed is (assumed == "steps")
        assert imported.step_ms_is_assumed is (assumed == "step_ms")
        (text,) = (each for each in imported.assumptions if "time." in each)
        assert f"time.{assumed}=" in text
    for wrong in ({"steps": 0}, {"steps": 10**7}, {"step_ms": -1.0}, {"step_ms": math.nan}):
        with pytest.raises(ValueError, match=r"step.* is .*at most"):
            import_net(path, **wrong)


def test_a_network_that_no_document_can_hold_is_refused(tmp_path: Path) -> None:
    weight = np.full((1, (1 << 20) + 1), 2.0)
    sizes = {"inFeatures": None, "outFeatures": None, "shape": np.array([1])}
    path = write_file(tmp_path / "a.net", weight=weight, **sizes)
    with pytest.raises(NetFileError, match=r"a document cannot have this input\.shape\.0: "):
        import_net(path)


@use_engine("reference")
def test_as_many_delays_as_inputs_delay_what_arrives(tmp_path: Path) -> None:
    weight, delays = np.float32([[2, 4, 6], [-8, 10, 12]]), [0, 3, 1]
    changes = dict.fromkeys(WITHOUT_NEURON) | {"weight": weight, "delay": delays}
    path = write_file(tmp_path / "a.net", **changes)
    imported = import_net(path)
    assert [layer["type"] for layer in imported.description["layers"]] == ["neurons", "dense"]
    input_TI = np.random.default_rng(0).random((9, 3)) < 0.5
    later_TI = np.zeros((9, 3))
    for index, steps in enumerate(delays):
        later_TI[steps:, index] = input_TI[: 9 - steps, index]
    compiled = netdesc.compile(imported)
    output_TBN = compiled.model(torch.tensor(input_TI).float()[:, None])
    np.testing.assert_array_equal(output_TBN[:, 0].detach(), later_TI @ weight.T / 64)
    read = read_weights(path, compiled.graph)
    for name, values in imported.weights.items():
        np.testing.assert_array_equal(read[name], values)


def test_weights_of_a_file_fit_the_lif_neurons_that_it_was_written_of(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    lif = {"type": "lif", "threshold": 1, "voltage_decay": 0.25}
    layer = {"name": "a", "type": "dense", "units": 3, "neuron": lif}
    content = document([4], [layer], data=None)
    export_net(netdesc.compile(content).model, path)
    opened = open_network(content | {"weights": {"path": str(path)}})
    assert opened.warnings == []
    input_TBN = (torch.rand(20, 2, 4) < 0.5).float()
    exported = netdesc.compile(path).model.eval()(input_TBN)
    assert torch.equal(opened.compiled.model(input_TBN), exported)


def test_a_document_with_other_neurons_than_its_weights_is_warned_of_once(tmp_path: Path) -> None:
    path = write_layers(tmp_path / "a.net", {}, {"weight": np.full((2, 2), 4.0), "inFeatures": 2})
    document = import_net(path).description | {"weights": {"path": str(path)}}
    assert open_network(document).warnings == []
    document["neurons"]["cuba1"]["voltage_decay"] = 0.75
    (text,) = open_network(document).warnings
    assert str(path) in text
    assert '"dense0" and "dense1": voltage_decay' in text


def test_a_network_as_slayerpytorch_writes_them(tmp_path: Path) -> None:
    """Weights are without axes of length 1, sizes are one number, and pools add a last row."""
    rng = np.random.default_rng(3)

    def weight(*shape: int) -> np.ndarray:
        return np.float32(2 * rng.integers(-40, 60, shape)).squeeze()

    pool = OLD_NEURON | {"type": "pool", "weight": np.full((2, 2), 60.0), "kernelSize": 2}
    conv = OLD_NEURON | {"type": "conv", "weight": weight(3, 1, 3, 3, 1), "padding": 1}
    path = write_layers(
        tmp_path / "old.net",
        {"type": "input", "shape": [1, 6, 6]},
        conv | {"shape": [3, 6, 6], "kernelSize": 3, "stride": 1, "delay": [4.0, 0.0, 2.0]},
        pool | {"shape": [3, 3, 3], "stride": 2},
        pool | {"shape": [3, 2, 2], "stride": 2},
        {"type": "flatten", "shape": [1, 1, 12]},
        OLD_NEURON | {"shape": [4, 1, 1], "weight": weight(4, 12, 1, 1, 1), "inFeatures": 12,
                      "outFeatures": 4, "neuron/gradedSpike": None},
        {"type": "average", "shape": [2, 1, 1]},
    )  # fmt: skip
    imported = import_net(path)
    kinds = [row.type for row in imported.table]
    assert kinds == ["input", "conv", "pool", "conv", "flatten", "dense", "average"]
    netdesc.export_net(netdesc.compile(imported).model, tmp_path / "new.net")
    input_TN = rng.random((40, 1, 6, 6)) < 0.3
    output_TN = netdesc.run_integer(path, input_TN)
    assert output_TN.any()
    np.testing.assert_array_equal(netdesc.run_integer(tmp_path / "new.net", input_TN), output_TN)
    forward_TBN = netdesc.compile(imported).model.eval()(torch.tensor(input_TN).float()[:, None])
    np.testing.assert_array_equal(forward_TBN[:, 0].detach(), output_TN)
