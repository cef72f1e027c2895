"""A chain of layers in one go: the numbers of the operators, to the bit."""

from __future__ import annotations

import itertools
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from test_kernels_spike_words import words_of

from netdesc.kernels import operators
from netdesc.kernels.cpu import (
    adjoints,
    budget,
    buffers,
    chain,
    descent,
    end_of_sum,
    ending,
    events,
    from_above,
    handed_back,
    last_layer,
    last_whole,
    leaky,
    spike_time,
    synapses,
    walker,
)
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.dense import EVENTS, PRODUCT
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.event_lists import are_listed
from netdesc.kernels.operators.decays import learns
from netdesc.kernels.parameters import dynamics
from netdesc.kernels.spike_words import SpikeWords


@dataclass(frozen=True)
class Case:
    """Layers of ``sizes`` neurons, the input first; densities of input and target spikes."""

    sizes: tuple[int, ...]
    steps: int = 30
    batch: int = 1
    density: float = 0.2
    wanted: float = 0.1
    scale: float = 1.0
    bits: int | None = 8
    dropout: tuple[bool, ...] = ()
    """Of the first layers, whether some of its neurons are dropped; later ones have none."""
    norm: tuple[bool, ...] = ()
    """The same of a mean norm."""
    reads: tuple[tuple[int, ...], ...] = ()
    """What each layer reads, where that is not the one before."""
    views: frozenset[int] = frozenset()
    """Which of them are no layers, but hand on the sum of what they read; of one size with all."""
    idle: int = 0
    """How many of the last ones do nothing for the output, which is the one before."""
    positive: bool = False
    delay: bool = True
    own: bool = False
    bias: bool = False
    learn: bool = False
    graded: str = ""
    of_filter: tuple[float, int, int] = (0.6, 2, 60)
    mean: bool = False
    threads: int = 2
    rooms: str = "ample"
    """How much memory walks may take: what they can use, what they need ("scarce"), or as is."""
    seed: int = 0

    @property
    def neurons(self) -> int:
        return sum(self.sizes[1:])


NORM_BITS = 5
"""So few that a large mean is clamped, where it has no gradient."""

PLAIN = Case((40, 70, 33))

CASES = st.builds(
    Case,
    sizes=st.lists(st.integers(1, 70), min_size=2, max_size=4).map(tuple),
    steps=st.integers(1, 70) | st.integers(120, 200),
    batch=st.integers(1, 3),
    density=st.sampled_from([0.0, 0.02, 0.2, 0.5, 1.0]),
    wanted=st.sampled_from([0.0, 0.1, 1.0]),
    scale=st.sampled_from([0.1, 1.0, 4.0, 1e6]),
    bits=st.sampled_from([8, 8, 3, None]),
    dropout=st.lists(st.booleans(), max_size=3).map(tuple),
    norm=st.lists(st.booleans(), max_size=3).map(tuple),
    delay=st.booleans(),
    own=st.booleans(),
    bias=st.booleans(),
    learn=st.booleans(),
    graded=st.sampled_from(["", "", "counts", "all counts", "input", "noise", "target"]),
    of_filter=st.tuples(st.floats(0.1, 0.99), st.integers(1, 3), st.integers(1, 80)),
    mean=st.booleans(),
    threads=st.integers(1, 3),
    rooms=st.sampled_from(["ample", "scarce", ""]),
    seed=st.integers(0, 999),
)


@dataclass
class Made:
    input_TBI: torch.Tensor
    target_TBN: torch.Tensor
    layers: list[tuple[torch.Tensor, ...]]
    """Weights, current decay, voltage decay, bias."""
    gains: list[torch.Tensor | None]
    """What dropout multiplies, [batch, neurons], by layer."""
    norms: list[bool]


