"""Batches that are computed in shards: the same bits by any number of processes."""

import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.classify_task import (
    CLASSES,
    labels_by_step,
    samples,
    write_arrays,
    write_classify_task,
)
from support.simulated_ranks import run_ranks
from support.training_task import train, train_task, untimed_metrics, weights_of, write_task
from torch import Tensor

from netdesc.api.load import load
from netdesc.kernels.engines import torch_on_one_thread
from netdesc.losses.total import event_rate_penalty
from netdesc.training.evaluate import build_counter, measure, silent_loss
from netdesc.training.metrics import EpochMetricsSum
from netdesc.training.optimizer import set_learning_rate
from netdesc.training.ranks import Ranks
from netdesc.training.schedule import Plateaus
from netdesc.training.setup import Setup, TrainingOptions, prepare
from netdesc.training.step import ShardedStep, build_step

CPU = torch.device("cpu")
EPOCHS, SHARDS, COUNT = 2, 4, 32

Task = Callable[[Path], Path]
Signals = Mapping[str, Tensor]


def trains(folder: Path) -> Path:
    """A task that matches spike trains; the last of its batches has no samples for some shards."""
    return write_task(folder, pairs=9, batch_size=5)


def labels(folder: Path) -> Path:
    """Rate codes. The last of three batches has 2 samples, so that two of four shards have none."""
    path = write_classify_task(folder, training={"batch_size": 7})
    write_arrays(folder / "data.npz", COUNT)
    return path


def pictures(folder: Path) -> Path:
    """A convolution, a pool and a dense layer, with random changes of the pictures."""
    path = labels(folder)
    write_arrays(folder / "data.npz", COUNT, inputs=samples(COUNT)[0].reshape(COUNT, 1, 3, 3))
    document = json.loads(path.read_text())
    document["data"]["augmentation"] = [
        {"type": "spatial_shift", "max_pixels": 1},
        {"type": "drop_events", "probability": 0.2},
    ]
    document["input"]["shape"] = [1, 3, 3]
    layer = {"neuron": "cuba", "weight_scale": 1}
    document["layers"] = [
        {"name": "conv", "type": "conv", "channels": 4, "kernel": 2, **layer},
        {"name": "flat", "type": "flatten"},
        {"name": "output", "type": "dense", "units": CLASSES, **layer},
    ]
    path.write_text(json.dumps(document))
    return path


def recurrent(folder: Path) -> Path:
    path = labels(folder)
    document = json.loads(path.read_text())
    document["layers"][0] |= {"type": "recurrent", "recurrent_weight_scale": 0.5}
    path.write_text(json.dumps(document))
    return path


def squared_spikes(signals: Signals, target: Tensor) -> Tensor:
    return (signals["output"] - 0.5 * target).square().sum()


MEAN = 'loss={"type": "spike_rate", "window_steps": 3, "reduction": "mean"}'
EVENT_RATE = 'regularizers=[{"type": "event_rate", "max_rate": 0.01, "weight": 30}]'
CLIP = "training.gradient_clip=0.01"
SPLIT = "training.validation_split=0.3"
PLATEAU = 'training.schedule={"type": "plateau", "factor": 0.5, "patience_epochs": 1}'
FAST: dict[str, tuple[Task, tuple[str, ...]]] = {
    "convolution, augmentation, mean_variance, event rate": (
        pictures, ('neurons.cuba.norm="mean_variance"', EVENT_RATE),
    ),
    "recurrent, dropout, mean, clipped": (recurrent, ("neurons.cuba.dropout=0.3", MEAN, CLIP)),
    "trains, own loss, validation, plateau": (trains, (SPLIT, PLATEAU)),
}  # fmt: skip
SLOW: dict[str, tuple[Task, tuple[str, ...]]] = {
    "trains": (trains, (SPLIT,)),
    "trains, mean": (trains, ('loss.reduction="mean"',)),
    "rate codes": (labels, ()),
    "one batch": (labels, ("training.batch_size=null", "neurons.cuba.dropout=0.3")),
    "dropout": (labels, ("neurons.cuba.dropout=0.3",)),
    "mean": (labels, (MEAN, EVENT_RATE)),
    "clipped": (labels, (CLIP,)),
    "norm": (labels, ('neurons.cuba.norm="mean"', "layers.hidden.weight_norm=true")),
    "labels by step": (labels_by_step, (MEAN, PLATEAU)),
    "convolution": (pictures, ('neurons.cuba.norm="mean"', EVENT_RATE)),
    "recurrent": (recurrent, ('neurons.cuba.learn=["current_decay", "threshold"]', PLATEAU)),
    "own scales": (labels, ('layers.hidden.weight_scale="auto"',)),
}


