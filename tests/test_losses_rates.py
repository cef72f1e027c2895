"""Rate losses and classifiers against numpy, and their gradients against differences."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from modules_samples import dense, graph

from netdesc.graph import nodes
from netdesc.losses import (
    SILENT,
    MovingWindowClassifier,
    RateClassifier,
    SpikeMax,
    SpikeRate,
    build_classifier,
    build_loss,
    majority,
)

Reduction = Literal["sum", "mean"]
Mode = Literal["probability", "softmax"]
REDUCTIONS: tuple[Reduction, ...] = ("sum", "mean")
MODES: tuple[Mode, ...] = ("probability", "softmax")


def rate_loss(
    window: int | None = None, reduction: Reduction = "sum", true: float = 0.2, false: float = 0.03
) -> SpikeRate:
    return SpikeRate(
        nodes.SpikeRate(
            type="spike_rate",
            true_rate=true,
            false_rate=false,
            window_steps=window,
            reduction=reduction,
        )
    )


def max_loss(
    window: int | None = None, reduction: Reduction = "sum", mode: Mode = "probability"
) -> SpikeMax:
    return SpikeMax(
        nodes.SpikeMax(type="spike_max", mode=mode, window_steps=window, reduction=reduction)
    )


ALL = {
    "rate": rate_loss(),
    "rate, window": rate_loss(5),
    "rate, mean": rate_loss(5, "mean"),
    "max": max_loss(),
    "max, window": max_loss(5),
    "max, mean": max_loss(5, "mean"),
    "softmax": max_loss(mode="softmax"),
    "softmax, window": max_loss(5, mode="softmax"),
}
every_loss = pytest.mark.parametrize("loss", ALL.values(), ids=ALL.keys())


def trains(seed: int, *shape: int, density: float = 0.3) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


def naive_rates(output_TBN: np.ndarray, window: int | None) -> np.ndarray:
    """[looks, batch, neurons]: one look at the sample, or one a step, in float64."""
    output = output_TBN.astype(np.float64)
    if window is None:
        return output.mean(0, keepdims=True)
    looks = [output[max(0, t - window + 1) : t + 1].sum(0) / window for t in range(len(output))]
    return np.stack(looks)


def naive_costs(output: np.ndarray, labels: np.ndarray, window: int | None, mode: str):
    """−log p(label) of every look and sample, by the definition; silence as documented."""
    costs = []
    for rate_BN, labels_B in zip(naive_rates(output, window), labels, strict=True):
        for rate, label in zip(rate_BN, labels_B, strict=True):
            half = 0.5 / (window or len(output))
            if mode == "softmax":
                p = math.exp(rate[label]) / np.exp(rate).sum()
            elif rate[label] > 0:
                p = rate[label] / rate.sum()
            else:
                p = half / max(rate.sum(), half * len(rate))
            costs.append(-math.log(p))
    return np.array(costs)


CASES = {
    "seed": st.integers(0, 2**32 - 1),
    "steps": st.integers(1, 25),
    "batch": st.integers(1, 4),
    "neurons": st.integers(1, 6),
    "window": st.one_of(st.none(), st.integers(1, 40)),
    "density": st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    "reduction": st.sampled_from(REDUCTIONS),
    "by_step": st.booleans(),
}


def case(seed, steps, batch, neurons, window, density, by_step):
    """Spikes, the labels that a loss is given, and those of every look [looks, batch]."""
    output = trains(seed, steps, batch, neurons, density=density)
    rng = np.random.default_rng(seed + 1)
    looks = 1 if window is None else steps
    if by_step and window is not None:
        given = every = rng.integers(0, neurons, (looks, batch))
    else:
        given = rng.integers(0, neurons, batch)
        every = np.broadcast_to(given, (looks, batch))
    return output, given, every


@given(**CASES, true=st.floats(0, 1), false=st.floats(0, 1))
@settings(max_examples=150)
def test_spike_rate_is_the_squared_error_of_rates(
    seed, steps, batch, neurons, window, density, reduction, by_step, true, false
):
    output, labels, every = case(seed, steps, batch, neurons, window, density, by_step)
    wanted = np.where(np.arange(neurons) == every[..., None], true, false)
    squares = (naive_rates(output, window) - wanted) ** 2
    loss = rate_loss(window, reduction, true, false)
    found = loss(torch.from_numpy(output), torch.from_numpy(labels))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(getattr(squares, reduction)(), rel=1e-5, abs=1e-9)


@given(**CASES, mode=st.sampled_from(MODES))
@settings(max_examples=150)
def test_spike_max_is_the_log_likelihood(
    seed, steps, batch, neurons, window, density, reduction, by_step, mode
):
    output, labels, every = case(seed, steps, batch, neurons, window, density, by_step)
    costs = naive_costs(output, every, window, mode)
    found = max_loss(window, reduction, mode)(torch.from_numpy(output), torch.from_numpy(labels))
    assert found.item() == pytest.approx(getattr(costs, reduction)(), rel=1e-5, abs=1e-5)


def test_ten_spikes_by_hand():
    """Of ten steps the label's neuron spikes in 4, another one in 1, the third one never."""
    output = torch.zeros(10, 1, 3)
    output[:4, 0, 1] = output[7, 0, 0] = 1
    label = torch.tensor([1])
    assert max_loss()(output, label).item() == pytest.approx(-math.log(4 / 5))
    wanted = (0.1 - 0.03) ** 2 + (0.4 - 0.2) ** 2 + 0.03**2
    assert rate_loss()(output, label).item() == pytest.approx(wanted)


