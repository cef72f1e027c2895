"""Passes that come again are noted and made again: to the bits of passes that are made anew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_kernels_chain import (
    CASES,
    PLAIN,
    Case,
    distance,
    layers_of,
    make,
    reads_of,
)

from netdesc.kernels.cpu import (
    buffers,
    by_source,
    chain,
    descent,
    repeated,
    sources,
    sums,
    threads,
    trains,
)
from netdesc.kernels.cpu.arrivals import Events

STRAIGHT = replace(PLAIN, sizes=(40, 70, 64, 33), steps=250, density=0.1)


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


class Trained:
    """A chain whose weights change in place from pass to pass; the passes are counted."""

    def __init__(self, case: Case) -> None:
        torch.set_num_threads(case.threads)
        self.case, self.made = case, make(case)
        for weight, *_ in self.made.layers:
            weight.requires_grad_(False)
        self.layers = layers_of(case, self.made)
        self.examples = self.new_examples()
        self.passes = repeated.Passes(reads_of(case))
        self.noted = self.again = self.at_hand = 0

    def new_examples(self) -> chain.Examples:
        made, case = self.made, self.case
        return chain.examples(made.input_TBI, made.target_TBN, case.neurons, bool(case.reads))

    @property
    def weights(self) -> list[torch.Tensor]:
        return [weight for weight, *_ in self.made.layers]

    def passed(self) -> tuple[torch.Tensor, list[chain.Passed]]:
        of_note, of_again = repeated.Passes._note, repeated._Noted.again

        def again(noted: repeated._Noted) -> object:
            found = of_again(noted)
            self.again += found is not None
            return found

        def note(*given: object) -> object:
            self.noted += 1
            return of_note(*given)

        with (
            mock.patch.object(repeated.Passes, "_note", note),
            mock.patch.object(repeated._Noted, "again", again),
        ):
            return self.passes.differentiate(self.examples, self.layers, distance(self.case))

    def check(self) -> list[torch.Tensor]:
        """Makes a pass and compares it with one that is made anew; returns the gradients."""
        anew = chain.differentiate(
            self.examples, self.layers, distance(self.case), reads_of(self.case)
        )
        expected = [each.clone() for each in numbers(*anew)]
        del anew
        value, passed = self.passed()
        for number, (found, wanted) in enumerate(
            zip(numbers(value, passed), expected, strict=True)
        ):
            np.testing.assert_array_equal(found.numpy(), wanted.numpy(), f"result {number}")
        for of_layer, weight in zip(passed, self.weights, strict=True):
            if of_layer.at_hand is not None:
                self.at_hand += 1
                assert of_layer.at_hand == looked_for(of_layer, weight)
        return [each.grad_OI for each in passed]


def looked_for(passed: chain.Passed, weight_OI: torch.Tensor) -> chain.AtHand:
    arrays = [tensor.contiguous().numpy().reshape(-1) for tensor in (passed.grad_OI, weight_OI)]
    return chain.AtHand(*sums.squares_and_total(*arrays), int(passed.notes[3]))


def numbers(value: torch.Tensor, passed: list[chain.Passed]) -> list[torch.Tensor]:
    return [value, *(each for p in passed for each in (p.notes, p.grad_OI))]


@given(CASES, st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 30.0]), min_size=3, max_size=6))
@example(STRAIGHT, [1.0] * 5)
@example(replace(STRAIGHT, mean=True, own=True, bias=True), [1.0] * 4)
@example(replace(STRAIGHT, sizes=(40, 33)), [1.0] * 4)
@example(replace(STRAIGHT, batch=3), [1.0, 1.5, 1.5, 1.5, 1.5])
@example(STRAIGHT, [0.0, 1.0, 1.0, 1.0, 30.0, 30.0])
@settings(max_examples=60)
def test_whatever_the_weights_become(case: Case, factors: list[float]) -> None:
    trained, rng = Trained(case), np.random.default_rng(case.seed)
    for factor in factors:
        trained.check()
        for weight in trained.weights:
            weight *= factor
            weight += torch.from_numpy(rng.normal(0, 0.02, weight.shape).astype(np.float32))


@pytest.mark.parametrize("is_large", [False, True])
def test_a_pass_through_a_large_layer_of_fewer_vectors_than_threads_is_not_noted(
    is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its way back is by other kernels, and a vain note would hold the memory of each pass."""
    if is_large:
        monkeypatch.setattr(descent, "_MORE_TERMS", 0)
    trained = Trained(replace(STRAIGHT, sizes=(40, 20, 33), threads=2))
    for _ in range(4):
        trained.check()
    assert (trained.noted, trained.again) == ((0, 0) if is_large else (1, 2))


