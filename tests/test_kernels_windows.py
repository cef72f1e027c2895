"""Losses and classes by a moving window: the CPU's walk against the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from netdesc.kernels.cpu.trains import SpikeSum, SpikeTrains

from netdesc.kernels import operators
from netdesc.kernels.cpu import windows
from netdesc.kernels.cpu.threads import on_threads
from netdesc.kernels.cpu.windows_of_numbers import ManySpikes
from netdesc.kernels.engine import use_engine
from netdesc.kernels.packed_spikes import HEADER
from netdesc.kernels.reference import windows as reference
from netdesc.kernels.reference.windows import COSTS

SEEDS = st.integers(0, 2**32 - 1)
RATES = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
DENSITIES = st.sampled_from([0.0, 0.02, 0.3, 1.0])


def made(
    seed: int, shape: tuple[int, int, int], density: float, by_step: bool, summands: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes, or the sum of several, and labels [steps, batch]."""
    steps, batch, neurons = shape
    rng = np.random.default_rng(seed)
    counts = (rng.random((summands, *shape)) < density).sum(0)
    spikes_TBN = torch.from_numpy(counts.astype(np.float32))
    labels = rng.integers(0, neurons, (steps, batch) if by_step else batch)
    return spikes_TBN, torch.from_numpy(labels).expand(steps, batch)


@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(1, 70), st.integers(1, 5), st.integers(1, 70)),
    window=st.integers(1, 90),
    density=DENSITIES,
    by_step=st.booleans(),
    costs=st.sampled_from([*COSTS]),
    rates=st.tuples(RATES, RATES),
    summands=st.sampled_from([1, 1, 2, 3, 63, 70]),
)
@settings(max_examples=200, deadline=None)
@example(0, (1, 1, 1), 1, 1.0, False, "likelihood", (0.0, 0.0), 1)
@example(1, (70, 2, 64), 70, 0.3, True, "softmax", (0.0, 0.0), 2)
@example(2, (70, 2, 33), 69, 0.3, True, "squares", (0.9, 0.1), 63)
@example(2, (9, 2, 33), 1, 1.0, True, "softmax", (0.9, 0.1), 63)
@example(2, (9, 2, 33), 1, 1.0, True, "softmax", (0.9, 0.1), 64)
@example(3, (5, 1, 2), 1_000_000, 1.0, True, "squares", (1.0, 0.0), 1)
def test_the_walk_is_the_definition(
    seed: int,
    shape: tuple[int, int, int],
    window: int,
    density: float,
    by_step: bool,
    costs: str,
    rates: tuple[float, float],
    summands: int,
) -> None:
    spikes_TBN, labels_TB = made(seed, shape, density, by_step, summands)
    found, wanted = [
        differentiated(engine, spikes_TBN, labels_TB, window, costs, *rates)
        for engine in ("cpu", "reference")
    ]
    assert found[0].item() == pytest.approx(wanted[0].item(), rel=1e-5, abs=1e-5)
    largest = wanted[1].abs().max().item()
    torch.testing.assert_close(found[1], wanted[1], rtol=1e-5, atol=1e-5 * largest)


def differentiated(
    engine: str, spikes_TBN: torch.Tensor, *of_loss: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and the gradient of it by the spikes."""
    given = spikes_TBN.clone().requires_grad_()
    with use_engine(engine):
        loss, _ = operators.window_loss(given, *of_loss)
        loss.backward()
        without, _ = operators.window_loss(spikes_TBN, *of_loss)
    assert given.grad is not None
    assert torch.equal(loss.detach(), without)
    return loss.detach(), given.grad


@pytest.mark.parametrize("costs", COSTS)
def test_the_gradient_of_a_step_by_hand(costs: str) -> None:
    """A window of a step: no other step has to do with it. One neuron spikes, the label's."""
    output_TBN = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]])
    labels_TB = torch.tensor([[1], [1]])
    loss, grad_TBN = differentiated("cpu", output_TBN, labels_TB, 1, costs, 0.8, 0.1)
    e = torch.e
    cost, first, second = {
        "squares": (0.2**2 + 0.1**2 + 0.9**2 + 0.8**2, [-0.2, 0.4], [1.8, -1.6]),
        "softmax": (
            np.log(1 + 1 / e) + np.log(1 + e),
            [1 / (1 + e), -1 / (1 + e)],
            [e / (1 + e), -e / (1 + e)],
        ),
        "likelihood": (np.log(2), [1.0, 0.0], [1.0, 1.0 - 2.0]),
    }[costs]
    assert loss.item() == pytest.approx(cost, rel=1e-6)
    assert grad_TBN[0, 0].tolist() == pytest.approx(first, abs=1e-6)
    assert grad_TBN[1, 0].tolist() == pytest.approx(second, abs=1e-6)