def make(case: Case) -> Made:
    random = torch.Generator().manual_seed(case.seed)
    torch.manual_seed(case.seed)

    def spikes(neurons: int, density: float) -> torch.Tensor:
        shape = case.steps, case.batch, neurons
        return (torch.rand(shape, generator=random) < density).float()

    def decay(neurons: int, mean: float) -> torch.Tensor:
        shape = (neurons,) if case.own else ()
        return (mean + 0.2 * torch.rand(shape, generator=random)).requires_grad_(case.learn)

    layers = []
    for read, neurons in zip(dense_reads_of(case), case.sizes[1:], strict=True):
        inputs = case.sizes[0 if case.views else read[0] + 1]
        weight = case.scale * torch.randn(neurons, inputs, generator=random) / inputs**0.5
        weight = weight.abs() if case.positive else weight
        bias = 0.1 * torch.rand(neurons if case.bias else 0, generator=random)
        layers.append((weight.requires_grad_(), decay(neurons, 0.3), decay(neurons, 0.05), bias))
    given, wanted = spikes(case.sizes[0], case.density), spikes(case.sizes[-1], case.wanted)
    if case.graded in ("input", "target"):
        graded = given if case.graded == "input" else wanted
        graded[case.steps // 2, 0, 0] = 0.5
    if case.graded == "noise":
        given *= torch.rand(given.shape, generator=random)
    if "counts" in case.graded:
        given *= torch.randint(1, 4, given.shape, generator=random)
    if case.graded == "all counts":
        wanted *= torch.randint(1, 4, wanted.shape, generator=random)
    gains = [
        (torch.rand(case.batch, size, generator=random) < 0.7).float() / 0.7 if dropped else None
        for dropped, size in zip(of_layers(case, case.dropout), case.sizes[1:], strict=True)
    ]
    return Made(given, wanted, layers, gains, of_layers(case, case.norm))


def reads_of(case: Case) -> tuple[tuple[int, ...], ...]:
    return case.reads or tuple((number - 1,) for number in range(len(case.sizes) - 1))


def dense_reads_of(case: Case) -> list[tuple[int, ...]]:
    return [read for number, read in enumerate(reads_of(case)) if number not in case.views]


def of_layers(case: Case, given: tuple[bool, ...]) -> list[bool]:
    count = len(case.sizes) - 1
    return [*given, *[False] * count][:count]


def scalars(case: Case) -> tuple[float, float, float, bool]:
    return 0.5, 0.1, 1.0, case.delay


def by_operators(case: Case) -> list[torch.Tensor]:
    made = make(case)
    values, notes = {-1: made.input_TBI}, []
    dense = zip(made.layers, made.gains, made.norms, strict=True)
    for number, read in enumerate(reads_of(case)):
        value = values[read[0]]
        for other in read[1:]:
            value = value + values[other]
        if number not in case.views:
            value, note = one_layer(case, value, *next(dense))
            notes.append(note)
        values[number] = value
    output_TBN = values[len(reads_of(case)) - case.idle - 1]
    loss, _ = operators.spike_time(output_TBN, made.target_TBN, *case.of_filter)
    if case.mean:
        loss = loss / made.target_TBN.numel()
    if loss.requires_grad:
        loss.backward()
    found = [loss.detach()]
    for (weight, current, voltage, _), note in zip(made.layers, notes, strict=True):
        grads = [weight.grad, *((current.grad, voltage.grad) if case.learn else ())]
        found += [note, *(torch.empty(0) if grad is None else grad for grad in grads)]
    return found


def one_layer(
    case: Case,
    value: torch.Tensor,
    layer: tuple[torch.Tensor, ...],
    gain_BN: torch.Tensor | None,
    norm: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes and notes, by operators and, in between, torch."""
    weight, current, *neurons = layer
    if case.bits is not None and gain_BN is None and not norm:
        out, _, notes, _ = operators.dense_cuba(
            value, weight, case.bits, current, *neurons, *scalars(case)
        )
        return out, notes
    if case.bits is not None:
        weight = operators.quantize_weight(weight, case.bits)
    z, lists = operators.linear(value, weight)
    if norm:
        z = operators.leaky(z, current)
        z = z - operators.quantize_weight(z.mean(dim=(0, 1)), NORM_BITS)
        current = torch.ones_like(current)
    if gain_BN is not None:
        z = z * gain_BN
    out, _, notes = operators.cuba(z, current, *neurons, *scalars(case))
    notes[2] = int(are_listed(lists))
    return out, notes


def layers_of(case: Case, made: Made) -> list[chain.Layer]:
    layers = []
    for (weight, current, *of), gain_BN, norm in zip(
        made.layers, made.gains, made.norms, strict=True
    ):
        between = None
        if norm or gain_BN is not None:
            of_norm = chain.MeanNorm(current, NORM_BITS, case.learn) if norm else None
            between = chain.Between(of_norm, gain_BN)
        own = torch.ones_like(current) if norm else current
        neurons = dynamics(len(weight), own, *of, *scalars(case))
        layers.append(chain.Layer(weight, case.bits, neurons, learns(own, of[0]), between))
    return layers


def placed(case: Case, layers: list[chain.Layer]) -> list[chain.Layer | None]:
    """With None for views."""
    of_dense = iter(layers)
    return [None if n in case.views else next(of_dense) for n in range(len(reads_of(case)))]


def distance(case: Case) -> chain.Distance:
    return chain.Distance(case.of_filter, case.mean)


@contextmanager
def room_for(case: Case) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if case.rooms == "ample":
            for name in "_MOST", "_MOST_ALONE", "_MOST_BESIDE":
                patch.setattr(ending, name, 1e9)
            patch.setattr(leaky, "_MOST", 1e9)
            for module in ending, leaky:
                patch.setattr(module, "left_beside", lambda *_: sys.maxsize)
        if case.rooms == "scarce":
            patch.setattr(ending, "_rooms", lambda crew, *_: (crew, False))
            patch.setattr(descent, "_LEAST_PART", 1)
            patch.setattr(descent, "_MORE_TERMS", 0)
        yield


@torch.no_grad()
def in_one_go(case: Case) -> list[torch.Tensor]:
    made = make(case)
    layers = layers_of(case, made)
    inputs = made.input_TBI, packed(made)  # the second time in memory that the first has left
    with room_for(case):
        found, again = (differentiated(case, made, layers, input_TBI) for input_TBI in inputs)
    for a, b in zip(found, again, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), "of words")
    return again


def packed(made: Made) -> torch.Tensor | SpikeWords:
    """The input in words, if it is spikes or counts."""
    is_counts = bool((made.input_TBI == made.input_TBI.round()).all())
    return words_of(made.input_TBI.numpy()) if is_counts else made.input_TBI


def differentiated(
    case: Case, made: Made, layers: list[chain.Layer], input_TBI: torch.Tensor | SpikeWords
) -> list[torch.Tensor]:
    is_graded, target = case.graded == "target", made.target_TBN
    if isinstance(input_TBI, SpikeWords) and not is_graded:
        target = words_of(target.numpy())  # as training has both
    examples = chain.examples(input_TBI, target, case.neurons, bool(case.reads))
    assert examples.target is not None
    assert (examples.target.spikes is None) == is_graded
    loss, passed = chain.differentiate(
        examples, placed(case, layers), distance(case), case.reads, case.idle
    )
    found, idle = [loss], idle_layers(case)
    for number, ((weight, *decays, _), layer) in enumerate(zip(made.layers, passed, strict=True)):
        assert layer.outputs == case.steps * case.batch * len(weight)
        assert (layer.grad_OI is None) == (layer.grad_decays is None)
        assert layer.grad_OI is None or number not in idle
        found += [layer.notes, torch.empty(0) if layer.grad_OI is None else layer.grad_OI]
        if layer.grad_decays is None:
            found += [torch.empty(0) for _ in decays if case.learn]
        else:
            grads = operators.decays.decay_gradients(layer.grad_decays, *decays)
            found += [grad for grad in grads if grad is not None]
    return found


def idle_layers(case: Case) -> range:
    """Their numbers among the layers, views not counted."""
    alive = len(reads_of(case)) - case.idle
    of_views = sum(number < alive for number in case.views)
    return range(alive - of_views, len(reads_of(case)) - len(case.views))


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


def check(case: Case) -> None:
    torch.set_num_threads(case.threads)
    for number, (found, expected) in enumerate(
        zip(in_one_go(case), by_operators(case), strict=True)
    ):
        np.testing.assert_array_equal(found.numpy(), expected.numpy(), f"result {number}")


@given(CASES)
@example(replace(PLAIN, steps=1))
@example(replace(PLAIN, density=0.0))
@example(replace(PLAIN, density=1.0))
@example(replace(PLAIN, density=1.0, scale=1e6))
@example(replace(PLAIN, of_filter=(0.6, 2, 5)))
@example(replace(PLAIN, sizes=(4, 3, 3), steps=2000, of_filter=(0.9999, 3, 1)))
@example(replace(PLAIN, batch=3, threads=3, delay=False))
@example(replace(PLAIN, sizes=(40, 33)))
@example(replace(PLAIN, sizes=(40, 64, 32, 96), batch=2))
@example(replace(PLAIN, sizes=(40, 64, 32, 96), batch=2, density=0.6, scale=40.0))
@example(replace(PLAIN, sizes=(40, 64, 64, 33), steps=1500, density=0.6, scale=40.0))
@example(replace(PLAIN, bits=None, batch=3))
@example(replace(PLAIN, bits=None, density=0.6, scale=40.0, steps=900, batch=3))
@example(replace(PLAIN, bits=None, graded="input"))
@example(replace(PLAIN, bits=None, graded="counts", steps=900))
@example(replace(PLAIN, graded="counts", density=0.15))
@example(replace(PLAIN, graded="all counts", batch=3, mean=True))
@example(replace(PLAIN, graded="all counts", sizes=(4, 3, 3), steps=2000, of_filter=(0.9999, 3, 1)))
@example(replace(PLAIN, dropout=(True, False), batch=2))
@example(replace(PLAIN, dropout=(False, True), batch=2, steps=1500, density=0.6, scale=40.0))
@example(replace(PLAIN, norm=(True, True), learn=True, batch=2, scale=40.0))
@example(replace(PLAIN, norm=(True, False), dropout=(True, True), batch=2, density=0.6, scale=9.0))
@example(replace(PLAIN, norm=(True, True), learn=True, own=True, batch=2, density=0.6, scale=9.0))
@example(replace(PLAIN, sizes=(300, 70, 33), rooms=""))
@example(replace(PLAIN, steps=1, rooms="scarce"))
@example(replace(PLAIN, steps=64, sizes=(40, 33), rooms="scarce"))
@example(replace(PLAIN, steps=65, batch=3, rooms="scarce"))
@example(replace(PLAIN, steps=640, density=1.0, scale=1e6, rooms="scarce"))
@example(replace(PLAIN, steps=200, of_filter=(0.9, 3, 70), batch=2, threads=1, rooms="scarce"))
@example(replace(PLAIN, steps=200, of_filter=(0.9, 3, 150), learn=True, rooms="scarce"))
@example(replace(PLAIN, steps=600, sizes=(9, 64, 200), density=0.9, rooms="scarce"))
@example(replace(PLAIN, steps=300, sizes=(40, 30, 20, 33), delay=False, rooms="scarce"))
@example(replace(PLAIN, sizes=(40, 30, 20, 33), batch=3, own=True, rooms="scarce"))
@example(replace(PLAIN, steps=200, norm=(True, True), learn=True, batch=3, rooms="scarce"))
@example(replace(PLAIN, sizes=(300, 70, 33), norm=(True, True), learn=True, batch=2, rooms=""))
def test_one_go_is_the_operators_one_after_the_other(case):
    check(case)


@st.composite
def wirings(draw: st.DrawFn) -> Case:
    """Layers that read any of those before and the input.

    But for the last live one, each of these is read by another; idle ones may be.
    """
    count, idle = draw(st.integers(1, 7)), draw(st.integers(0, 2))
    size = draw(st.integers(1, 40))
    reads = [set[int]() for _ in range(count)]
    for number in range(count - 1):
        reads[draw(st.integers(number + 1, count - 1))].add(number)
    for number, read in enumerate(reads):
        read |= draw(st.sets(st.integers(-1, number - 1), min_size=0 if read else 1))
    reads += [
        draw(st.sets(st.integers(-1, number - 1), min_size=1))
        for number in range(count, count + idle)
    ]
    twice = draw(st.sets(st.integers(-1, count)))  # by another name
    orders = tuple(
        tuple(draw(st.permutations([*sorted(read), *sorted(read & twice)]))) for read in reads
    )
    case = replace(draw(CASES), sizes=(size,) * (count + idle + 1), reads=orders, idle=idle)
    return with_views(case, draw(st.sets(st.integers(0, count + idle - 1))))


def with_views(case: Case, sums: set[int]) -> Case:
    """Some of the layers are views, but not all that the output depends on."""
    views = frozenset(n for n in sums if len(case.reads[n]) > 1)
    if views.issuperset(range(len(case.reads) - case.idle)):
        return case
    return replace(case, sizes=case.sizes[: len(case.sizes) - len(views)], views=views)


def residual(blocks: int, **changes: Any) -> Case:
    """A layer, and more of them that are added to all before."""
    reads, views = [(-1,)], set[int]()
    for _ in range(blocks):
        total = len(reads) - 1
        reads += [(total,), (total, total + 1)]
        views.add(total + 2)
    case = replace(PLAIN, sizes=(64,) * (len(reads) + 1), reads=tuple(reads), **changes)
    return with_views(case, views)


@given(wirings())
@example(replace(PLAIN, sizes=(64,) * 4, reads=((-1,), (-1, 0), (1, 0, -1)), steps=900, batch=2))
@example(replace(PLAIN, sizes=(64,) * 4, reads=((-1,), (0,), (0, 1)), scale=40.0, batch=3))
@example(replace(PLAIN, sizes=(64,) * 5, reads=((-1,), (0,), (0,), (0, 1, 2)), density=0.02))
@example(replace(PLAIN, sizes=(64,) * 3, reads=((-1,), (-1, 0)), graded="input"))
@example(
    with_views(
        replace(
            PLAIN,
            sizes=(64,) * 8,
            batch=2,
            scale=4.0,
            reads=((-1,), (-1,), (0, 1), (2,), (3, 2, 0), (1, 4, 2), (5, 4)),
        ),
        {2, 4},
    )
)
@example(with_views(replace(PLAIN, sizes=(64,) * 4, reads=((-1,), (0,), (0, 1)), batch=3), {2}))
@example(
    with_views(
        replace(
            PLAIN,
            sizes=(64,) * 8,
            batch=2,
            scale=4.0,
            graded="noise",
            reads=((-1,), (-1,), (1, -1), (0, 2, -1), (1, 3, 2), (2, -1), (5, 4)),
        ),
        {2, 4, 6},
    )
)
@example(
    replace(PLAIN, sizes=(64,) * 5, reads=((-1,), (0,), (0,), (1, 2)), idle=2, norm=(True,) * 4)
)
@example(
    with_views(
        replace(PLAIN, sizes=(64,) * 6, batch=2, reads=((-1,), (0, -1), (0, -1), (2,), (1, 2, 3))),
        {1, 2, 4},
    )
)
@example(
    with_views(
        replace(
            PLAIN,
            sizes=(64,) * 8,
            reads=((-1,), (0,), (1, 0), (0, 1), (3,), (2, 4), (3, 5)),
        ),
        {2, 3, 5, 6},
    )
)
@example(with_views(replace(PLAIN, sizes=(64,) * 4, reads=((-1,), (0, 0), (1, 0, 1))), {2}))
@example(with_views(replace(PLAIN, sizes=(64,) * 5, reads=((-1,), (-1,), (1,), (0, 1, 2))), {3}))
@example(residual(4))
@example(residual(3, batch=3, scale=40.0))
@example(residual(3, batch=2, norm=(True,) * 9))
@example(replace(PLAIN, sizes=(64,) * 3, reads=((-1, -1), (0,)), density=0.0))
@example(replace(PLAIN, sizes=(64,) * 3, reads=((-1, -1), (0,)), graded="noise"))
@example(replace(PLAIN, sizes=(64,) * 3, reads=((-1, -1), (0,)), graded="counts"))
@example(replace(PLAIN, sizes=(64,) * 3, reads=((-1,), (0, -1)), graded="counts", bits=None))
@example(
    replace(PLAIN, sizes=(64,) * 4, reads=((-1,), (0, -1), (-1, 1, 0)), graded="noise", density=1.0)
)
def test_layers_may_read_several_others(case):
    check(case)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows of gradients have gone through weights, each time."""
    found: list[int] = []
    as_it_is = handed_back.HandedBack._product

    def product(handed, rows, out):
        found.append(len(rows))
        return as_it_is(handed, rows, out)

    monkeypatch.setattr(handed_back.HandedBack, "_product", product)
    return found


def test_gradients_go_through_the_weights_of_each_layer_but_twice(products: list[int]) -> None:
    """However many come before it, each of which gets a part of what it hands back."""
    case = residual(12, batch=2)
    made = make(case)
    differentiated(case, made, layers_of(case, made), made.input_TBI)
    assert case.steps * case.batch * 12 <= sum(products) <= 2 * case.steps * case.batch * 12


def test_nothing_is_handed_back_to_sums_of_the_input_alone(
    products: list[int],
) -> None:
    reads = (-1, -1), (-1, -1, -1), (0, 1), (2,), (2,), (3, 4)
    case = with_views(replace(PLAIN, sizes=(64,) * 7, reads=reads, batch=2), {0, 1, 2})
    made = make(case)
    differentiated(case, made, layers_of(case, made), made.input_TBI)
    assert sum(products) == 2 * case.steps * case.batch  # from the last layer to the two before


@pytest.mark.parametrize("density", [0.05, 0.6])
def test_what_several_readers_hand_back_is_added_up_run_by_run(density, monkeypatch):
    monkeypatch.setattr(handed_back, "_RUN", 600)
    monkeypatch.setattr(adjoints, "_RUN", 400)
    case = replace(PLAIN, sizes=(64,) * 5, reads=((-1,), (0,), (0,), (0, 1, 2)), batch=2)
    check(replace(case, density=density, scale=4.0 if density < 0.5 else 40.0))


@pytest.mark.parametrize(
    ("case", "taken"),
    [
        (PLAIN, last_layer),
        (replace(PLAIN, batch=3, sizes=(40, 70, 64)), last_layer),
        (replace(PLAIN, batch=3, sizes=(40, 70, 32)), last_whole),  # one vector for two threads
        (replace(PLAIN, rooms=""), last_layer),  # by one thread
        (replace(PLAIN, rooms="", batch=2), last_layer),
        (replace(PLAIN, rooms="", batch=2, sizes=(900, 70, 33)), last_layer),
        (replace(PLAIN, rooms="", sizes=(20, 64), steps=400), last_layer),
        (replace(PLAIN, rooms="", sizes=(20, 10), steps=400), last_whole),  # less memory
        (replace(PLAIN, learn=True), last_layer),
        (replace(PLAIN, learn=True, batch=3, sizes=(40, 70, 32)), last_whole),
        (replace(PLAIN, graded="target"), None),
        (replace(PLAIN, graded="input"), last_layer),
        (replace(PLAIN, graded="input", sizes=(40, 33)), last_whole),
        (replace(PLAIN, density=0.6, sizes=(40, 33)), last_whole),
        (replace(PLAIN, graded="input", sizes=(40, 33), bits=None), last_whole),
        (replace(PLAIN, dropout=(True, True), batch=3), last_whole),
        (replace(PLAIN, norm=(True, True), learn=True), last_whole),
        (replace(PLAIN, norm=(True, True), learn=True, graded="target"), None),
        (replace(PLAIN, sizes=(4, 3, 3), steps=2000, of_filter=(0.9999, 3, 1)), None),
    ],
)
def test_the_last_layer_is_done_in_one_walk_where_it_can_be(case, taken, monkeypatch):
    """From its events to the gradients of its weights, or from what arrives and back there."""
    calls = list[object]()
    for module in last_layer, last_whole:
        walk = module.there_and_back
        monkeypatch.setattr(
            module,
            "there_and_back",
            lambda *given, walk=walk, module=module: calls.append(module) or walk(*given),
        )
    check(case)
    assert set(calls) == ({taken} if taken else set())


WIDE = replace(PLAIN, sizes=(200, 20, 10), batch=2, density=0.3)


@pytest.mark.parametrize(
    ("case", "is_listed"),
    [
        (WIDE, False),
        (replace(WIDE, sizes=(200, 10, 5), density=0.05), True),  # its list takes less than bits
        (replace(WIDE, sizes=(200, 130, 20)), True),  # it takes less than a byte by neuron and step
        (replace(WIDE, sizes=(200, 90, 20)), False),
        *((replace(WIDE, sizes=(n, 40, 33)), False) for n in (300, 319, 320, 321, 352, 353)),
        (replace(WIDE, sizes=(300, 8), learn=True, steps=1), False),
        (replace(WIDE, sizes=(4000, 8, 8), scale=1e6, bits=15, positive=True), False),
    ],
)
def test_the_events_of_a_wide_input_are_bits_where_lists_would_be_large(case, is_listed):
    """With the same results, also where sums of weights leave 32 bits."""
    made = make(case)
    source = chain.examples(made.input_TBI, made.target_TBN, case.neurons).source
    assert isinstance(source, Events)
    assert source.listed == is_listed
    check(case)


def test_a_wide_input_that_is_no_spikes_is_left_as_it_is():
    case = replace(WIDE, graded="input")
    made = make(case)
    source = chain.examples(made.input_TBI, made.target_TBN, case.neurons).source
    assert isinstance(source, np.ndarray)
    check(case)


DEEP = replace(PLAIN, sizes=(40, 70, 64, 33))


@pytest.mark.parametrize(
    ("case", "path"),
    [(DEEP, EVENTS), (replace(DEEP, density=0.6, scale=40.0, batch=2, delay=False), PRODUCT)],
)
def test_runs_of_steps_are_taken_as_the_operators_take_them(case, path, monkeypatch):
    """A few steps at a time, with spikes between layers that are events, or too many for that."""
    monkeypatch.setattr(adjoints, "_RUN", 400)
    monkeypatch.setattr(from_above, "_ROWS", 12)
    assert [int(notes[2]) for notes in in_one_go(case)[1::2]] == [path] * 3
    check(case)


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize(
    "change",
    [{"bits": None}, {"norm": (True,) * 3}, {"dropout": (True,) * 3, "positive": True}],
    ids=["off the grid", "norm", "dropout"],
)
def test_runs_of_a_current_that_is_whole_are_as_exact(change, batch, monkeypatch):
    """Neurons are walked through run by run, and sums are those of one product."""
    monkeypatch.setattr(adjoints, "_RUN", 400)
    case = replace(DEEP, density=0.6, scale=40.0, delay=False, steps=800, batch=batch, **change)
    assert [int(notes[2]) for notes in in_one_go(case)[1::2]] == [PRODUCT] * 3
    check(case)


def check_threads(case: Case) -> None:
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(in_one_go(case))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_the_number_of_threads_changes_nothing():
    # Long enough for threads to meet, and no layer silent.
    case = replace(PLAIN, sizes=(60, 200, 230), steps=800, batch=2, scale=2.0)
    for change in {}, {"bits": None}, {"norm": (True, True), "dropout": (True, True)}:
        changed = replace(case, **change)
        assert all(int(notes[3]) for notes in in_one_go(changed)[1::2])
        check_threads(changed)


@pytest.mark.parametrize(
    ("change", "rooms"),
    [
        ({}, 3),  # the way back from above to the hidden layer takes two
        ({"graded": "target"}, 4),  # of the last layer, one for the loss and one for the weights
        ({"dropout": (False, True)}, 4),
        ({"norm": (True, True), "learn": True}, 3),
    ],
)
def test_each_thread_works_in_memory_of_its_own(change, rooms, monkeypatch):
    """Two in one memory would disturb each other, but only where they happen to meet.

    A thread that comes late finds nothing left to do, so it gets more than one chance.
    """
    case = replace(PLAIN, sizes=(40, 150, 150), steps=3000, **change)
    untouched, taken = 0xA5, list[np.ndarray]()

    def take(shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
        room = np.empty(shape, dtype)
        room.view(np.uint8)[:] = untouched
        if len(shape) > 1 and shape[0] == case.threads:
            taken.append(room)
        return room

    used = chain, descent, end_of_sum, ending, handed_back, leaky, spike_time, synapses, walker
    for module in used:
        for name in "take", "scratch":
            if hasattr(module, name):
                monkeypatch.setattr(module, name, take)
    torch.set_num_threads(case.threads)
    touched = np.zeros((2 * rooms, case.threads), np.bool_)
    for _ in range(200):
        taken.clear()
        in_one_go(case)
        assert len(taken) == len(touched)
        for room, parts_touched in zip(taken, touched, strict=True):
            parts = room.reshape(case.threads, -1).view(np.uint8)
            parts_touched |= (parts != untouched).any(axis=1)
        if touched.all():
            break
    assert touched.all()


MANY = replace(PLAIN, sizes=(40, 70, 32), steps=3100, batch=2)


def test_samples_are_added_up_in_one_order_however_long_they_are():
    """By one walk for each vector of the last layer, by its parts, and by the operators."""
    for sizes in ((40, 70, 32), (40, 70, 64), (40, 70, 64, 33)):
        check(replace(MANY, sizes=sizes))
    check(replace(MANY, sizes=(40, 70, 64, 33), learn=True))
    check_threads(MANY)


@pytest.mark.parametrize("change", ["steps", "batch", "neurons", "inputs"])
def test_what_does_not_fit_is_not_computed(change):
    """Kernels look at no bounds."""
    made = make(PLAIN)
    layers = layers_of(PLAIN, made)
    cut = {"steps": (0, 20), "batch": (1, 0), "neurons": (2, 5)}
    target = made.target_TBN
    if change in cut:
        target = target.narrow(cut[change][0], 0, cut[change][1]).contiguous()
    else:
        layers = layers[1:]
    with pytest.raises(AssertionError, match=r"fit|differ"):
        chain.differentiate(
            chain.examples(made.input_TBI, target, PLAIN.neurons), layers, distance(PLAIN)
        )


class Memory:
    """What kernels are given, and how much of it there is at a time at most, in bytes."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.pool = buffers.BufferPool(self._allocate)

    def _allocate(self, size: int) -> np.ndarray:
        memory = np.empty(size, np.uint8)
        self._add(size)
        weakref.finalize(memory, self._add, -size)
        return memory

    def _add(self, size: int) -> None:
        self.now += size
        self.most = max(self.most, self.now)

    def serves_kernels(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in list(sys.modules.values()):
            for name in "take", "scratch":
                if module.__name__.startswith("netdesc.kernels.cpu.") and hasattr(module, name):
                    monkeypatch.setattr(module, name, getattr(self.pool, name))


def peak_of(case: Case, threads: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that there and back take at most: the second time, as compiling holds on to memory."""
    torch.set_num_threads(threads)
    memory = Memory()
    with torch.no_grad():
        made = make(case)
        for again in False, True:
            layers = layers_of(case, made)
            if again:
                memory.serves_kernels(monkeypatch)
            examples = chain.examples(made.input_TBI, made.target_TBN, case.neurons)
            before = memory.most = memory.now
            loss, _ = chain.differentiate(examples, layers, distance(case))
            assert loss > 0
    assert memory.most > before
    return memory.most - before


@pytest.mark.parametrize(
    ("case", "most"),
    [
        (Case((60, 64), steps=101, density=0.01, dropout=(True,)), 1.75),
        (Case((60, 64), steps=150, density=0.15, norm=(True,), learn=True), 1.75),
        (Case((128, 64), steps=500, density=0.05), 2.25),
        (Case((854, 77, 68), steps=120, density=0.43, scale=0.2), 1.75),  # products
        (Case((60, 64), steps=500, density=0.05, graded="target"), 2.25),
        (Case((64, 32, 20), steps=500, density=0.05), 1.55),
        (Case((64, 32, 20), steps=150, batch=3, density=0.05), 1.65),
        (Case((64, 256, 20), steps=120, density=0.5), 1.85),
        (Case((60, 256, 32), steps=120, density=0.05, norm=(True,)), 1.75),
    ],
)
def test_the_smallest_networks_take_little_beside_gradients_of_weights(
    case: Case, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers for each value; what threads work with is as much as that of a vector of neurons."""
    peak = peak_of(case, 2, monkeypatch)
    values = case.steps * case.batch * case.neurons
    vectors = sum(
        -(-outputs // LANES) * inputs for inputs, outputs in itertools.pairwise(case.sizes)
    )
    assert peak - 4 * LANES * vectors <= most * 4 * values


@pytest.mark.parametrize(
    "case",
    [
        Case((128, 100), steps=150, density=0.1, of_filter=(0.9, 1, 150)),
        Case((256, 100), steps=150, batch=2, density=0.1, dropout=(True,)),
        Case((128, 200), steps=150, density=0.05, norm=(True,), learn=True),
        Case((256, 128, 20, 32), steps=100, batch=2, density=0.5),  # products
        Case((128, 32, 200, 100), steps=100, density=0.3, norm=(True,)),
        Case((64, 128, 100, 100), steps=100, density=0.3),
    ],
)
def test_threads_take_less_where_gradients_of_weights_are_as_much_as_the_activity(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = case.steps * case.batch * case.neurons
    weights = sum(outputs * inputs for inputs, outputs in itertools.pairwise(case.sizes))
    assert 0.75 * values < weights < values
    assert peak_of(case, 4, monkeypatch) <= 2.5 * 4 * values


def test_threads_take_what_they_like_where_gradients_of_weights_are_few_or_more_than_all_else():
    few, many, too_many = (
        budget.left_beside(gradients, 1.0, 1000) for gradients in (100, 1200, 1251)
    )
    assert few == 1200
    assert many == 100
    assert too_many == sys.maxsize


@pytest.mark.parametrize(
    ("gradients", "are_heavy"), [(500, False), (501, True), (1300, True), (1301, False)]
)
def test_weights_of_a_layer_are_heavy_unless_they_are_most_of_the_memory_anyway(
    gradients: int, are_heavy: bool
) -> None:
    assert budget.are_heavy(gradients, 1000) == are_heavy


LARGE = Case((200, 256, 200), steps=1000, density=0.02, of_filter=(0.6, 2, 1000))


@pytest.mark.parametrize(
    ("case", "is_sparse"),
    [
        (LARGE, True),
        (replace(LARGE, sizes=(200, 256)), True),
        (replace(LARGE, sizes=(200, 256, 256, 256)), True),
        (replace(LARGE, sizes=(200, 256, 10), batch=4), True),
        (replace(LARGE, batch=4, delay=False), True),
        (replace(LARGE, batch=8, density=0.2), True),
        (replace(LARGE, steps=400, batch=16, density=0.5, scale=8.0, positive=True), False),
        (replace(LARGE, sizes=(200, 256, 256, 200), batch=8, density=0.5, scale=0.7), None),
        (replace(LARGE, steps=400, batch=16, density=0.5, scale=8.0, sizes=(200, 256)), False),
    ],
)
def test_a_step_takes_no_more_than_two_and_a_half_numbers_for_each_value(
    case: Case, is_sparse: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the batch; a value is a step of a neuron for a sample. Gradients count as well.

    ``is_sparse`` is None where the input alone is dense.
    """
    memory, lists = Memory(), buffers.BufferPool(np.zeros)
    memory.serves_kernels(monkeypatch)
    monkeypatch.setattr(events, "_zeros", lists)
    torch.set_num_threads(2)
    with torch.no_grad():
        made = make(case)
        layers = layers_of(case, made)
        examples = chain.examples(made.input_TBI, made.target_TBN, case.neurons)
        loss, passed = chain.differentiate(examples, layers, distance(case))
    assert loss > 0
    sparse = [int(layer.notes[2]) == EVENTS for layer in passed]
    others = is_sparse is not False
    assert sparse == [bool(is_sparse), *[others] * (len(sparse) - 1)]
    taken = memory.most
    for held in lists._buffers.values():
        for buffer in held:
            pages = buffer.memory[: buffer.memory.size // 4096 * 4096].reshape(-1, 4096)
            taken += 4096 * int(pages.any(axis=1).sum())
    values = case.steps * case.batch * case.neurons
    assert taken <= 2.5 * 4 * values