@every_loss
def test_silence_costs_a_finite_amount_and_teaches_the_label_to_spike(loss):
    output = torch.zeros(20, 2, 4, requires_grad=True)
    value = loss(output, torch.tensor([2, 0]))
    value.backward()
    assert torch.isfinite(value)
    assert output.grad is not None
    assert torch.isfinite(output.grad).all()
    assert (output.grad[:, 0, 2] < 0).all()
    assert (output.grad[:, 1, 0] < 0).all()


@pytest.mark.parametrize("loss", [rate_loss(), max_loss()])
def test_the_gradient_of_a_whole_sample_is_one_number_for_all_its_steps(loss):
    """A tensor with all steps would take as much memory as the output."""
    output = torch.ones(20, 2, 4, requires_grad=True)
    strides = []
    seen = output * 1
    seen.register_hook(lambda grad: strides.append(grad.stride()))
    loss(seen, torch.tensor([2, 0])).backward()
    assert [stride[0] for stride in strides] == [0]


def test_a_silent_output_takes_every_class_for_as_likely():
    silence = torch.zeros(20, 1, 10)
    assert max_loss()(silence, torch.tensor([3])).item() == pytest.approx(math.log(10))
    gradient = torch.autograd.functional.jacobian(
        lambda output: max_loss()(output, torch.tensor([3])), silence
    )
    assert gradient[0, 0, 3].item() == pytest.approx(-2 + 2 / 10)
    assert gradient[0, 0, 0].item() == pytest.approx(2 / 10)


@pytest.mark.parametrize("others", range(12))
def test_one_spike_of_the_label_is_better_than_none(others: int):
    without = torch.zeros(20, 1, 5)
    without[:others, 0, 1] = 1
    with_one = without.clone()
    with_one[0, 0, 3] = 1
    label = torch.tensor([3])
    assert max_loss()(with_one, label) < max_loss()(without, label)


@every_loss
def test_the_gradient_is_that_of_differences(loss):
    """At an output where every label spikes; the losses take any numbers."""
    rng = np.random.default_rng(2)
    shape = 12, 3, 4
    output = torch.from_numpy(rng.uniform(0.5, 1.0, shape).astype(np.float32)).requires_grad_()
    labels = torch.from_numpy(rng.integers(0, 4, 3))
    loss(output, labels).backward()
    assert output.grad is not None
    for _ in range(4):
        direction = torch.from_numpy(rng.normal(size=shape).astype(np.float32)) * 0.02
        with torch.no_grad():
            difference = (loss(output + direction, labels) - loss(output - direction, labels)) / 2
        along = (output.grad * direction).sum().item()
        assert along == pytest.approx(difference.item(), rel=2e-2, abs=1e-4)


@every_loss
def test_nan_stays_nan(loss):
    output = torch.full((10, 2, 3), math.nan)
    assert torch.isnan(loss(output, torch.tensor([0, 1])))


@every_loss
def test_shapes_and_types_do_not_matter(loss):
    output = torch.from_numpy(trains(4, 30, 2, 6))
    labels = torch.tensor([5, 1])
    value = loss(output, labels)
    assert loss(output.reshape(30, 2, 3, 2), labels) == value
    assert loss(output.bool(), labels.to(torch.uint8)) == value
    assert loss(output.permute(1, 2, 0).contiguous().permute(2, 0, 1), labels) == value


@pytest.mark.parametrize(
    ("output", "labels", "message"),
    [
        ((10, 2), torch.zeros(2, dtype=torch.int64), r"\[10, 2\]; \[steps, batch, \*shape\]"),
        ((10, 0, 3), torch.zeros(0, dtype=torch.int64), "each at least 1"),
        ((10, 2, 3), torch.zeros(3, dtype=torch.int64), r"shape \[3\]; \[2\] is needed"),
        ((10, 2, 3), torch.zeros(10, 2, dtype=torch.int64), r"\[10, 2\]; \[2\] is needed"),
        ((10, 2, 3), torch.zeros(2), "type float32; the numbers of classes"),
        ((10, 2, 3), torch.zeros(2, dtype=torch.bool), "type bool"),
        ((10, 2, 3), torch.tensor([0, 3]), "a label is 3; with 3 classes, labels are 0 to 2"),
        ((10, 2, 3), torch.tensor([-1, 7]), "a label is -1; with 3 classes, labels are 0 to 2"),
        ((10, 2, 3, 2), torch.tensor([0, 6], dtype=torch.uint8), "a label is 6; with 6 classes"),
    ],
)
def test_what_does_not_fit_is_refused(output, labels, message):
    for loss in (rate_loss(), max_loss()):
        with pytest.raises(ValueError, match=message):
            loss(torch.zeros(output), labels)