def test_what_was_noted_in_vain_is_noted_ever_more_rarely() -> None:
    trained = Trained(replace(STRAIGHT, density=0.9))
    noted = []
    for _ in range(20):
        trained.check()
        noted.append(trained.noted)
    assert trained.again == 0
    assert [number for number in range(1, 20) if noted[number] > noted[number - 1]] == [1, 3, 7, 15]


@pytest.mark.parametrize("sizes", [(40, 33), (40, 70, 33), (40, 70, 64, 33)])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_second_pass_is_noted_and_later_ones_are_made_again(
    sizes: tuple[int, ...], batch: int
) -> None:
    trained = Trained(replace(STRAIGHT, sizes=sizes, batch=batch))
    for number in range(5):
        trained.check()
        assert (trained.noted, trained.again) == (min(number, 1), max(0, number - 1))
        assert trained.at_hand == number * (len(sizes) - 1)


def test_a_noted_pass_goes_when_memory_is_given_back_and_is_noted_anew() -> None:
    trained = Trained(STRAIGHT)
    for noted, again in (0, 0), (1, 0), (1, 1):
        trained.check()
        assert (trained.noted, trained.again) == (noted, again)
    buffers.give_back()
    assert trained.passes._noted is None
    for noted, again in (2, 1), (2, 2):
        trained.check()
        assert (trained.noted, trained.again) == (noted, again)


@pytest.mark.parametrize(
    "case",
    [
        replace(STRAIGHT, learn=True),
        replace(STRAIGHT, bits=None),
        replace(STRAIGHT, norm=(True,)),
        replace(STRAIGHT, dropout=(True,)),
        replace(STRAIGHT, sizes=(40, 40, 40, 33), reads=((-1,), (0,), (0, 1))),
    ],
)
def test_what_is_not_plain_is_never_noted(case: Case) -> None:
    trained = Trained(case)
    for _ in range(3):
        trained.check()
    assert trained.noted == 0


def test_a_large_pass_is_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated, "_MOST", STRAIGHT.steps * STRAIGHT.neurons - 1)
    trained = Trained(STRAIGHT)
    for _ in range(3):
        trained.check()
    assert trained.noted == 0


