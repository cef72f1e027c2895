"""Rate losses and classifiers against numpy, and gradients against finite differences."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.modules_samples import dense, graph
from torch import nn

from netdesc.graph import loss as sections
from netdesc.graph import nodes
from netdesc.losses import SILENT, build_classifier, build_loss, majority

KINDS = ("rate", "probability", "softmax")
TRUE, FALSE = 0.2, 0.03
PLAIN = graph(dense("only", 3))


def loss_of(kind: str, window: int | None = None, reduction: str = "sum") -> nn.Module:
    """The loss of a graph with such a node, with the rates TRUE and FALSE as targets."""
    node = (
        sections.SpikeRate(
            type="spike_rate",
            true_rate=TRUE,
            false_rate=FALSE,
            window_steps=window,
            reduction=reduction,
        )
        if kind == "rate"
        else sections.SpikeMax(
            type="spike_max", mode=kind, window_steps=window, reduction=reduction
        )
    )
    return build_loss(replace(PLAIN, losses=(node,), classifier=nodes.Classifier(None)))


every_loss = pytest.mark.parametrize(
    "loss", [loss_of(kind, *more) for kind in KINDS for more in [(None, "sum"), (5, "mean")]]
)


def random_spikes(seed: int, *shape: int, density: float = 0.3) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < density).astype(np.float32)


def naive_rates(output_TBN: np.ndarray, window: int | None) -> np.ndarray:
    """Rates [windows, batch, neurons], one window per step or one for the sample, in float64."""
    output = output_TBN.astype(np.float64)
    if window is None:
        return output.mean(0, keepdims=True)
    windows = [output[max(0, t - window + 1) : t + 1].sum(0) / window for t in range(len(output))]
    return np.stack(windows)


def naive_costs(rate: np.ndarray, label: int, kind: str, steps: int) -> list[float]:
    """Costs of one window of a sample, by the definition."""
    if kind == "rate":
        return list((rate - np.where(np.arange(len(rate)) == label, TRUE, FALSE)) ** 2)
    half = 0.5 / steps
    if kind == "softmax":
        p = math.exp(rate[label]) / np.exp(rate).sum()
    elif rate[label] > 0:
        p = rate[label] / rate.sum()
    else:
        p = half / max(rate.sum(), half * len(rate))
    return [-math.log(p)]


CASES = {
    "seed": st.integers(0, 2**32 - 1),
    "shape": st.tuples(st.integers(1, 25), st.integers(1, 4), st.integers(1, 6)),
    "window": st.none() | st.integers(1, 40),
    "density": st.sampled_from([0.0, 0.05, 0.5, 1.0]),
}


@given(
    **CASES,
    kind=st.sampled_from(KINDS),
    reduction=st.sampled_from(["sum", "mean"]),
    by_step=st.booleans(),
)
@settings(max_examples=300)
def test_losses_are_those_of_the_definition(seed, shape, window, density, kind, reduction, by_step):
    steps, batch, neurons = shape
    output = random_spikes(seed, *shape, density=density)
    rates = naive_rates(output, window)
    label_shape = rates.shape[:2] if by_step and window is not None else (batch,)
    labels = np.random.default_rng(seed + 1).integers(0, neurons, label_shape)
    all_labels = np.broadcast_to(labels, rates.shape[:2])
    costs = np.array(
        [
            naive_costs(rates[index], all_labels[index], kind, window or steps)
            for index in np.ndindex(all_labels.shape)
        ]
    )
    found = loss_of(kind, window, reduction)(torch.from_numpy(output), torch.from_numpy(labels))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(getattr(costs, reduction)(), rel=1e-5, abs=1e-5)


@every_loss
def test_silence_costs_a_finite_amount_and_teaches_the_label_to_spike(loss):
    output = torch.zeros(20, 2, 4, requires_grad=True)
    value = loss(output, torch.tensor([2, 0]))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(output.grad).all()
    assert (output.grad[:, 0, 2] < 0).all()
    assert (output.grad[:, 1, 0] < 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_a_whole_sample_is_a_view(kind):
    """A gradient with all steps would need as much memory as the output."""
    output = torch.ones(20, 2, 4, requires_grad=True)
    strides = []
    seen = output * 1
    seen.register_hook(lambda grad: strides.append(grad.stride()))
    loss_of(kind)(seen, torch.tensor([2, 0])).backward()
    assert [stride[0] for stride in strides] == [0]


def test_one_spike_of_the_label_is_better_than_none():
    label = torch.tensor([3])
    for others in range(12):
        without = torch.zeros(20, 1, 5)
        without[:others, 0, 1] = 1
        with_one = without.clone()
        with_one[0, 0, 3] = 1
        loss = loss_of("probability")
        assert loss(with_one, label) < loss(without, label)


@every_loss
def test_the_gradient_equals_finite_differences(loss):
    """At an output in which every label's neuron spikes; it need not be binary."""
    rng = np.random.default_rng(2)
    shape = 12, 3, 4
    output = torch.from_numpy(rng.uniform(0.5, 1.0, shape).astype(np.float32)).requires_grad_()
    labels = torch.from_numpy(rng.integers(0, 4, 3))
    loss(output, labels).backward()
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
    output = torch.from_numpy(random_spikes(4, 30, 2, 6))
    labels = torch.tensor([5, 1])
    value = loss(output, labels)
    assert loss(output.reshape(30, 2, 3, 2), labels) == value
    assert loss(output.bool(), labels.to(torch.uint8)) == value
    assert loss(output.permute(1, 2, 0).contiguous().permute(2, 0, 1), labels) == value