def setup_of(task: Path, *sets: str, shards: int = SHARDS, **options: Any) -> Setup:
    chosen = TrainingOptions(ignore_memory=True, **options)
    return prepare(load(task, [f"training.shards={shards}", *sets]), CPU, options=chosen)


def train_together(setup: Setup) -> tuple[list[Any], dict[str, bytes]]:
    """Trains as a run does. Returns all that it measures, and its weights and buffers."""
    plateaus, measured = Plateaus(), list[Any]()
    epoch_sum = EpochMetricsSum(setup.network, build_counter(setup.graph, setup.loss, CPU))
    step = build_step(setup, epoch_sum, print)
    if setup.graph.loss.learns_from == "target spikes" and setup.loss.replacement is None:
        losses = silent_loss(setup.graph, setup.loss, setup.train, lambda: None, setup.ranks)
        measured.append(losses)
    setup.network.train()
    for epoch in range(EPOCHS):
        set_learning_rate(setup.optimizer, setup.schedule(epoch, plateaus.count))
        for shards in setup.train.shuffled(epoch):
            step.compute_gradients(shards)
            measured.append(setup.layer_records())
            step.update()
        metrics = epoch_sum.read_and_reset()
        measured += [metrics, setup.optimizer.param_groups[0]["lr"]]
        loss = metrics.loss
        for part in filter(None, (setup.validation, setup.test)):
            counter = build_counter(setup.graph, setup.loss, CPU, with_top_k=True)
            loss, score = measure(setup.network, setup.loss, part, counter, ranks=setup.ranks)
            measured.append((loss, score))
            if setup.ranks.is_first:
                measured.append(setup.layer_records())
        plateaus.update(loss, setup.training.schedule, 1)
    return measured, tensors_of(setup)


def tensors_of(setup: Setup) -> dict[str, bytes]:
    tensors = setup.network.state_dict().items()
    return {name: tensor.numpy().tobytes() for name, tensor in tensors}


