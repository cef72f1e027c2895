"""``verify`` says whether three runs of a network agree, or where and why they differ."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.exchange_samples import dense, document, model_of
from support.training_task import INPUTS, STEPS, read_record, write_task

import netdesc
from netdesc.exchange import NetFileError, export_net
from netdesc.exchange.verification import (
    Verification,
    compare_runs,
    compare_with_effect,
    verify_shortly,
)
from netdesc.hardware import IntegerNetwork
from netdesc.modules import Network

pytestmark = pytest.mark.usefixtures("reference_engine")

INPUT_TN = (np.random.default_rng(3).random((60, 8)) < 0.4).astype(np.float32)


def network(**neuron: Any) -> Network:
    layers = [dense("first", 5, neuron=neuron), dense("last", 4, weight_scale=8)]
    return model_of(document([8], layers))


def compare_with(model: Network, other: Network, tmp_path: Path) -> Verification:
    """Compares a model with the export of another one."""
    export_net(other, tmp_path / "a.net")
    return compare_runs(model, tmp_path / "a.net", INPUT_TN)


@pytest.mark.parametrize(
    ("reason", "neuron"),
    [
        ("24-bit wrap", {"current_decay": 0.0, "threshold": 1.0}),
        ("24-bit clip", {"voltage_decay": 0.0, "threshold": 2100.0}),
    ],
)
def test_a_wide_state_is_the_reason(reason: str, neuron: dict[str, float], tmp_path: Path) -> None:
    model = network(**neuron)
    with torch.no_grad():
        model.state_dict()["layers.first.synapse.weight"][:] = 0
        model.state_dict()["layers.first.synapse.weight"][3] = 3.9
    input_TN = np.ones((400, 8), np.float32)
    export_net(model, tmp_path / "a.net")
    found = compare_runs(model, tmp_path / "a.net", input_TN)
    (difference,) = found.differences
    assert (difference.runs, difference.reason) == (("float", "integer"), reason)
    assert (difference.layer, difference.neuron) == ("first", 3)
    device = IntegerNetwork(model.graph, model.folded_state())
    found = []
    for part_TN in np.split(input_TN[: difference.step], [difference.step - 1]):
        device.run(part_TN)
        found.append(sum(device.counts[0].exceeded.values()))
    assert found[0] == 0 < found[1]  # a state leaves 24 bits in time for the spike, not before


@pytest.mark.parametrize(("scale", "is_exact"), [(1, True), (10, False)])
def test_large_sums_of_graded_outputs_are_the_reason(scale: int, is_exact: bool) -> None:
    neuron = {"type": "integrator", "current_decay": 1.0, "voltage_decay": 0.1}
    hidden = {"name": "first", "type": "dense", "units": 200, "neuron": neuron, "weight_scale": 20}
    last = {"name": "last", "type": "dense", "units": 4, "neuron": neuron, "weight_scale": scale}
    found = compare_runs(model_of(document([8], [hidden, last])), None, INPUT_TN)
    assert found.is_identical == is_exact
    for each in found.differences:
        assert (each.layer, each.reason) == ("last", "float32")
        assert [f"{value:.10g}" in found.summary for value in each.values] == [True, True]


def test_other_numbers_in_the_file_are_the_reason(tmp_path: Path) -> None:
    model, other = network(), network()
    with torch.no_grad():
        other.state_dict()["layers.last.synapse.weight"][3] = 3.9
    (difference,) = compare_with(model, other, tmp_path).differences
    assert difference.runs == ("integer", "exported")
    assert (difference.layer, difference.neuron, difference.reason) == ("last", 3, "file")
    assert "another synapse.weight" in difference.explanation


def test_later_spikes_are_a_matter_of_timing(tmp_path: Path) -> None:
    late = document([8], [dense("first", 5), dense("last", 4, weight_scale=8, delay={"steps": 2})])
    (difference,) = compare_with(network(), model_of(late), tmp_path).differences
    assert (difference.layer, difference.reason) == ("last", "timing")
    assert "2 steps" in difference.explanation
    assert sorted(difference.values) == [0.0, 1.0]


def test_the_first_step_counts_and_then_the_first_layer(tmp_path: Path) -> None:
    """Where both layers differ, what reaches the second is not its own fault."""
    model, other = network(), network()
    with torch.no_grad():
        for layer in ("first", "last"):
            other.state_dict()[f"layers.{layer}.synapse.weight"][:] += 0.5
    (difference,) = compare_with(model, other, tmp_path).differences
    assert difference.layer == "first"


def test_the_input_is_that_of_the_document_of_the_caller_or_random(tmp_path: Path) -> None:
    path = write_task(tmp_path)
    own = netdesc.verify(path)
    given = netdesc.verify(path, tmp_path / "input0.bs1")
    assert own.layers == given.layers
    assert (own.input, given.input) == ("train sample 0", str(tmp_path / "input0.bs1"))
    silent = netdesc.verify(path, np.zeros((STEPS, INPUTS)))
    assert '"hidden" and "output"' in silent.summary
    assert "hidden" not in own.summary
    netdesc.export_net(path, tmp_path / "a.net")
    random, again = (netdesc.verify(tmp_path / "a.net") for _ in range(2))
    assert random.record == again.record
    assert random.layers[0].float


@pytest.mark.parametrize(
    ("weight", "bias", "chosen"),
    [
        (1.5, 0, "test sample 0"),
        (0.6, 0, "test sample 1"),  # which has two spikes at once
        (0.16, 0, "random spikes"),  # seven at once
        (0, 0, None),
        (0.14, 2, None),  # the neurons fire by themselves
    ],
)
def test_the_first_input_in_effect_is_taken(weight: float, bias: float, chosen: str | None) -> None:
    neuron = {"current_decay": 1.0, "voltage_decay": 1.0, "threshold": 1.0}
    model = model_of(document([8], [dense("last", 4, neuron=neuron, bias=True)]))
    with torch.no_grad():
        model.state_dict()["layers.last.synapse.weight"][:] = weight
        model.state_dict()["layers.last.neuron.bias"][:] = bias
    samples_TBN = torch.zeros(STEPS, 2, 8)
    samples_TBN[4, :, 2] = samples_TBN[4, 1, 5] = 1
    found = verify_shortly(model, None, "test", samples_TBN)
    assert found.is_identical
    assert (found.empty, found.record["empty"]) == (chosen is None, chosen is None)
    assert found.input.startswith(chosen or "test sample 0")
    assert ("ND405" in found.summary) is found.empty
    assert bool(found.layers[0].float) is (chosen is not None or bias > 0)
    assert [found.input in each for each in found.warnings] == [True] * (weight != 1.5)
    given = compare_with_effect(model, None, [("mine", samples_TBN[:, 0].numpy())])
    assert (given.input, given.empty) == ("mine", chosen != "test sample 0")


def test_an_empty_proof_of_a_run_is_recorded(tmp_path: Path) -> None:
    path = write_task(tmp_path, epochs=1)
    path.write_text(path.read_text().replace('"weight_scale": 1', '"weight_scale": 1e-6'))
    run = netdesc.train(path, run_dir=tmp_path / "run", progress="quiet")
    recorded, found = read_record(run.path)["verification"], netdesc.verify(run)
    assert (recorded["identical"], recorded["empty"], found.empty) == (True, True, True)
    assert recorded["summary"] == found.summary
    assert "ND405" in (run.path / "train.log").read_text()
    assert "ND405" in run.report_path.read_text()


def test_a_run_is_verified_with_its_file_and_also_without_its_data(tmp_path: Path) -> None:
    run = netdesc.train(write_task(tmp_path, epochs=1), run_dir=tmp_path / "run", progress="quiet")
    recorded = read_record(run.path)["verification"]
    whole = netdesc.verify(run)
    assert (recorded["identical"], recorded["summary"]) == (True, whole.summary)
    file, model = run.path / "network.net", netdesc.compile(run).model
    with torch.no_grad():
        next(model.parameters()).mul_(-1)
    export_net(model, file)
    assert [each.reason for each in netdesc.verify(run).differences] == ["file"]
    for content in (lambda: export_net(network(), file), lambda: file.write_bytes(b"damaged")):
        content()
        with pytest.raises(NetFileError, match=re.escape(str(file))):
            netdesc.verify(run)
    file.unlink()
    assert netdesc.verify(run).is_identical
    (tmp_path / "input0.bs1").unlink()
    found = netdesc.verify(run)
    assert found.is_identical
    assert "random" in found.input
    assert any("input0.bs1" in each for each in found.warnings)


@pytest.mark.parametrize("change", ["axonal_delay_step=false", "quantization=null"])
def test_a_run_without_a_file_is_verified_if_it_has_integers(tmp_path: Path, change: str) -> None:
    network = netdesc.load(write_task(tmp_path, epochs=1), [f"layers.hidden.{change}"])
    run = netdesc.train(network, run_dir=tmp_path / "run", progress="quiet")
    recorded = read_record(run.path)["verification"]
    assert (recorded is None) is ("quantization" in change)
    assert recorded is None or recorded["summary"] == netdesc.verify(run).summary
    report = run.report_path.read_text()
    assert ("Integers" in report) is (recorded is not None)
    assert '<th scope="col">network.net' not in report