@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(1, 70), st.integers(1, 5), st.integers(1, 100)),
    window=st.integers(1, 90),
    density=DENSITIES,
    summands=st.sampled_from([1, 1, 2, 9, 70]),
)
@settings(max_examples=100, deadline=None)
def test_the_classes_are_those_of_the_definition(
    seed: int, shape: tuple[int, int, int], window: int, density: float, summands: int
) -> None:
    spikes_TBN, _ = made(seed, shape, density, False, summands)
    found = operators.window_classes(spikes_TBN, window)
    with use_engine("reference"):
        wanted = operators.window_classes(spikes_TBN, window)
    assert found.dtype == wanted.dtype == torch.int64
    assert torch.equal(found, wanted)


def test_classes_of_sums_beyond_all_integers_are_those_of_the_definition() -> None:
    """Of 65,534 spikes in every cell, and one more of one neuron."""
    output_TBN = torch.full((40_000, 1, 3), 65_534.0)
    output_TBN[:, :, 2] += 1
    classes_TB = operators.window_classes(output_TBN, 40_000)
    with use_engine("reference"):
        assert torch.equal(classes_TB, operators.window_classes(output_TBN, 40_000))
    assert (classes_TB >= 0).all()


@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(1, 70), st.integers(1, 5), st.integers(1, 70)),
    window=st.integers(1, 90),
    largest=st.sampled_from([64, 1000, 65_535, 4_000_000]),
    is_whole=st.booleans(),
    by_step=st.booleans(),
    costs=st.sampled_from([*COSTS]),
    rates=st.tuples(RATES, RATES),
)
@settings(max_examples=150, deadline=None)
@example(0, (1, 1, 1), 1, 65_535, True, False, "softmax", (0.0, 0.0))
@example(1, (70, 2, 64), 1, 4_000_000, True, True, "softmax", (0.0, 0.0))
@example(2, (70, 2, 33), 69, 65_535, True, True, "squares", (0.9, 0.1))
@example(3, (5, 3, 2), 1_000_000, 64, False, True, "likelihood", (1.0, 0.0))
def test_any_other_numbers_are_taken_in_64_bits(
    seed: int,
    shape: tuple[int, int, int],
    window: int,
    largest: int,
    is_whole: bool,
    by_step: bool,
    costs: str,
    rates: tuple[float, float],
) -> None:
    """Of many spikes in a cell, and where there is more to it than spikes."""
    steps, batch, neurons = shape
    rng = np.random.default_rng(seed)
    given = rng.random(shape) * (rng.random(shape) < 0.3) * largest
    given = np.ceil(given) if is_whole else np.ceil(given / largest * 65_536) / 65_536  # exact sums
    given[rng.integers(steps), rng.integers(batch), rng.integers(neurons)] = largest
    output_TBN = torch.from_numpy(given.astype(np.float32))
    labels = rng.integers(0, neurons, (steps, batch) if by_step else batch)
    labels_TB = torch.from_numpy(labels).expand(steps, batch)

    loss, grad_TBN = differentiated("cpu", output_TBN, labels_TB, window, costs, *rates)
    exact_TBN = output_TBN.to(torch.float64).requires_grad_()
    rate_TBN, index = reference.window_rates(exact_TBN, window), labels_TB.unsqueeze(-1)
    wanted = COSTS[costs].of(rate_TBN, index, window, *rates).sum()
    wanted.backward()
    assert exact_TBN.grad is not None
    wanted_grad, size = exact_TBN.grad.float(), exact_TBN.grad.abs().max().item()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6, abs=1e-6)
    torch.testing.assert_close(grad_TBN, wanted_grad, rtol=1e-6, atol=2e-7 * max(1, size))
    assert torch.equal(operators.window_classes(output_TBN, window), reference.most(rate_TBN))