OUTPUT, LABELS = torch.zeros(10, 2, 3), torch.zeros(2, dtype=torch.int64)


@every_loss
@pytest.mark.parametrize(
    ("output", "labels", "message"),
    [
        (OUTPUT[:, 0], LABELS, r"\[10, 3\]; \[steps, batch, \*shape\]"),
        (OUTPUT[:, :0], LABELS[:0], "each at least 1"),
        (OUTPUT, torch.zeros(3, dtype=torch.int64), r"labels have shape \[3\]; \[2\]"),
        (OUTPUT, LABELS.expand(9, 2), r"labels have shape \[9, 2\]; \[2\]"),
        (OUTPUT, LABELS.float(), "type float32; integers"),
        (OUTPUT, LABELS.bool(), "type bool"),
        (OUTPUT, torch.tensor([0, 3]), "a label is 3; with 3 classes, labels are 0 to 2"),
        (OUTPUT, torch.tensor([-1, 7]), "a label is -1; with 3 classes, labels are 0 to 2"),
        (torch.zeros(10, 2, 3, 2), torch.tensor([0, 6]), "a label is 6; with 6 classes"),
        (OUTPUT, LABELS.numpy(), "labels: a torch tensor is needed, not ndarray"),
        ([0, 1], LABELS, "the output: a torch tensor is needed, not list"),
        (OUTPUT.to(torch.complex128), LABELS, "the output has type complex128; real numbers"),
        (OUTPUT.to_sparse(), LABELS, "the output has layout sparse_coo"),
        (OUTPUT, LABELS.to_sparse(), "labels has layout sparse_coo"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(loss, output, labels, message):
    with pytest.raises((ValueError, TypeError), match=message):
        loss(output, labels)


def test_a_window_may_have_a_label_per_step():
    labels = torch.zeros(10, 2, dtype=torch.int64)
    for kind in KINDS:
        loss_of(kind, 4)(OUTPUT, labels)
        with pytest.raises(ValueError, match="a label is 3; with 3 classes"):
            loss_of(kind, 4)(OUTPUT, labels + 3)
        with pytest.raises(ValueError, match=r"labels have shape \[10, 2\]; \[2\] is needed"):
            loss_of(kind)(OUTPUT, labels)
        with pytest.raises(ValueError, match=r"\[2\], or \[10, 2\] with one per step, is needed"):
            loss_of(kind, 4)(OUTPUT, labels[:, :1])


@pytest.mark.parametrize(
    "kind", [torch.uint8, torch.int16, torch.int32, torch.uint16, torch.uint32, torch.uint64]
)
def test_labels_of_any_integers_among_many_classes(kind):
    """There are more classes than some of these types hold."""
    labels = torch.tensor([139, 2]).to(kind)
    output = torch.zeros(4, 2, 5000)
    output[:, 0, 139] = output[:, 1, 2] = 1
    for loss in (loss_of("rate"), loss_of("probability"), loss_of("probability", 2)):
        assert loss(output, labels) == loss(output, labels.to(torch.int64))


# Classifiers


@given(**CASES, skip=st.integers(0, 5))
@settings(max_examples=100)
def test_the_class_that_spikes_most_wins(seed, shape, window, density, skip):
    output, skip = random_spikes(seed, *shape, density=density), min(skip, shape[0] - 1)
    rate = naive_rates(output[skip:], window)
    first = np.where(rate.max(-1) > 0, rate.argmax(-1), SILENT)  # argmax takes the first of equals
    classifier = nodes.Classifier(window, skip_steps=skip)
    classify = build_classifier(replace(PLAIN, classifier=classifier))
    found = classify(torch.from_numpy(output))
    assert found.dtype == torch.int64
    assert np.array_equal(found.numpy(), first[0] if window is None else first)


def test_the_largest_value_wins_below_0_as_well():
    output = torch.tensor([[[-3.0, -1.0, -2.0], [0.0, 0.0, 0.0]]])
    classify = build_classifier(replace(PLAIN, classifier=nodes.Classifier(None)))
    assert classify(output).tolist() == [1, SILENT]


@given(
    st.integers(1, 4).flatmap(
        lambda batch: st.lists(
            st.lists(st.integers(SILENT, 4), min_size=batch, max_size=batch), min_size=1, max_size=9
        )
    )
)
def test_majority_counts_steps(predictions: list[list[int]]):
    expected = []
    for sample in zip(*predictions, strict=True):
        votes = [sample.count(each) for each in range(5)]
        expected.append(votes.index(max(votes)) if any(votes) else SILENT)
    assert majority(torch.tensor(predictions), 5).tolist() == expected


def test_a_graph_that_learns_spike_trains_has_no_classes():
    with pytest.raises(ValueError, match="has no classes"):
        build_classifier(PLAIN)
