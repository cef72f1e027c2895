"""Steps of a chain of layers without torch's autograd: the numbers of those with it, to the bit."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from classify_task import write_arrays, write_classify_task
from safetensors.torch import load_file
from training_task import STEPS, read_metrics, read_record, write_task

from netdesc.compiler import compile, compile_kernels
from netdesc.description import load
from netdesc.events import Event, read_events, write_events
from netdesc.graph.memory import layer_memory
from netdesc.kernels.cpu import windows
from netdesc.kernels.engine import use_engine
from netdesc.training import loop, steps, train
from netdesc.training.direct import DirectStep
from netdesc.training.errors import TrainingError
from netdesc.training.job import prepare
from netdesc.training.measure import by_network
from netdesc.training.metrics import Figures


def run(path: Path, name: str, sets: tuple[str, ...]) -> Path:
    folder = path.parent / name
    train(load(path, list(sets)), run_dir=folder, device="cpu", progress="quiet")
    return folder


def outcome(folder: Path) -> tuple[list[dict[str, Any]], Any, dict[str, torch.Tensor]]:
    """Metrics but for seconds, what each layer reported, and the weights."""
    rows = [
        {name: value for name, value in row.items() if name != "seconds"}
        for row in read_metrics(folder)
    ]
    weights = {
        f"{file}.{name}": tensor
        for file in ("last", "best")
        for name, tensor in load_file(folder / "checkpoints" / f"{file}.safetensors").items()
    }
    return rows, read_record(folder)["layers"], weights


LEARNT = 'neurons.cuba.learn=["current_decay", "voltage_decay"]'
NORMED = ("layers.hidden.weight_norm=true", "layers.output.weight_norm=true")
DROPPED = "neurons.cuba.dropout=0.3"
MEAN = 'neurons.cuba.norm="mean"'
OTHER = """{"type": "cuba", "threshold": 0.5, "norm": "mean", "current_decay": 0.4,
            "voltage_decay": 0.1, "learn": ["voltage_decay"]}"""
OFF_GRID = "layers.hidden.quantization=null", "layers.output.quantization=null"
SOFTLY = '{"type": "spike_max", "mode": "softmax", "window_steps": 5}'
RATES = '{"type": "spike_rate", "true_rate": 0.4, "false_rate": 0.05, "window_steps": 3}'
MOVING = 'classifier={"type": "moving_window", "window_steps": 6}'
OWN = ("neurons.cuba.per_channel=true", "neurons.cuba.voltage_decay=[0.1, 0.3]")


@pytest.mark.parametrize(
    "sets",
    [
        (),
        ('loss.reduction="mean"', "training.gradient_clip=0.5"),
        ("loss.filter_steps=3", "loss.filter_order=1"),
        (LEARNT, "neurons.cuba.current_decay=0.4"),
        (LEARNT, *OWN),
        ('neurons.cuba.tau_grad={"type": "geometric", "start": 0.1, "end": 0.01}',),
        ("training.batch_size=2", "training.validation_split=0.5"),
        (*NORMED, MEAN, OFF_GRID[0], "training.validation_split=0.5"),
        ("layers.hidden.axonal_delay_step=false", "layers.output.axonal_delay_step=false"),
        ("layers.hidden.units=1", "layers.hidden.weight_scale=40"),
        (*NORMED, "training.gradient_clip=0.5"),
        ("layers.output.weight_norm=true", LEARNT, "training.batch_size=2"),
        (DROPPED,),
        (DROPPED, "training.batch_size=2", LEARNT),
        (MEAN,),
        (MEAN, "neurons.cuba.current_decay=0.4", "training.batch_size=2"),
        (MEAN, LEARNT, *OWN, DROPPED, *NORMED),
        (*OFF_GRID, "training.gradient_clip=0.5"),
        (*OFF_GRID, *NORMED, MEAN, DROPPED, "training.batch_size=2"),
        (OFF_GRID[0], f"layers.output.neuron={OTHER}"),
        (OFF_GRID[1], "layers.output.axonal_delay_step=false"),
    ],
    ids=[
        "plain",
        "mean",
        "cut",
        "decays",
        "own",
        "width",
        "batches",
        "validation",
        "no delay",
        "one",
        "norms",
        "norm",
        "dropout",
        "dropout, decays",
        "means",
        "means, leaky",
        "means, all else",
        "off the grid",
        "off the grid, all else",
        "hidden off the grid, output with mean",
        "output off the grid",
    ],
)
def test_a_direct_run_is_the_plain_one_bit_for_bit(
    sets: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(write_task(tmp_path / "task", pairs=5, epochs=5), sets, monkeypatch)


@pytest.mark.parametrize(
    "sets", [(), ('loss.reduction="mean"', "training.gradient_clip=0.001")], ids=str
)
def test_a_run_of_noted_passes_is_the_plain_one_bit_for_bit(
    sets: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = ("time.steps=1500", "layers.hidden.units=300", *sets)
    check(write_task(tmp_path / "task", epochs=5), long, monkeypatch)


def with_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on neither training nor validation is direct."""
    monkeypatch.setattr(loop, "build_step", lambda job, figures, _: steps.PlainStep(job, figures))
    monkeypatch.setattr(loop, "build_judge", lambda job: by_network(job.network, job.loss))