@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(1, 70), st.integers(1, 5), st.integers(1, 70)),
    window=st.integers(1, 90),
    density=DENSITIES,
    times=st.sampled_from([1, 5, 64, 1 << 21]),
    largest=st.sampled_from([1, 2, 100, 65_535]),
    by_step=st.booleans(),
    costs=st.sampled_from([*COSTS]),
)
@settings(deadline=None)
@example(0, (1, 1, 1), 1, 1.0, 1 << 21, 65_535, False, "softmax")
@example(1, (70, 5, 64), 70, 1.0, 5, 100, True, "softmax")
@example(1, (70, 2, 65), 1, 0.3, 1, 1, True, "squares")
def test_many_spikes_are_what_their_numbers_are(
    seed: int,
    shape: tuple[int, int, int],
    window: int,
    density: float,
    times: int,
    largest: int,
    by_step: bool,
    costs: str,
) -> None:
    """Some spikes so many times and counted ones, a bit for each digit, and the sum as floats."""
    spikes_TBN, labels_TB = made(seed, shape, density, by_step)
    counts = np.random.default_rng(seed).integers(0, largest + 1, shape).astype(np.float32)
    counts[0, 0, 0] = largest
    trains, counted = SpikeTrains.of(spikes_TBN.numpy()), SpikeSum.of_counts(counts)
    assert trains is not None
    assert counted is not None
    many = ManySpikes(SpikeSum.of([trains, counted], [times, 1]))
    floats = spikes_TBN.numpy() * np.float32(times) + counts
    found, wanted = [
        walked(output, labels_TB, windows.Costs(window, costs, 0.7, 0.1))
        for output in (many, floats)
    ]
    for mine, others in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, others)


@on_threads
def walked(output: windows.Output, labels_TB: torch.Tensor, costs: windows.Costs) -> list[Any]:
    """The gradient, the costs of each sample with and without it, and the classes."""
    with_it, without = np.empty((2, output.shape[1]))
    grad_TBN = windows.gradient_of(output, labels_TB, costs, 0.25, with_it)
    none = windows.gradient_of(output, labels_TB, costs, None, without)
    assert not len(none)
    classes_TB = windows.classes_of(output, costs.window)
    return [grad_TBN.numpy(), with_it, without, classes_TB.numpy()]


@pytest.mark.parametrize("false_rate", [1e-6, 1e-4, 3e-4, 0.03])
@pytest.mark.parametrize("neurons", [1, 2, 10, 40])
def test_small_costs_are_no_difference_of_large_ones(neurons: int, false_rate: float) -> None:
    """The label's neuron does what it is to do, the others nearly."""
    output_TBN = torch.zeros(50, 8, neurons)
    output_TBN[:, :, 0] = 1
    of_loss = torch.zeros(50, 8, dtype=torch.int64), 1, "squares", 1.0, false_rate
    loss, _ = operators.window_loss(output_TBN, *of_loss)
    assert loss.item() == pytest.approx(50 * 8 * (neurons - 1) * false_rate**2, rel=1e-6)


@pytest.mark.parametrize("times", [1, 70])
def test_one_class_is_certain(times: int) -> None:
    spikes_TBN, labels_TB = made(7, (300, 2, 1), 0.5, False)
    spikes_TBN *= times
    for costs in ("softmax", "likelihood"):
        loss, grad_TBN = differentiated("cpu", spikes_TBN, labels_TB, 7, costs, 0.0, 0.0)
        assert loss == 0
        if costs == "softmax":  # the other one makes silence teach
            assert not grad_TBN.any()


@pytest.mark.parametrize("times", [1, 70])
def test_nothing_is_learnt_where_the_label_s_neuron_alone_spikes(times: int) -> None:
    """Its likelihood is 1 then, and the others have no less for a spike fewer."""
    spikes_TBN = torch.zeros(40, 3, 20)
    spikes_TBN[:, :, 4] = times * (
        torch.rand(40, 3, generator=torch.Generator().manual_seed(1)) < 0.5
    )
    spikes_TBN[0, :, 4] = times
    labels_TB = torch.full((40, 3), 4)
    _, grad_TBN = differentiated("cpu", spikes_TBN, labels_TB, 40, "likelihood", 0.0, 0.0)
    assert not grad_TBN[:, :, 4].any()
    assert (grad_TBN[:, :, :4] > 0).all()