def test_a_pass_is_not_noted_where_weights_are_more_than_values() -> None:
    weights = 40 * 70 + 70 * 64 + 64 * 33
    for steps, noted in (
        (4 * weights // STRAIGHT.neurons, 0),
        (4 * weights // STRAIGHT.neurons + 1, 1),
    ):
        trained = Trained(replace(STRAIGHT, steps=steps))
        for _ in range(2):
            trained.check()
        assert trained.noted == noted


@pytest.mark.parametrize("number", [0, 1, 2])
def test_weights_that_are_not_contiguous_are_copied_anew(number: int) -> None:
    """The second time they become so in the middle."""
    for begin in (0, 3):
        trained = Trained(STRAIGHT)
        for _ in range(begin):
            trained.check()
        weight = trained.layers[number].weight_OI
        weight.data = weight.t().contiguous().t()
        for _ in range(4):
            trained.check()
            weight *= 1.01
        assert trained.again == max(0, begin - 2)


def test_a_square_weight_that_is_transposed_in_place_is_read_so() -> None:
    trained = Trained(replace(STRAIGHT, sizes=(40, 64, 64, 33)))
    for _ in range(3):
        trained.check()
    weight = trained.layers[1].weight_OI
    weight.data = weight.t()
    for _ in range(2):
        trained.check()
    assert trained.again == 1


def test_other_examples_and_other_layers_are_passes_of_their_own() -> None:
    trained = Trained(STRAIGHT)
    for _ in range(3):
        trained.check()
    first = trained.examples
    trained.examples = trained.new_examples()
    trained.check()
    trained.examples = first
    trained.check()
    assert (trained.noted, trained.again) == (1, 1)
    for _ in range(2):
        trained.check()
    assert (trained.noted, trained.again) == (2, 2)
    trained.layers = layers_of(trained.case, trained.made)
    for _ in range(3):
        trained.check()
    assert (trained.noted, trained.again) == (3, 3)


def test_another_loss_is_computed() -> None:
    trained = Trained(STRAIGHT)
    for _ in range(3):
        trained.check()
    trained.case = replace(STRAIGHT, mean=True)
    trained.check()
    trained.case = replace(STRAIGHT, of_filter=(0.5, 1, 60))
    trained.check()


@pytest.mark.parametrize("as_view", [False, True])
def test_gradients_that_are_held_do_not_change(as_view: bool) -> None:
    trained, held = Trained(STRAIGHT), list[tuple[torch.Tensor, torch.Tensor]]()
    for _ in range(6):
        for grad in trained.check():
            kept = grad[1:].view(-1) if as_view else grad
            held.append((kept, kept.clone()))
        for weight in trained.weights:
            weight *= 1.01
    assert trained.again == 0
    for kept, then in held:
        np.testing.assert_array_equal(kept.numpy(), then.numpy())


def test_notes_that_are_held_do_not_change() -> None:
    trained = Trained(STRAIGHT)
    trained.check()
    trained.check()
    held = [each.notes for each in trained.passed()[1]]
    then = [each.clone() for each in held]
    for weight in trained.weights:
        weight *= 0.9
    found = [each.notes.tolist() for each in trained.passed()[1]]
    assert trained.again == 2
    assert [each.tolist() for each in held] == [each.tolist() for each in then] != found


def test_weights_that_have_moved_are_read_where_they_are() -> None:
    trained = Trained(STRAIGHT)
    for _ in range(3):
        trained.check()
    for weight in trained.weights:
        weight.share_memory_()
        weight *= 1.01
    trained.check()
    assert trained.again == 1
    for _ in range(2):
        trained.check()
    assert trained.again == 3


def test_another_number_of_threads_is_heeded() -> None:
    trained = Trained(STRAIGHT)
    for number in (2, 2, 2, 1, 1, 3, 3):
        torch.set_num_threads(number)
        trained.check()
    crews = min(3, threads._MAX_THREADS)
    assert trained.noted == crews
    assert trained.again == 7 - 1 - crews


@pytest.mark.parametrize(
    ("case", "louder", "density"),
    [
        (replace(STRAIGHT, scale=0.5, steps=600), 1.3, 0.4),  # more spikes than there is room for
        (replace(STRAIGHT, scale=0.5, density=0.05), 1.5, 0.07),  # so many that the product pays
    ],
)
def test_when_layers_spike_more_the_pass_is_made_anew(
    case: Case, louder: float, density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "EVENT_DENSITY", density)
    trained = Trained(case)
    for _ in range(3):
        trained.check()
    assert trained.again == 1
    for weight in trained.weights:
        weight *= louder
    trained.check()
    assert trained.again == 1


def test_the_order_of_events_is_looked_at_again() -> None:
    """With 200 readers, events that are many are taken by their source, which is not noted."""
    case = replace(PLAIN, sizes=(20, 8, 200), steps=256, density=0.3, scale=0.1, seed=3, threads=1)
    trained, orders = Trained(case), list[int]()
    of_by_source = by_source.by_source

    def order(events: Events, *given: int) -> by_source.BySource:
        found = of_by_source(events, *given)
        orders.append(found.length)
        return found

    with mock.patch("netdesc.kernels.cpu.ending.by_source", order):
        for _ in range(3):
            trained.check()
        few = orders.copy()
        assert trained.again == 1
        for weight in trained.weights:
            weight *= 4
        for _ in range(3):
            trained.check()
        assert set(few) == {0}
        assert set(orders[len(few) :]) == {by_source.LENGTH}
        assert trained.passes._noted is None
    assert trained.again == 1


def test_most_by_rows_is_where_the_order_changes() -> None:
    rng = np.random.default_rng(0)
    steps, inputs, neurons = 300, 7, 2_000
    most = int(by_source.most_by_rows(steps, 1, inputs, neurons))
    for count, length in ((most, 0), (most + 1, by_source.LENGTH)):
        values = np.zeros(steps * inputs, np.float32)
        values[rng.permutation(values.size)[:count]] = 1
        spikes = trains.SpikeTrains.of(values.reshape(steps, 1, inputs))
        assert spikes is not None
        found = by_source.by_source(trains.SpikeSum.of([spikes]).events(count), inputs, neurons)
        assert found.length == length
    assert by_source.most_by_rows(steps, 1, inputs, 160) == np.inf


NOTED = """
import threading
from dataclasses import replace
from test_kernels_repeated import STRAIGHT, Trained, distance, reads_of
from netdesc.kernels.cpu import repeated
case = replace(STRAIGHT, sizes=(120, 120, 120), steps=500, threads=2)
noted = []
def work():
    trained = Trained(case)
    loss = distance(case)
    for _ in range(150):
        passes = repeated.Passes(reads_of(case))
        for _ in range(2):
            passed = passes.differentiate(trained.examples, trained.layers, loss)[1]
        noted.append(passed[0].at_hand is not None)
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sum(noted))
"""


def test_python_threads_note_their_passes_in_turn() -> None:
    """Numba's own layer ends a process in which two threads compute."""
    result = subprocess.run(
        [sys.executable, "-c", NOTED],
        cwd=Path(__file__).parent,
        env=os.environ | {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "450\n"), result.stderr