def check(task: Path, sets: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    step = DirectStep.differentiate
    monkeypatch.setattr(
        DirectStep,
        "differentiate",
        lambda self, batch: taken.append("direct") or step(self, batch),
    )
    direct = run(task, "direct", sets)
    assert taken
    taken.clear()
    with_operators(monkeypatch)
    plain = run(task, "plain", sets)
    assert not taken
    (rows, layers, weights), (others, other_layers, other_weights) = outcome(direct), outcome(plain)
    assert rows == others
    assert layers == other_layers
    assert weights.keys() == other_weights.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, other_weights[name]), name
    assert rows[0]["loss"] != rows[-1]["loss"], "nothing was learnt"


@pytest.mark.parametrize(
    "sets",
    [
        (),
        ('loss={"type": "spike_max", "mode": "softmax"}', 'loss.reduction="mean"'),
        ('loss={"type": "spike_rate", "true_rate": 0.3, "false_rate": 0.05}',),
        ('loss={"type": "spike_max", "window_steps": 4}',),
        (f"loss={SOFTLY}", 'loss.reduction="mean"', "training.batch_size=4"),
        (f"loss={RATES}", 'classifier={"type": "rate"}'),
        (f"loss={RATES}", 'loss.reduction="mean"', MOVING),
        (MOVING, "training.batch_size=4"),
        (LEARNT, "neurons.cuba.current_decay=0.4"),
        ("layers.hidden.units=40", "layers.hidden.weight_scale=4"),
        NORMED,
        (DROPPED, MEAN),
        OFF_GRID,
        (DROPPED, 'loss={"type": "spike_max", "window_steps": 4}', "layers.hidden.units=40"),
    ],
    ids=[
        "max",
        "softmax",
        "rate",
        "window",
        "window, softmax, mean",
        "window, rates, classes by samples",
        "window, rates, mean, classes by another window",
        "classes by a window",
        "decays",
        "wide",
        "norms",
        "means",
        "grid",
        "drop",
    ],
)
def test_a_direct_run_by_labels_is_the_plain_one_bit_for_bit(
    sets: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accuracies and confusion matrices, too."""
    check(write_classify_task(tmp_path / "task"), sets, monkeypatch)


@pytest.mark.parametrize(
    "sets",
    [(), (LEARNT,), (DROPPED,), (MEAN, LEARNT), OFF_GRID, ("layers.hidden.weight_scale=40",)],
    ids=["plain", "decays", "dropout", "means", "off the grid", "dense"],
)
def test_the_gradient_of_a_window_is_asked_for_some_samples_at_a_time(
    sets: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they do not divide the batch."""
    sizes: list[int] = []
    as_it_is = windows.gradient_of

    def gradient_of(trains: Any, *others: Any) -> torch.Tensor:
        sizes.append(trains.shape[1])
        return as_it_is(trains, *others)

    monkeypatch.setattr(windows, "gradient_of", gradient_of)
    monkeypatch.setattr("netdesc.kernels.cpu.by_samples._AT_ONCE", 1)
    batches = "training.batch_size=5"
    check(write_classify_task(tmp_path / "task"), (f"loss={RATES}", batches, *sets), monkeypatch)
    assert {1, 2} <= set(sizes)


def test_classes_are_counted_some_samples_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netdesc.training.by_labels._STEPS", 1)
    check(write_classify_task(tmp_path / "task"), (MOVING,), monkeypatch)


def test_a_label_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netdesc.training.by_labels._STEPS", 1)
    task = write_classify_task(tmp_path / "task", data={"encoding": {"type": "spikes"}})
    rng = np.random.default_rng(3)
    steps, classes, cells = 12, 3, 9
    inputs = rng.random((60, steps, cells)) < 0.4
    labels = rng.integers(0, classes, (60, steps))
    write_arrays(task.with_name("data.npz"), inputs=inputs, labels=labels)
    check(task, (f"loss={RATES}",), monkeypatch)


def test_a_label_that_is_no_class_is_told(tmp_path: Path) -> None:
    job = job_of(write_classify_task(tmp_path / "task"))
    figures = Figures(job.network, job.network.blocks(), job.new_tally())
    (batch, *_) = job.train.in_order()
    batch.target[0] = 3
    with pytest.raises(ValueError, match="a label is 3; with 3 classes, labels are 0 to 2"):
        steps.build_step(job, figures, lambda _: None).differentiate(batch)


def test_layers_that_are_flattened_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = write_task(tmp_path / "task", epochs=4)
    document = json.loads(task.read_text())
    document["layers"].insert(0, {"name": "flat", "type": "flatten"})
    task.write_text(json.dumps(document))
    direct = run(task, "direct", ())
    with_operators(monkeypatch)
    rows, _, weights = outcome(direct)
    others, _, other_weights = outcome(run(task, "plain", ()))
    assert rows == others
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


Wired = dict[str, tuple[int, str | list[str] | None]]
"""Layers: their units (0 to flatten), and what they read."""


def wired(task: Path, layers: Wired, **of_dense: Any) -> Path:
    document = json.loads(task.read_text())
    dense = {"type": "dense", "neuron": "cuba", **of_dense}
    document["layers"] = [
        {"name": name, **({**dense, "units": units} if units else {"type": "flatten"})}
        | ({} if read is None else {"from": read})
        for name, (units, read) in layers.items()
    ]
    task.write_text(json.dumps(document))
    return task


WIRED: dict[str, Wired] = {
    "around": {
        "a": (12, None), "b": (12, None), "output": (6, ["a", "b"]),
    },
    "input as well": {
        "a": (12, None), "b": (12, ["input", "a"]), "output": (6, ["b", "input", "a"]),
    },
    "side by side": {
        "a": (16, "input"), "b": (16, "input"), "c": (40, "a"), "d": (6, ["a", "b"]),
        "e": (40, "d"), "f": (6, ["c", "e"]), "output": (6, ["d", "f"]),
    },
    "three readers": {
        "a": (40, None), "b": (40, "a"), "c": (40, "a"), "d": (40, "a"),
        "output": (6, ["b", "c", "d"]),
    },
    "two readers, one by a view": {
        "a": (12, None), "b": (12, None), "view": (0, "a"), "output": (6, ["b", "view"]),
    },
    "a view of a sum": {
        "a": (12, None), "view": (0, ["a", "input"]), "output": (6, None),
    },
    "views of sums": {
        "a": (12, None), "b": (12, None), "sum": (0, ["a", "b"]), "c": (12, "sum"),
        "d": (12, ["c", "sum"]), "all": (0, ["sum", "d", "a"]), "e": (12, "all"),
        "f": (12, ["b", "all", "e"]), "output": (6, ["f", "sum"]),
    },
    "flat": {
        "flat": (0, None), "a": (12, ["flat"]), "b": (12, ["a", "flat"]), "c": (12, ["input", "b"]),
        "view": (0, None), "output": (6, None),
    },
}  # fmt: skip


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("sets", "of_dense"), [((), {}), ((DROPPED,), {"quantization": None}), ((MEAN, LEARNT), {})]
)
@pytest.mark.parametrize("name", WIRED)
def test_layers_that_read_several_others_bit_for_bit(
    name: str,
    sets: tuple[str, ...],
    of_dense: dict[str, Any],
    batch: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = write_task(tmp_path / "task", pairs=4, epochs=4, batch_size=batch)
    check(wired(task, WIRED[name], **of_dense), sets, monkeypatch)


ENDS: dict[str, Wired] = {
    "ends with a sum": {
        "a": (6, None), "b": (6, None), "sum": (0, ["a", "b"]),
    },
    "a later layer takes it, too": {
        "a": (6, "input"), "b": (6, "input"), "c": (6, "b"), "sum": (0, ["a", "b", "c"]),
    },
    "twice by another name": {
        "a": (6, None), "also": (0, "a"), "b": (6, ["a", "also"]), "s": (0, ["a", "also"]),
        "t": (0, "s"), "sum": (0, ["b", "t", "s"]),
    },
    "in two views": {
        "a": (12, None), "v": (0, ["a", "input"]), "w": (0, ["a", "input"]), "d": (12, "w"),
        "sum": (0, ["v", "w", "d"]),
    },
    "a sum of the input": {
        "a": (12, None), "inner": (0, ["input", "a"]), "b": (12, "inner"),
        "sum": (0, ["b", "inner", "a"]), "output": (0, "sum"),
    },
    "in another order": {
        "a": (12, None), "view": (0, ["a", "input"]), "output": (6, ["a", "view"]),
    },
    "unread": {
        "a": (12, None), "spare": (6, None), "output": (6, "a"), "more": (6, "spare"),
        "end": (0, "output"),
    },
    "the output is read on": {
        "a": (6, None), "b": (6, None), "sum": (0, ["a", "b"]), "more": (6, "sum"),
        "most": (6, ["more", "b"]), "end": (0, "sum"),
    },
    "a layer is the output and read on": {
        "a": (6, None), "more": (6, "a"), "both": (0, ["a", "more"]), "most": (6, "both"),
        "end": (0, "a"),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("sets", "of_dense"), [((), {}), ((DROPPED,), {"quantization": None}), ((MEAN, LEARNT), {})]
)
@pytest.mark.parametrize("name", ENDS)
def test_outputs_that_are_sums_and_layers_that_nobody_reads_bit_for_bit(
    name: str,
    sets: tuple[str, ...],
    of_dense: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last batch is smaller."""
    task = write_task(tmp_path / "task", pairs=5, epochs=4, batch_size=3)
    check(wired(task, ENDS[name], **of_dense), sets, monkeypatch)


BY_LABELS: dict[str, Wired] = {
    "ends with a sum": {
        "a": (3, None), "b": (3, None), "c": (3, "input"), "sum": (0, ["a", "c", "b"]),
    },
    "a sum of the input": {"a": (9, None), "sum": (0, ["input", "a"])},
    "in another order": {
        "a": (9, None), "view": (0, ["a", "input"]), "b": (9, ["a", "view"]),
        "c": (9, ["b", "view"]), "sum": (0, ["c", "view", "a"]),
    },
    "of nine spikes": {
        **{f"a{n}": (9, "input") for n in range(9)}, "sum": (0, [f"a{n}" for n in range(9)]),
    },
    "unread": {
        "a": (9, None), "output": (3, None), "spare": (9, ["a", "input"]), "end": (0, "output"),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("sets", "encoding"),
    [
        ((), "rate"),
        ((f"loss={RATES}", 'loss.reduction="mean"', MOVING), "latency"),
        ((f"loss={SOFTLY}", MEAN, LEARNT, DROPPED), "rate"),
    ],
    ids=["max", "window", "softmax, means"],
)
@pytest.mark.parametrize("name", BY_LABELS)
def test_sums_and_unread_layers_by_labels_bit_for_bit(
    name: str,
    sets: tuple[str, ...],
    encoding: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = write_classify_task(tmp_path / "task", data={"encoding": {"type": encoding}})
    check(wired(task, BY_LABELS[name], weight_scale=2), sets, monkeypatch)


@pytest.mark.parametrize("most", [3, 70])
@pytest.mark.parametrize("labelled", [False, True])
def test_a_sum_of_an_input_that_is_counts(
    labelled: bool, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they are too many to be spikes that add up."""
    wiring: Wired = {"a": (12, None), "sum": (0, ["input", "a"])}
    task = wired(write_task(tmp_path / "task", pairs=3), wiring)
    count_spikes(task, "input", lambda rng, events: rng.integers(1, most, events))
    if labelled:
        document = json.loads(task.read_text())
        for label, pair in enumerate(document["data"]["train"]):
            pair["label"] = label
            del pair["target"]
        task.write_text(json.dumps(document))
    by_labels = (f"loss={RATES}", MOVING) if labelled else ()
    check(task, (*by_labels, "training.validation_split=0.34"), monkeypatch)


@pytest.mark.parametrize("doublings", [1, 6])
@pytest.mark.parametrize("sets", [(f"loss={RATES}", MOVING), (f"loss={RATES}",), (MOVING,), ()])
def test_rates_of_more_spikes_than_floats_add_up_exactly(
    sets: tuple[str, ...], doublings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window looks at the same cells as ever."""
    monkeypatch.setattr("netdesc.training.by_labels.EXACT", 3)
    wiring: Wired = {"a": (3, None), **doubled("a", doublings, "x")}
    task = wired(write_classify_task(tmp_path / "task"), wiring)
    check(task, sets, monkeypatch)


def few(rng: np.random.Generator, events: int) -> np.ndarray:
    return rng.integers(1, 5, events)


def many(_: np.random.Generator, events: int) -> np.ndarray:
    """In one cell more than bits are made of."""
    return np.where(np.arange(events) == 7, 70_000, 1)


@pytest.mark.parametrize(
    ("roles", "times", "sets"),
    [
        (["input"], few, OFF_GRID),
        (["target"], few, ()),
        (["input", "target"], few, ("training.batch_size=2", "training.validation_split=0.4")),
        (["input", "target"], few, (DROPPED, MEAN, LEARNT, 'loss.reduction="mean"')),
        (["input"], many, ()),
        (["target"], many, ('loss.reduction="mean"',)),
    ],
    ids=["input", "target", "both", "both, all else", "a large input", "a large target"],
)
def test_spikes_may_be_counted(
    roles: list[str],
    times: Callable[[np.random.Generator, int], np.ndarray],
    sets: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = write_task(tmp_path / "task", pairs=5, epochs=4)
    for role in roles:
        count_spikes(task, role, times)
    check(task, sets, monkeypatch)


def count_spikes(
    task: Path, role: str, times: Callable[[np.random.Generator, int], np.ndarray]
) -> None:
    document, rng = json.loads(task.read_text()), np.random.default_rng(2)
    for pair in document["data"]["train"]:
        path = task.parent / pair[role]["path"]
        given = read_events(path)
        at = np.repeat(np.arange(len(given)), times(rng, len(given)))
        write_events(path, Event(given.x[at], None, given.p[at], given.t[at]))
        pair[role]["duplicates"] = "sum"
    task.write_text(json.dumps(document))


def doubled(layer: str, times: int, to: str) -> Wired:
    """A layer that is added to itself, and so on."""
    layers: Wired = {}
    for n in range(times):
        before, after = layer if n == 0 else f"{to}{n}", f"{to}{n + 1}"
        layers[f"{after}_too"], layers[after] = (0, before), (0, [before, f"{after}_too"])
    return layers


@pytest.mark.parametrize("times", [1, 2, 5, 7, 22])
@pytest.mark.parametrize("sets", [(), (DROPPED, MEAN, LEARNT)], ids=["plain", "all else"])
def test_a_layer_may_be_added_up_again_and_again(
    times: int, sets: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the output, and for a layer in between; numbers are large then."""
    wiring: Wired = {"a": (12, None), **doubled("a", times, "x"), "b": (6, f"x{times}")}
    wiring |= doubled("b", times, "y")
    task = wired(write_task(tmp_path / "task", pairs=3), wiring)
    check(task, ("training.validation_split=0.34", *sets), monkeypatch)


def test_all_that_is_added_up_again_and_again_may_be_parts_of_one_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiring: Wired = {
        "a": (6, None),
        "b": (6, "a"),
        "ab": (0, ["a", "b"]),
        "a_too": (0, "a"),
        **doubled("ab", 3, "x"),
        "sum": (0, ["a", "x3", "b", "a_too", "ab"]),
    }
    check(wired(write_task(tmp_path / "task", pairs=3), wiring), (), monkeypatch)


@pytest.mark.parametrize("doublings", [22, 23, 40])
def test_sums_that_are_too_large_for_floats(doublings: int, tmp_path: Path) -> None:
    """Torch adds up and differentiates sums of sums as they are."""
    layers: Wired = {"s0": (6, None), **doubled("s0", doublings, "s")}
    task = wired(write_task(tmp_path / "task", epochs=1), layers)
    job = job_of(task)
    words = 2 if doublings == 22 else 4
    assert layer_memory(job.graph, job.graph.layers[-1], 1, 2).activity == words * STEPS * 6
    step = steps.build_step(job, Figures(job.network, job.network.blocks()), lambda _: None)
    assert isinstance(step, DirectStep) == (doublings == 22)
    if doublings == 40:
        run(task, "run", ())


@pytest.mark.parametrize(
    "layers",
    [
        {"a": (6, None), "output": (0, "input")},
        {"a": (6, None), "b": (6, "a"), "output": (0, "input")},
    ],
)
def test_an_output_that_depends_on_no_weights(layers: Wired, tmp_path: Path) -> None:
    task = wired(write_task(tmp_path / "task"), layers)
    compile_kernels(compile(load(task)))
    with pytest.raises(TrainingError, match="depends on no weights, so there is nothing to train"):
        job_of(task)


def job_of(task: Path, *sets: str) -> Any:
    return prepare(load(task, list(sets)), torch.device("cpu"), {}, lambda _: None)


@pytest.mark.parametrize(
    "sets",
    [(), (LEARNT,), (DROPPED,), (MEAN, LEARNT, *OWN), OFF_GRID],
    ids=["plain", "decays", "dropout", "means", "off the grid"],
)
def test_a_step_takes_one_tensor_for_the_last_layer(sets: tuple[str, ...], tmp_path: Path) -> None:
    """That is the gradient of its current, whatever was there before."""
    from netdesc.kernels.cpu import buffers

    job = job_of(write_task(tmp_path / "task"), *sets)
    step = steps.build_step(job, Figures(job.network, job.network.blocks()), lambda _: None)
    assert isinstance(step, DirectStep)
    (batch,) = job.train.in_order()
    pool = buffers.BufferPool()
    patch = pytest.MonkeyPatch()
    for name, module in list(sys.modules.items()):
        if name.startswith("netdesc.kernels.cpu.") and hasattr(module, "take"):
            patch.setattr(module, "take", pool.take)
    patch.setattr("netdesc.kernels.cpu.adjoints._RUN", 10)
    patch.setattr("netdesc.kernels.cpu.leaky._MOST", 1e9)  # a vector has more than 6 neurons
    step.differentiate(batch)
    patch.undo()
    assert len(pool._buffers[4 * STEPS * 6]) == 1


def test_weights_that_moved_are_found(tmp_path: Path) -> None:
    """What is known of a layer is kept from step to step."""
    job = job_of(write_task(tmp_path / "task"))
    step = steps.build_step(job, Figures(job.network, job.network.blocks()), lambda _: None)
    assert isinstance(step, DirectStep)
    (batch,) = job.train.in_order()
    found = []
    for moves in False, True, False:
        for parameter in job.network.parameters() if moves else ():
            parameter.data = 2 * parameter.data
        step.differentiate(batch)
        found.append([parameter.grad.clone() for parameter in job.network.parameters()])
    first, moved, again = found
    assert all(map(torch.equal, moved, again))
    assert not any(map(torch.equal, first, moved))
    assert {block.engine for _, block in job.network.blocks()} == {"cpu"}


def test_on_another_engine_no_step_is_direct(tmp_path: Path) -> None:
    job = job_of(write_task(tmp_path / "task"))
    figures = Figures(job.network, job.network.blocks())
    with use_engine("reference"):
        assert isinstance(steps.build_step(job, figures, lambda _: None), steps.PlainStep)
    assert isinstance(steps.build_step(job, figures, lambda _: None), DirectStep)