@pytest.mark.parametrize("costs", COSTS)
@pytest.mark.parametrize("scale", [1.0, -0.375])
def test_the_gradient_grows_with_what_is_made_of_the_loss(costs: str, scale: float) -> None:
    """Twice through the same loss, too: what was kept is still there."""
    spikes_TBN, labels_TB = made(8, (40, 3, 50), 0.2, True)
    _, once = differentiated("cpu", spikes_TBN, labels_TB, 5, costs, 0.5, 0.1)
    given = spikes_TBN.clone().requires_grad_()
    loss, _ = operators.window_loss(given, labels_TB, 5, costs, 0.5, 0.1)
    for _ in range(2):
        (grad_TBN,) = torch.autograd.grad(scale * loss, given, retain_graph=True)
        torch.testing.assert_close(grad_TBN, scale * once, rtol=1e-6, atol=0)


def test_a_loss_of_spikes_keeps_a_bit_for_each() -> None:
    """Neither the output nor its gradient has to wait for the backward pass."""
    spikes_TBN, labels_TB = made(8, (64, 2, 64), 0.2, False)
    loss, kept = operators.window_loss(spikes_TBN.requires_grad_(), labels_TB, 3, "softmax", 0, 0)
    assert kept.element_size() * (kept.numel() - HEADER) * 8 == spikes_TBN.numel()
    assert loss.grad_fn is not None
    saved = [each for each in loss.grad_fn.saved_tensors if each is not None]
    assert not any(each.shape == spikes_TBN.shape for each in saved)
    assert len(saved) == 2


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_neuron_is_refused_by_the_walk(label: int) -> None:
    spikes_TBN, labels_TB = made(9, (5, 2, 3), 0.5, True)
    labels_TB[4, 1] = label
    with pytest.raises(ValueError, match=rf"a label is {label}; with 3 neurons, labels are 0 to 2"):
        operators.window_loss(spikes_TBN, labels_TB, 3, "softmax", 0.0, 0.0)


@pytest.mark.parametrize("costs", COSTS)
def test_results_do_not_depend_on_the_number_of_threads(costs: str) -> None:
    spikes_TBN, labels_TB = made(6, (200, 7, 40), 0.1, True)
    results: list[tuple[torch.Tensor, ...]] = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            classes = operators.window_classes(spikes_TBN, 9)
            found = differentiated("cpu", spikes_TBN, labels_TB, 9, costs, 0.5, 0.1)
            results.append((classes, *found))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(1, 40)),
    data=st.data(),
)
@settings(max_examples=50, deadline=None)
def test_samples_may_be_looked_at_by_themselves(
    seed: int, shape: tuple[int, int, int], data: st.DataObject
) -> None:
    spikes_TBN, _ = made(seed, shape, 0.2, False)
    first = data.draw(st.integers(0, shape[1] - 1))
    last = data.draw(st.integers(first + 1, shape[1]))
    trains = SpikeTrains.of(spikes_TBN.numpy())
    assert trains is not None
    part = trains.samples(first, last)
    assert part.shape == (shape[0], last - first, shape[2])
    assert torch.equal(
        windows.classes_of(part, 5), operators.window_classes(spikes_TBN[:, first:last], 5)
    )


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_TBN": torch.zeros(5, 2)}, r"shape \[5, 2\]"),
        ({"output_TBN": torch.zeros(5, 2, 3, dtype=torch.float64)}, "computes in float32"),
        ({"labels_TB": torch.zeros(5, 3, dtype=torch.int64)}, r"shape \[5, 3\] do not fit"),
        ({"labels_TB": torch.zeros(5, 2)}, r"labels of type torch.float32"),
        ({"window": 0}, "a window of 0 steps; at least 1"),
        ({"costs": "other"}, "unknown costs 'other'; there are squares, softmax, likelihood"),
    ],
)
def test_what_does_not_fit_is_refused(engine: str, changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "output_TBN": torch.zeros(5, 2, 3),
        "labels_TB": torch.zeros(5, 2, dtype=torch.int64),
        "window": 3,
        "costs": "squares",
        "true_rate": 0.5,
        "false_rate": 0.1,
    }
    with use_engine(engine), pytest.raises(ValueError, match=message):
        operators.window_loss(**(arguments | changes))
