"""A run computes what a user's own loop computes, for every kind of data and wiring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.classify_task import write_arrays, write_classify_task
from support.training_task import read_metrics, train, write_task

from netdesc.api.compile import compile
from netdesc.api.load import load
from netdesc.data.randomness import seeded_rng
from netdesc.events import Event, read_events, write_events
from netdesc.runs.errors import RunError
from netdesc.training.evaluate import build_counter
from netdesc.training.metrics import EpochMetricsSum
from netdesc.training.setup import Setup, prepare
from netdesc.training.step import build_step

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


def labels_by_step(folder: Path) -> Path:
    task = write_classify_task(folder, data={"encoding": {"type": "spikes"}})
    rng = np.random.default_rng(3)
    inputs, classes = rng.random((60, 12, 9)) < 0.4, rng.integers(0, 3, (60, 12))
    write_arrays(task.with_name("data.npz"), inputs=inputs, labels=classes)
    return task


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
            for batch in setup.train.shuffled(epoch):
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


def test_a_label_that_is_no_class_is_an_error(tmp_path: Path) -> None:
    setup = setup_of(labels(tmp_path))
    epoch_sum = EpochMetricsSum(setup.network, build_counter(setup.graph, setup.loss, setup.device))
    (batch, *_) = setup.train.in_order()
    batch.target[0] = 3
    with pytest.raises(ValueError, match="a label is 3; with 3 classes, labels are 0 to 2"):
        build_step(setup, epoch_sum, lambda _: None).compute_gradients(batch)


@pytest.mark.parametrize("before", [{}, {"b": (6, "a")}])
def test_an_output_that_depends_on_no_weights(before: Wiring, tmp_path: Path) -> None:
    layers: Wiring = {"a": (6, None), **before, "output": (0, "input")}
    task = wired(trains, layers)(tmp_path)
    compiled = compile(load(task))
    compiled.model(torch.zeros(compiled.graph.steps, 1, *compiled.graph.input_shape))
    with pytest.raises(RunError, match="depends on no weights, so there is nothing to train"):
        setup_of(task)
