"""Metrics of NeuroBench equal those that are counted by hand, and connections those of torch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.classify_task import write_classify_task
from support.exchange_samples import document
from support.kernel_layers import TRANSPOSED, Case, geometry, kernel_layers
from support.report_samples import page_of

import netdesc
from netdesc.description import Document
from netdesc.graph import build_graph
from netdesc.graph.device_report import fan_in
from netdesc.modules import build
from netdesc.runs.activity_file import read_activity

pytestmark = pytest.mark.usefixtures("reference_engine")


@given(kernel_layers(), st.integers(0, 99))
def test_connections_of_kernels_are_those_of_torch(case: Case, seed: int) -> None:
    section, shape = case
    content = document(list(shape), [{"name": "a", "neuron": None, **section}])
    graph = build_graph(Document.model_validate_json(json.dumps(content)))
    ((_, block),), sizes = build(graph).blocks(), geometry(section)
    weight = block.synapse.weight
    weight.data = torch.tensor(np.random.default_rng(seed).integers(0, 2, weight.shape)).float()
    groups = section.get("groups", 1) if "channels" in section else shape[0]
    kernel = weight.data if weight.dim() > 1 else weight.data.expand(groups, 1, *sizes["kernel"])
    more: dict[str, Any] = {name: sizes[name] for name in ("stride", "padding", "dilation")}
    convolve = torch.nn.functional.conv2d
    if TRANSPOSED[section["type"]]:
        convolve, more["output_padding"] = torch.conv_transpose2d, sizes["output_padding"]
        kernel = kernel.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    image = torch.ones(1, *shape, requires_grad=True)
    (counts,) = torch.autograd.grad(convolve(image, kernel, groups=groups, **more).sum(), image)
    assert torch.equal(block.connections()[0], counts[0])
    whole = convolve(image, torch.ones_like(kernel), groups=groups, **more)
    assert fan_in(graph.neuron_layers[0]) >= int(whole.max())
    size = 40, 40  # where edges do not cut
    large = convolve(torch.ones(1, shape[0], *size), torch.ones_like(kernel), groups=groups, **more)
    assert fan_in(graph.neuron_layers[0]) == int(large.max())


def recurrent_task(folder: Path) -> Path:
    """A task whose last layer reads a recurrent one, and the input's values are not all 0 and 1."""
    path = write_classify_task(folder, data={"encoding": {"type": "constant"}})
    content = json.loads(path.read_text())
    content["layers"][0] |= {"type": "recurrent", "recurrent_weight_scale": 2}
    path.write_text(json.dumps(content))
    return path


def test_metrics_are_those_that_are_counted_by_hand(tmp_path: Path) -> None:
    path = recurrent_task(tmp_path / "task")
    result = netdesc.evaluate(path, "test", neurobench=True)
    metrics = result.neurobench
    assert metrics is not None
    model = netdesc.compile(path).model.eval()
    with np.load(tmp_path / "task/data.npz") as file:
        values = np.float32(file["inputs"][file["split"] == 2] / 4)
    input_TBN = torch.tensor(values).expand(12, *values.shape)
    with torch.no_grad(), model.record() as recording:
        model(input_TBN)
    spikes = {name: each.spikes.numpy() for name, each in recording.items()}
    blocks = dict(model.blocks())
    first, own, last = (
        part.weights()[0].detach().numpy() != 0
        for part in (blocks["hidden"].synapse, blocks["hidden"].recurrent, blocks["output"].synapse)
    )
    count, (steps, samples) = len(values), spikes["hidden"].shape[:2]
    assert count == samples == result.samples
    multiplies = (input_TBN.numpy() != 0).sum((0, 1)) @ first.sum(0)
    adds = spikes["hidden"].sum((0, 1)) @ (own.sum(0) + last.sum(0))
    assert metrics["SynapticOperations"] == {
        "Effective_MACs": pytest.approx(multiplies / samples),
        "Effective_ACs": pytest.approx(adds / samples),
        "Dense": steps * (9 * 12 + 12 * 12 + 12 * 3),
    }
    active = {name: each.mean() for name, each in spikes.items()}
    by_layer = {name: pytest.approx(1 - share) for name, share in active.items()}
    assert metrics["ActivationSparsityByLayer"] == by_layer
    everything = np.concatenate([each.ravel() for each in spikes.values()])
    assert metrics["ActivationSparsity"] == pytest.approx(1 - everything.mean())
    zeros = 1 - np.concatenate([first.ravel(), own.ravel(), last.ravel()]).mean()
    assert metrics["ConnectionSparsity"] == pytest.approx(zeros, abs=1e-4)
    voltages = [each.voltages for each in recording.values()]
    updates = sum(int((v[1:] != v[:-1]).sum()) + v[0].numel() for v in voltages) / samples
    assert metrics["MembraneUpdates"] == updates < steps * (12 + 3)
    assert metrics["NeuronOperations"] == {  # two decays, two sums and a reset
        "Effective Neuron Ops": pytest.approx(5 * updates),
        "Neuron Dense Ops": 5 * steps * (12 + 3),
    }
    assert metrics["ParameterCount"] == 9 * 12 + 12 * 12 + 12 * 3
    assert metrics["ClassificationAccuracy"] == result.score.accuracy  # type: ignore[union-attr]
    assert netdesc.evaluate(path, "test").neurobench is None


def test_losses_that_read_states_change_no_counts(tmp_path: Path) -> None:
    results = []
    for signal in ("output", "v"):
        loss = {"type": "cross_entropy", "over": "max", "signal": signal}
        path = write_classify_task(tmp_path / signal, loss=loss)
        metrics = netdesc.evaluate(path, "test", neurobench=True).neurobench
        results.append(metrics | {"ClassificationAccuracy": None})
    assert results[0] == results[1]


def test_a_run_has_the_metrics_of_its_samples(tmp_path: Path) -> None:
    path = recurrent_task(tmp_path / "task")
    run = netdesc.train(path, run_dir=tmp_path / "run", progress="quiet")
    graph = build_graph(netdesc.load(path).document)
    activity = read_activity(run.path, graph)
    assert activity is not None
    result = netdesc.evaluate(run, "validation", neurobench=True)
    assert (activity.part, activity.sample_count) == ("validation", result.samples)
    assert result.neurobench is not None
    assert result.neurobench.pop("ClassificationAccuracy") == result.score.accuracy
    assert activity.neurobench == result.neurobench
    operations = result.neurobench["SynapticOperations"]
    _, adds, multiplies = sum(activity.operations.values()) * graph.steps
    assert adds == pytest.approx(operations["Effective_ACs"])
    assert multiplies == pytest.approx(operations["Effective_MACs"])
    assert "NeuroBench" in (run.path / "report.html").read_text("utf-8")


WRONG = ("{", "[]", "1", "null", '{"a": "b"}', '{"a": {"b": []}}', '{"a": NaN}', "[" * 99999)


@pytest.mark.parametrize("text", [*WRONG, json.dumps({"a": 10**400})])
def test_damaged_metrics_are_refused(tmp_path: Path, text: str) -> None:
    page = page_of(tmp_path, arrays={"neurobench": np.array(text)})
    assert page.neurobench is None
    assert page.damage