@pytest.mark.parametrize(
    "kind", [torch.uint8, torch.int16, torch.int32, torch.uint16, torch.uint32, torch.uint64]
)
def test_labels_of_any_integers_among_many_classes(kind):
    """More than some of these types hold."""
    labels = torch.tensor([139, 2]).to(kind)
    output = torch.zeros(4, 2, 5000)
    output[:, 0, 139] = output[:, 1, 2] = 1
    for loss in (rate_loss(), max_loss(), max_loss(2)):
        assert loss(output, labels) == loss(output, labels.to(torch.int64))


def test_what_is_no_tensor_is_refused():
    for loss in (rate_loss(), max_loss()):
        with pytest.raises(TypeError, match="labels: a torch tensor is needed, not ndarray"):
            loss(torch.zeros(10, 2, 3), np.zeros(2, int))
        with pytest.raises(TypeError, match="the output: a torch tensor is needed, not list"):
            loss([0, 1], torch.zeros(2, dtype=torch.int64))


def test_what_is_not_real_or_not_dense_is_refused():
    labels = torch.zeros(2, dtype=torch.int64)
    for loss in (rate_loss(), max_loss()):
        with pytest.raises(ValueError, match="the output has type complex128; real numbers"):
            loss(torch.zeros(10, 2, 3, dtype=torch.complex128), labels)
        with pytest.raises(ValueError, match="the output has layout sparse_coo"):
            loss(torch.zeros(10, 2, 3).to_sparse(), labels)
        with pytest.raises(ValueError, match="labels has layout sparse_coo"):
            loss(torch.zeros(10, 2, 3), labels.to_sparse())


def test_a_window_may_have_a_label_a_step():
    output, labels = torch.zeros(10, 2, 3), torch.zeros(10, 3, dtype=torch.int64)
    for loss in (rate_loss(4), max_loss(4)):
        loss(output, labels[:, :2])
        labels[9, 0] = 3
        with pytest.raises(ValueError, match="a label is 3; with 3 classes"):
            loss(output, labels[:, :2])
        labels[9, 0] = 0
        with pytest.raises(ValueError, match=r"\[2\], or \[10, 2\] with one a step, is needed"):
            loss(output, labels)


# Classifiers


@given(**CASES)
@settings(max_examples=100)
def test_the_class_that_spikes_most_wins(
    seed, steps, batch, neurons, window, density, reduction, by_step
):
    output, _, _ = case(seed, steps, batch, neurons, window, density, by_step)
    rate = naive_rates(output, window)
    first = np.where(rate.max(-1) > 0, rate.argmax(-1), SILENT)  # argmax takes the first of equals
    classify = RateClassifier() if window is None else MovingWindowClassifier(window)
    found = classify(torch.from_numpy(output))
    assert found.dtype == torch.int64
    assert np.array_equal(found.numpy(), first[0] if window is None else first)


def test_equals_go_to_the_lowest_class_and_silence_to_none():
    output = torch.zeros(6, 3, 4)
    output[:2, 0, 3] = output[3:5, 0, 1] = 1
    output[5, 2, 0] = 1
    assert RateClassifier()(output).tolist() == [1, SILENT, 0]
    moving = MovingWindowClassifier(2)(output).tolist()
    assert [row[0] for row in moving] == [3, 3, 3, 1, 1, 1]
    assert [row[1] for row in moving] == [SILENT] * 6


@given(
    st.integers(1, 4).flatmap(
        lambda batch: st.lists(
            st.lists(st.integers(SILENT, 4), min_size=batch, max_size=batch), min_size=1, max_size=9
        )
    )
)
def test_majority_counts_steps(predictions: list[list[int]]):
    wanted = []
    for sample in zip(*predictions, strict=True):
        votes = [sample.count(each) for each in range(5)]
        wanted.append(votes.index(max(votes)) if any(votes) else SILENT)
    assert majority(torch.tensor(predictions), 5).tolist() == wanted


# From a graph


def test_a_graph_builds_its_loss_and_classifier():
    plain = graph(dense("only", 3))
    for loss in (
        nodes.SpikeRate(type="spike_rate", window_steps=7),
        nodes.SpikeMax(type="spike_max", mode="softmax"),
    ):
        made = build_loss(replace(plain, loss=loss, classifier=nodes.Classifier(None)))
        assert isinstance(made, SpikeRate if isinstance(loss, nodes.SpikeRate) else SpikeMax)
        assert made.window_steps == loss.window_steps
    rate = build_classifier(replace(plain, classifier=nodes.Classifier(None)))
    moving = build_classifier(replace(plain, classifier=nodes.Classifier(9)))
    assert isinstance(rate, RateClassifier)
    assert isinstance(moving, MovingWindowClassifier)
    assert moving.window_steps == 9
    with pytest.raises(ValueError, match="has no classes"):
        build_classifier(plain)
