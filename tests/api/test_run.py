"""``run`` hands on all of a network's output, and reads a file in one way only."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.classify_task import CELLS, STEPS, write_classify_task
from support.cli_process import exit_code
from support.exchange_samples import dense, document

import netdesc
from netdesc.events import Event, EventFileError, read_events

pytestmark = pytest.mark.usefixtures("reference_engine")

INPUT_TN = (np.random.default_rng(1).random((40, 8)) < 0.4).astype(np.float32)


def classes(inputs: int) -> dict[str, Any]:
    readout = {"name": "only", "type": "dense", "units": 3, "neuron": None}
    return document([inputs], [readout], data=None, loss={"type": "cross_entropy"})


@pytest.mark.parametrize("arithmetic", ["float", "integer"])
def test_graded_outputs_keep_their_values(arithmetic) -> None:
    compiled = netdesc.compile(classes(8))
    with torch.no_grad():
        expected_TN = compiled.model(torch.from_numpy(INPUT_TN).unsqueeze(1))[:, 0].numpy()
    result = netdesc.run(compiled, INPUT_TN, arithmetic)
    assert len(np.unique(expected_TN)) > 3
    np.testing.assert_array_equal(result.output_TN, expected_TN)
    np.testing.assert_array_equal(result.spikes_TN, expected_TN != 0)
    assert result.classification.prediction == expected_TN.mean(0).argmax()


def test_graded_outputs_are_written_with_their_values(tmp_path: Path) -> None:
    compiled = netdesc.compile(classes(8))
    netdesc.export_net(compiled.model, tmp_path / "a.net")
    np.savez(tmp_path / "in.npz", INPUT_TN)
    target = tmp_path / "out.npy"
    assert exit_code("run", tmp_path / "a.net", tmp_path / "in.npz", "-o", target) == 0
    output_TN = netdesc.run(compiled, INPUT_TN).output_TN
    np.testing.assert_array_equal(read_events(target).payload, output_TN[output_TN != 0])


def test_rows_that_may_be_events_or_steps_are_refused(tmp_path: Path) -> None:
    path, network = tmp_path / "in.npy", classes(3)
    np.save(path, np.ones((20, 3)))
    with pytest.raises(EventFileError, match=r"\.bs1.*\.npz"):
        netdesc.run(network, path)
    np.savez(tmp_path / "in.npz", np.ones((20, 3)))
    assert netdesc.run(network, tmp_path / "in.npz").steps == 20


def test_arrays_in_the_order_of_lava_are_said_to_fit_transposed() -> None:
    model = netdesc.compile(classes(8)).model
    for network, run in ((classes(8), netdesc.run), (model, netdesc.run_integer)):
        with pytest.raises(ValueError, match=r"shape \[8, 20\].*(array\.T|transpose)"):
            run(network, np.ones((8, 20)))


def test_resets_of_any_size_are_computed_or_refused() -> None:
    for number in ("reset_interval", "reset_offset"):
        with pytest.raises(ValueError, match=number.replace("_", " ")):
            netdesc.run(classes(8), INPUT_TN, "integer", **({"reset_interval": 5} | {number: 1e21}))


def test_arrays_are_read_in_chunks_as_a_whole(tmp_path: Path) -> None:
    times = np.random.default_rng(2).uniform(0, 699, 3000)
    events = Event(np.arange(3000) % 8, None, np.zeros(3000), times)
    compiled = netdesc.compile(classes(8) | {"time": {"steps": 700}})
    netdesc.export_net(compiled.model, tmp_path / "a.net")
    for source in (np.tile(INPUT_TN, (18, 1))[:650] / 4096, np.linspace(-1, 1, 8), events):
        whole = netdesc.run(compiled, source)
        pieces = netdesc.run(netdesc.import_net(tmp_path / "a.net", steps=700), source, "integer")
        assert whole.steps == pieces.steps == (650 if np.ndim(source) == 2 else 700)
        np.testing.assert_array_equal(whole.output_TN, pieces.output_TN)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_one_wrong_value_of_many_is_refused(wrong: float) -> None:
    values = np.ones((700, 8))
    values[600, 3] = wrong
    for arithmetic in ("float", "integer"):
        with pytest.raises(EventFileError, match="finite"):
            netdesc.run(classes(8), values, arithmetic)


def test_running_a_network_leaves_its_modes_and_states(tmp_path: Path) -> None:
    path = write_classify_task(tmp_path / "task")
    compiled = netdesc.compile(netdesc.load(path, {"neurons.cuba.persistent_state": True}))
    model, input_TBN = compiled.model.eval(), torch.ones(STEPS, 3, CELLS)
    whole = model(input_TBN)
    model.reset_state()
    began = model(input_TBN[:4])
    inputs = np.ones((STEPS, CELLS), np.float32)
    netdesc.run(compiled, inputs)
    netdesc.verify(compiled, inputs)
    samples = np.ones((2, STEPS, CELLS), np.float32), np.zeros(2, int)
    netdesc.evaluate(compiled, data={"test": samples})
    assert torch.equal(torch.cat([began, model(input_TBN[4:])]), whole)
    for mode in (True, False):
        model.train(mode)
        netdesc.run(compiled, inputs)
        netdesc.evaluate(compiled, data={"test": samples})
        assert model.training is mode


def test_spikes_of_a_layer_are_counted_alike_in_both_arithmetics() -> None:
    layers = [dense("a", 20, weight_scale=4, delay={"steps": 15}), dense("b", 3)]
    compiled = netdesc.compile(document([6], layers, data=None))
    input_TN = np.random.default_rng(0).random((40, 6)) < 0.4
    in_floats, in_integers = (
        netdesc.run(compiled, input_TN, arithmetic) for arithmetic in ("float", "integer")
    )
    assert in_floats.layers == in_integers.layers
    assert in_floats.layers[1].spikes > 20
