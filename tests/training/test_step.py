"""A run computes what a user's own loop computes, for every kind of data, wiring and mask."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.classify_task import labels_by_step, write_classify_task
from support.cli_process import run_python
from support.exchange_samples import dense, document
from support.kernel_compiler import EXAMPLES
from support.training_task import read_metrics, train, write_task

import netdesc
from netdesc.api.compile import compile
from netdesc.api.load import load
from netdesc.data.randomness import seeded_rng
from netdesc.events import Event, read_events, write_events
from netdesc.graph import build_graph
from netdesc.runs.errors import RunError
from netdesc.training.setup import Setup, prepare
from netdesc.training.step import kernel_limit

CPU = torch.device("cpu")
EPOCHS = 3

Task = Callable[[Path], Path]
Wiring = dict[str, tuple[int, str | list[str] | None]]
"""Layers: their units (0 to flatten), and what they read."""

LEARNT = 'neurons.cuba.learn=["current_decay", "voltage_decay"]'
WINDOW = 'loss={"type": "spike_rate", "window_steps": 3, "reduction": "mean"}'
MOVING = 'classifier={"type": "moving_window", "window_steps": 6}'


def trains(folder: Path) -> Path:
    """A task that matches spike trains."""
    return write_task(folder, pairs=5)


def labels(folder: Path) -> Path:
    """A task with a label a sample, and inputs that are drawn again in every epoch."""
    return write_classify_task(folder)


def counts(folder: Path) -> Path:
    """Cells of inputs and targets have several spikes, one of them very many."""
    task, rng = trains(folder), np.random.default_rng(2)
    document = json.loads(task.read_text())
    for pair in document["data"]["train"]:
        for file in pair.values():
            path = task.parent / file["path"]
            given = read_events(path)
            times = rng.integers(1, 5, len(given))
            times[7] = 70_000
            at = np.repeat(np.arange(len(given)), times)
            write_events(path, Event(given.x[at], None, given.p[at], given.t[at]))
            file["duplicates"] = "sum"
    task.write_text(json.dumps(document))
    return task


def wired(task: Task, layers: Wiring) -> Task:
    def write(folder: Path) -> Path:
        path = task(folder)
        document = json.loads(path.read_text())
        document["layers"] = [
            {"name": name, **({"type": "dense", "neuron": "cuba", "units": units} if units
                              else {"type": "flatten"})}
            | ({} if read is None else {"from": read})
            for name, (units, read) in layers.items()
        ]  # fmt: skip
        path.write_text(json.dumps(document))
        return path

    return write


AROUND: Wiring = {
    "flat": (0, None), "a": (12, None), "b": (12, ["input", "a"]), "sum": (0, ["a", "b"]),
    "spare": (6, "a"), "output": (6, ["sum", "input", "b"]),
}  # fmt: skip
ENDS_WITH_SUM: Wiring = {
    "a": (3, None), "b": (3, "a"), "more": (9, "b"), "sum": (0, ["a", "b"]), "end": (0, "sum"),
}  # fmt: skip


CASES: dict[str, tuple[Task, tuple[str, ...]]] = {
    "trains": (trains, ()),
    "mean, clipped": (trains, ('loss.reduction="mean"', "training.gradient_clip=0.001")),
    "batches": (trains, ("training.batch_size=2", "training.validation_split=0.4", LEARNT)),
    "norms": (trains, ("layers.hidden.weight_norm=true", 'neurons.cuba.norm="mean"')),
    "counts": (counts, ()),
    "labels": (labels, ()),
    "window": (labels, (WINDOW, MOVING)),
    "labels by step": (labels_by_step, (WINDOW,)),
    "around": (wired(trains, AROUND), ()),
    "ends with a sum": (wired(labels, ENDS_WITH_SUM), ()),
}


def setup_of(task: Path, *sets: str) -> Setup:
    return prepare(load(task, list(sets)), CPU)


def own_loop(task: Path, sets: tuple[str, ...]) -> tuple[list[float], dict[str, torch.Tensor]]:
    """The losses of the epochs, and the weights at the end."""
    with seeded_rng(0, CPU):
        setup = setup_of(task, *sets)
        network, clip, losses = setup.network.train(), setup.training.gradient_clip, []
        for epoch in range(EPOCHS):
            total = 0.0
            for (batch,) in setup.train.shuffled(epoch):
                setup.optimizer.zero_grad()
                loss = setup.loss(network(batch.input_TBN), batch.target)
                loss.backward()
                if clip is not None:
                    torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
                setup.optimizer.step()
                network.project()
                weight = batch.loss_weight(setup.graph.loss.reduction, len(setup.train.samples))
                total += loss.item() * weight
            losses.append(total)
    return losses, network.state_dict()


@pytest.mark.parametrize("name", CASES)
def test_a_run_equals_a_loop_written_by_a_user(name: str, tmp_path: Path) -> None:
    write, sets = CASES[name]
    task, sets = write(tmp_path / "task"), (*sets, f"training.epochs={EPOCHS}")
    train(load(task, list(sets)), run_dir=tmp_path / "run", device="cpu", progress="quiet")
    losses, weights = own_loop(task, sets)
    rows = read_metrics(tmp_path / "run")
    assert [row["loss"] for row in rows] == pytest.approx(losses, rel=1e-6)
    assert losses[0] != losses[-1], "nothing was learnt"
    found = load_file(tmp_path / "run/checkpoints/last.safetensors")
    assert found.keys() == weights.keys()
    for key, tensor in found.items():
        torch.testing.assert_close(tensor, weights[key], rtol=1e-5, atol=1e-6, msg=key)


@pytest.mark.parametrize("before", [{}, {"b": (6, "a")}])
def test_an_output_that_depends_on_no_weights(before: Wiring, tmp_path: Path) -> None:
    layers: Wiring = {"a": (6, None), **before, "output": (0, "input")}
    task = wired(trains, layers)(tmp_path)
    compiled = compile(load(task))
    compiled.model(torch.zeros(compiled.graph.steps, 1, *compiled.graph.input_shape))
    with pytest.raises(RunError, match="depends on no weights, so there is nothing to train"):
        setup_of(task)


MASK = np.random.default_rng(0).random((8, 10)) < 0.4


def write(folder: Path, mask: dict[str, Any], **more: Any) -> Path:
    np.save(folder / "a.npy", MASK)
    arrays = {"other": MASK[:, :5], "text": np.array("x"), "wide": MASK.astype(np.longdouble)}
    np.savez(folder / "a.npz", mask=np.float32(MASK), **arrays)
    content = document([10], [dense("a", 8, mask=mask, **more), dense("b", 3)])
    del content["data"]
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("weight_norm", [True, False])
def test_a_file_says_which_weights_exist(tmp_path: Path, name: str, weight_norm: bool) -> None:
    model = netdesc.compile(write(tmp_path, {"path": name}, weight_norm=weight_norm)).model
    synapse = model.layers["a"].synapse
    assert np.array_equal(synapse.weight.detach() != 0, MASK)
    if weight_norm:
        torch.testing.assert_close(synapse.folded(), synapse.weight)
    (synapse.folded() + 1).square().sum().backward()
    assert np.array_equal(synapse.weight.grad != 0, MASK)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ({"path": "a.npz", "array": "other"}, r"has shape \[8, 5\]; the weights have \[8, 10\]"),
        ({"path": "a.npz", "array": "text"}, "holds no numbers"),
        ({"path": "a.npz", "array": "wide"}, "holds no numbers"),
        ({"path": "a.npz", "array": "none"}, "none"),
        ({"path": "a.json"}, "not a file of a mask"),
        ({"path": "missing.npy"}, "there is no file"),
        ({"path": "a.npy", "sha256": "0" * 64}, "SHA-256"),
        ({"path": "a.npy", "density": 0.5}, "density has no effect"),
    ],
)
def test_a_file_that_does_not_fit_is_one_diagnostic(tmp_path: Path, mask, words) -> None:
    with pytest.raises(netdesc.DescriptionError, match=words) as raised:
        netdesc.load(write(tmp_path, mask))
    assert len(raised.value.diagnostics) == 1


def test_a_run_keeps_its_mask_without_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, {"path": "a.npy"}, weight_norm=True)
    np.savez(tmp_path / "d.npz", inputs=np.ones((4, 6, 10)), targets=np.ones((4, 40, 3)))
    data = {"type": "arrays", "path": "d.npz", "targets": "targets", "split": None}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data": data}))
    run = netdesc.train(path, run_dir=tmp_path / "run", progress="quiet")
    (tmp_path / "a.npy").unlink()
    assert netdesc.evaluate(run).samples == 4
    synapse = netdesc.compile(run).model.layers["a"].synapse
    assert np.array_equal(synapse.mask != 0, MASK)
    synapse.folded().sum().backward()
    assert np.array_equal(synapse.weight.grad != 0, MASK)


def test_console_counts_kernels_up_to_a_limit_that_holds() -> None:
    network = netdesc.load(EXAMPLES / "digits_conv.json")
    text = (
        "import sys, netdesc\n"
        "from netdesc.api.compile import layer_reports\n"
        "from netdesc.kernels.cpu.runtime.numba_internals import KernelCache\n"
        "network = netdesc.load(sys.argv[1])\n"
        "layer_reports(network, netdesc.compile(network))\n"
        "print(KernelCache.begun)\n"
    )
    compiled = int(run_python(text, network.path).stdout)
    limit = kernel_limit(build_graph(network.document))
    assert 10 < compiled <= limit <= 16