def assert_same_bits(
    write: Task, sets: tuple[str, ...], folder: Path, shards: int = SHARDS, **options: Any
) -> None:
    task = write(folder)

    def work(ranks: Ranks) -> tuple[list[Any], dict[str, bytes]]:
        return train_together(setup_of(task, *sets, shards=shards, ranks=ranks, **options))

    with torch_on_one_thread():
        ((metrics, weights),) = run_ranks(1, work)
        assert weights != tensors_of(setup_of(task, *sets)), "nothing was learnt"
        for size in (2, 4)[: shards // 2]:
            results = run_ranks(size, work)
            assert [weights] * size == [weights for _, weights in results]
            assert results[0][0] == metrics


@pytest.mark.parametrize("name", FAST)
def test_any_number_of_processes_has_the_same_bits(name: str, tmp_path: Path) -> None:
    write, sets = FAST[name]
    options = {"loss": squared_spikes} if "own loss" in name else {}
    assert_same_bits(write, sets, tmp_path, **options)


def test_shards_are_accumulated_as_in_a_loop_of_a_user(tmp_path: Path) -> None:
    """Gradients, weighted by shares, and the norms' statistics, in the order of shards."""
    sets = ('neurons.cuba.norm="mean_variance"', EVENT_RATE, MEAN)
    task = pictures(tmp_path)
    setup, own = (setup_of(task, *sets) for _ in range(2))
    epoch_sum = EpochMetricsSum(setup.network, build_counter(setup.graph, setup.loss, CPU))
    step, network = build_step(setup, epoch_sum, print), own.network.train()
    setup.network.train()
    for shards in list(setup.train.shuffled(0))[-2:]:
        network.zero_grad()
        for shard in shards:
            signals = network.signals(shard.input_TBN)
            loss, _ = own.loss.terms(signals, shard.target)
            (section,) = own.graph.regularizers
            read = [signals[name] for name in own.graph.regularized(section)]
            rate = event_rate_penalty(section, read)
            share = shard.size / sum(other.size for other in shards)
            (share * loss + share * section.weight * rate).backward()
        step.compute_gradients(shards)
        for (name, mine), parameter in zip(
            setup.network.named_parameters(), network.parameters(), strict=True
        ):
            assert mine.grad is not None, name
            assert parameter.grad is not None, name
            largest = float(parameter.grad.abs().max())
            torch.testing.assert_close(mine.grad, parameter.grad, rtol=0, atol=1e-6 * largest)
    buffers = dict(network.named_buffers())
    assert any("running" in name and tensor.any() for name, tensor in buffers.items())
    for name, buffer in setup.network.named_buffers():
        assert torch.equal(buffer, buffers[name]), name


def test_shards_have_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    task, gradients = labels(tmp_path), list[Tensor]()
    for shards in (1, 2, 4):
        setup = setup_of(task, MEAN, shards=shards)
        step = build_step(setup, EpochMetricsSum(setup.network.train()), print)
        for batch in setup.train.shuffled(0):
            step.compute_gradients(batch)
        parameters = setup.network.parameters()
        gradients.append(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]))
    for gradient in gradients[1:]:
        largest = float(gradients[0].abs().max())
        torch.testing.assert_close(gradient, gradients[0], rtol=0, atol=1e-6 * largest)


def test_dropout_of_a_shard_depends_on_nothing_that_was_computed_before(tmp_path: Path) -> None:
    setup = setup_of(labels(tmp_path), "neurons.cuba.dropout=0.5")
    step = build_step(setup, EpochMetricsSum(setup.network.train()), print)

    def last_gradient(batches: list[Any]) -> Tensor:
        for shards in batches:
            step.compute_gradients(shards)
        return torch.cat([p.grad.flatten() for p in setup.network.parameters()])

    batches = list(setup.train.shuffled(0))
    gradient = last_gradient(batches[:2])
    assert torch.equal(last_gradient(batches[1:2]), gradient)
    other = [tuple(replace(shard, number=2) for shard in batches[1])]
    assert not torch.equal(last_gradient(other), gradient)
    other = [tuple(replace(shard, epoch=1) for shard in batches[1])]
    assert not torch.equal(last_gradient(other), gradient)


def test_a_run_in_shards_is_resumed_after_any_batch(tmp_path: Path) -> None:
    settings = {"dropout": 0.2, "batch_size": 3, "shards": 2, "validation_split": 0.3, "epochs": 2}
    undisturbed = train_task(tmp_path / "one", pairs=10, **settings).path
    compute, calls = ShardedStep.compute_gradients, iter(range(100))

    def fail_in_second_epoch(self: ShardedStep, shards: Any) -> None:
        if next(calls) == 4:
            signal.raise_signal(signal.SIGTERM)
        compute(self, shards)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ShardedStep, "compute_gradients", fail_in_second_epoch)
        outcome = train_task(tmp_path / "two", pairs=10, **settings)
    assert (outcome.status, outcome.exit_code) == ("interrupted", 75)
    assert train(resume=outcome.path, progress="quiet").status == "done"
    assert weights_of(outcome.path) == weights_of(undisturbed)
    assert untimed_metrics(outcome.path) == untimed_metrics(undisturbed)
