"""Networks whose output has longer steps than their input: all times are those of the output."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from support.cli_process import exit_code
from support.training_task import STEPS, write_task

import netdesc
from netdesc.description import Document
from netdesc.events import read_events
from netdesc.graph import build_graph
from netdesc.report.neuron_section import neuron_views
from netdesc.report.run import RunData
from netdesc.report.tables import network_table
from netdesc.report.traces import traces
from netdesc.report.viewer import value_curves
from netdesc.runs.activity_file import Sample

pytestmark = pytest.mark.usefixtures("reference_engine")

FACTOR = 8


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A task whose last layer runs in steps of 8 ms."""
    path = write_task(tmp_path, epochs=2)
    content = json.loads(path.read_text())
    hidden, output = content["layers"]
    slow = {"name": "slow", "type": "time_decimation", "factor": FACTOR}
    content["layers"] = [hidden, slow, output | {"weight_scale": 20}]
    path.write_text(json.dumps(content))
    return path


def test_a_network_of_slower_output_is_trained_measured_run_and_reported(document: Path) -> None:
    folder = document.parent
    run = netdesc.train(document, run_dir=folder / "run", progress="quiet")
    evaluation = netdesc.evaluate(run)
    result = netdesc.run(run, folder / "input0.bs1")
    assert result.comparison.loss == pytest.approx(evaluation.loss)
    assert result.comparison.target_spikes == evaluation.matched.target_spikes
    assert result.output_TN.shape[0] == STEPS // FACTOR
    assert exit_code("run", run.path, folder / "input0.bs1", "-o", folder / "out.bs1") == 0
    found = read_events(folder / "out.bs1")
    steps, neurons = np.nonzero(result.spikes_TN)
    assert len(steps)
    assert found.t.tolist() == (steps * FACTOR).tolist()
    assert found.x.tolist() == neurons.tolist()
    report_has_the_times_of_each_layer(run.path)


def test_at_the_end_of_training_slower_layers_are_verified_in_many_steps(document: Path) -> None:
    changes = {"training.epochs": 1, "time.steps": 600, "layers.slow.factor": 40}
    network = netdesc.load(document, changes)
    run = netdesc.train(network, run_dir=document.parent / "run", progress="quiet")
    verified = json.loads((run.path / "run.json").read_text())["verification"]
    assert verified["steps"] >= 10 * 40


def report_has_the_times_of_each_layer(folder: Path) -> None:
    run = RunData(folder)
    shown = traces(run)
    assert (shown.data["steps"], shown.data["stepMs"]) == (STEPS // FACTOR, FACTOR)
    assert shown.data["decay"] == pytest.approx(math.exp(-FACTOR / 2.0))
    for sample in run.activity.samples:
        assert (sample.input.steps, sample.output.steps) == (STEPS, STEPS // FACTOR)
    (view,) = neuron_views(run)
    for layer, step in (("hidden", 1), ("output", FACTOR)):
        plot = view.plots[layer][0]
        assert (plot.layout["xaxis"]["range"], plot.data[0]["x"][1]) == ([0, STEPS], step)
    rows = {row[0]: " ".join(row) for row in network_table(run).rows}
    assert "(9.491 ms)" in rows["hidden"]
    assert "(75.93 ms)" in rows["output"]


def test_curves_of_values_have_the_times_of_the_output(document: Path) -> None:
    content = json.loads(document.read_text())
    content["loss"] = {"type": "mean_squared_error", "over": "each_step", "skip_steps": 2}
    graph = build_graph(Document.model_validate_json(json.dumps(content)))
    values = np.ones((STEPS // FACTOR, 1))
    plot = value_curves(graph, Sample(None, None, None, None, None, None, values, values), "")
    assert plot.data[0]["x"] == [0, 8, 16, 24, 32]
    assert "16 ms" in plot.caption


def test_shown_time_constants_are_those_of_the_layer(
    document: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("show", document, "--json") == 0
    _, hidden, _, output = json.loads(capsys.readouterr().out)["layers"]
    first, last = (each["neuron"]["values"]["voltage_decay"] for each in (hidden, output))
    expected = [FACTOR * each for each in first["time_constant_ms"]]
    assert last["time_constant_ms"] == pytest.approx(expected)
