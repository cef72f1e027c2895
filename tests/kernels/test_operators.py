"""The operators in torch: registration, engines, and errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.cuba_cases import ENGINES, plain_layer, segment_of_one

from netdesc.kernels import operators
from netdesc.kernels.engine import EngineError, engine_name, requested_engine, use_engine

EMPTY = torch.empty(0)
DECAY = torch.tensor(0.3)
NUMBERS = [0.5, 1.0, 1.0, 1.0]
SIGNAL = torch.rand(6, 2, 7, generator=torch.Generator().manual_seed(0))
STATES = (SIGNAL * 4096).to(torch.int32)


def sparse() -> torch.Tensor:
    spikes = torch.zeros(6, 2, 5)
    spikes[2, 1, 3] = spikes[4, 0, 1] = 1
    return spikes


WEIGHT = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))

LABELS = torch.tensor([[0, 4]]).expand(6, 2)


def leaf(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.clone().requires_grad_()


SEGMENT_NUMBERS = [8.0, *NUMBERS] * 2


def two_layers() -> list[torch.Tensor]:
    return [
        leaf(WEIGHT), leaf(DECAY), DECAY, EMPTY, EMPTY,
        leaf(WEIGHT[:4, :].T.contiguous().T @ torch.ones(5, 7)), DECAY, DECAY, EMPTY, EMPTY,
    ]  # fmt: skip


def plain(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    return [tensor.detach() for tensor in tensors]


def saved_by_segment() -> list[torch.Tensor]:
    """The tensors that the engine in use saves in the forward pass of a segment."""
    return operators.segment(sparse(), plain(two_layers()), SEGMENT_NUMBERS, [True, False], True)[2]


CALLS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "class_labels": lambda: (torch.tensor([0, 3, 1], dtype=torch.int32), 4),
    "cuba": lambda: (leaf(SIGNAL), leaf(DECAY), leaf(SIGNAL[0, 0]), EMPTY, EMPTY, NUMBERS),
    "cuba_backward": lambda: (SIGNAL, STATES, DECAY, DECAY, EMPTY, EMPTY, NUMBERS, True),
    "linear": lambda: (leaf(sparse()), leaf(WEIGHT)),
    "linear_backward": lambda: (
        SIGNAL, sparse(), torch.empty(0, dtype=torch.int32), WEIGHT, True
    ),
    "leaky": lambda: (leaf(SIGNAL), leaf(DECAY)),
    "leaky_backward": lambda: (SIGNAL, SIGNAL, DECAY, True),
    "quantize_weight": lambda: (leaf(WEIGHT), 8),
    "segment": lambda: (leaf(sparse()), two_layers(), SEGMENT_NUMBERS, [True, False], True),
    "segment_backward": lambda: (
        SIGNAL[:, :, :4].contiguous(), sparse(), plain(two_layers()), SEGMENT_NUMBERS,
        [True, False], saved_by_segment(), True,
    ),
    "spike_time": lambda: (leaf(SIGNAL), torch.zeros_like(SIGNAL), 0.6, 2, 100),
    "spike_time_backward": lambda: (SIGNAL, torch.tensor(1.0), 0.6, 2, 100),
    "window_classes": lambda: (sparse(), 3),
    "window_loss": lambda: (leaf(sparse()), LABELS, 3, "softmax", 0.0, 0.0),
    "window_loss_backward": lambda: (
        sparse(), LABELS, torch.tensor(1.0), 3, "softmax", 0.0, 0.0
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("engine", ENGINES)
def test_opcheck_accepts_the_operators(name, engine):
    """Schema, autograd and fake tensors."""
    operator = getattr(torch.ops.netdesc, name).default
    utilities = (
        "test_schema",
        "test_autograd_registration",
        "test_faketensor",
        "test_aot_dispatch_static",
        "test_aot_dispatch_dynamic",
    )
    with use_engine(engine):
        torch.library.opcheck(operator, CALLS[name](), test_utils=utilities)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_current_is_saved_only_if_the_decay_is_learnt(engine: str):
    """It is as large as a layer's activity."""
    with use_engine(engine):
        inputs = [leaf(SIGNAL), leaf(SIGNAL)]
        fixed = operators.leaky(inputs[0], DECAY)
        learnt = operators.leaky(inputs[1], leaf(DECAY))
        sizes = [u.grad_fn.saved_tensors[0].numel() for u in (fixed, learnt)]
        (fixed + learnt).backward(SIGNAL)
    assert sizes == [0, SIGNAL.numel()]
    assert torch.equal(inputs[0].grad, inputs[1].grad)
    assert inputs[0].grad.any()


def test_engines_are_chosen_by_device():
    assert engine_name(torch.device("cpu")) == "cpu"
    assert requested_engine() == "auto"
    with use_engine("reference"):
        assert engine_name(torch.device("meta")) == engine_name(torch.device("cpu")) == "reference"
        with use_engine("auto"):
            assert engine_name(torch.device("cpu")) == "cpu"
        assert requested_engine() == "reference"
    assert requested_engine() == "auto"


def test_engines_that_cannot_run():
    with pytest.raises(EngineError, match="unknown engine 'gpu'; netdesc has auto, reference, cpu"):
        use_engine("gpu").__enter__()
    with pytest.raises(EngineError, match="no fast engine for device 'meta'"):
        engine_name(torch.device("meta"))
    with use_engine("cpu"), pytest.raises(EngineError, match=r"runs on device 'cpu'.* on 'meta'"):
        engine_name(torch.device("meta"))
    assert issubclass(EngineError, ValueError)


def dense(spikes=None, weight=None, decays=(DECAY, DECAY), bias=EMPTY, threshold=0.5):
    """Spikes, voltages and notes of a layer."""
    return segment_of_one(
        sparse() if spikes is None else spikes,
        WEIGHT if weight is None else weight,
        decays,
        bias,
        [threshold, *NUMBERS[1:]],
    )


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "doubles": (lambda: dense(spikes=sparse().double()), "input has type float64"),
    "booleans": (lambda: dense(spikes=sparse().bool()), "input has type bool"),
    "integers": (lambda: dense(spikes=sparse().long()), "input has type int64"),
    "halves": (lambda: dense(spikes=sparse().bfloat16()), "input has type bfloat16"),
    "few of the inputs": (lambda: dense(spikes=sparse().to_sparse()), "input has layout sparse"),
    "few of the weights": (lambda: dense(weight=WEIGHT.to_sparse()), "weight has layout sparse"),
    "complex weights": (
        lambda: operators.quantize_weight(WEIGHT.to(torch.complex64), 8),
        "weight has type complex64",
    ),
    "double weights": (lambda: dense(weight=WEIGHT.double()), "weight has type float64"),
    "no batch": (lambda: dense(spikes=sparse()[:, :0]), r"shape \[6, 0, 5\]"),
    "no time": (lambda: dense(spikes=sparse()[:0]), r"shape \[0, 2, 5\]"),
    "one dimension too few": (lambda: dense(spikes=sparse()[0]), r"\[steps, batch, neurons\]"),
    "weights of another size": (lambda: dense(weight=WEIGHT[:, :4]), r"\[7, 4\] do not fit"),
    "decays of another size": (
        lambda: dense(decays=(DECAY, torch.rand(6))),
        r"voltage decay has shape \[6\]; \[7\] is needed",
    ),
    "double decays": (lambda: dense(decays=(torch.rand(7).double(), DECAY)), "type float64"),
    "a bias of another size": (lambda: dense(bias=torch.rand(6)), r"bias has shape \[6\]"),
    "threshold 0": (lambda: dense(threshold=0.0), "threshold 0 is not in 0.015625 to 32768"),
    "threshold below the grid": (lambda: dense(threshold=0.0156), "threshold 0.0156 is not"),
    "threshold beyond states": (lambda: dense(threshold=131073.0), "is not in"),
    "threshold NaN": (lambda: dense(threshold=math.nan), "threshold nan is not"),
    "cuba doubles": (
        lambda: operators.cuba(SIGNAL.double(), DECAY, DECAY, EMPTY, EMPTY, NUMBERS),
        "input has type float64",
    ),
    "leaky decays": (lambda: operators.leaky(SIGNAL, torch.rand(3)), r"decay has shape \[3\]"),
    "leaky without time": (lambda: operators.leaky(SIGNAL[:0], DECAY), r"shape \[0, 2, 7\]"),
    "target of another shape": (
        lambda: operators.spike_time(SIGNAL, SIGNAL[:, :1], 0.6, 2, 100),
        r"output has shape \[6, 2, 7\], its target \[6, 1, 7\]",
    ),
    "target of another type": (
        lambda: operators.spike_time(SIGNAL, SIGNAL.double(), 0.6, 2, 100),
        "target has type float64",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("engine", ENGINES)
def test_tensors_that_do_not_fit_are_refused(case, engine):
    """Kernels would read or write outside of their memory."""
    call, message = REFUSED[case]
    with use_engine(engine), pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("value", [math.nan, -0.5, 1.5, math.inf])
@pytest.mark.parametrize("per_neuron", [False, True])
def test_decays_are_clamped_to_their_range(value, per_neuron):
    """An optimizer's step may leave the range before decays are projected back."""
    clamped = torch.tensor(min(1.0, max(0.0, value)))
    decay = torch.tensor(value)
    if per_neuron:
        clamped, decay = clamped.expand(7), decay.expand(7)
    for engine in ENGINES:
        with use_engine(engine):
            _, found, *_ = dense(decays=(decay, decay))
            _, expected, *_ = dense(decays=(clamped, clamped))
        assert torch.equal(found, expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_any_bias(value):
    found = []
    for engine in ENGINES:
        with use_engine(engine):
            found.append(dense(bias=torch.full((7,), value)))
    assert all(torch.equal(a, b) for a, b in zip(found[0][:2], found[1][:2], strict=True))
    limit = 0 if math.isnan(value) else 2**29
    assert abs(found[0][1][0, 0, 0].item()) == limit


def test_default_types_and_devices_do_not_change_cached_tensors():
    layer = plain_layer(1, current_decay=torch.tensor(0.123).numpy(), neurons=23)
    expected = layer.forward("reference")
    tensors = layer.tensors()
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            found = layer.forward("cpu", tensors)
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(found[1], expected[1])
    assert torch.equal(layer.forward("cpu")[1], expected[1])


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("engine", ENGINES)
def test_autocast_changes_nothing_in_operators(engine, density):
    layer = plain_layer(2, density=density)
    results = []
    for autocast in (False, True):
        tensors = layer.tensors("spikes", "weight", "current_decay")
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            out, voltage, *_ = layer.forward(engine, tensors)
            out.sum().backward()
        leaves = ("spikes", "weight", "current_decay")
        results.append([out, voltage, *(tensors[name].grad for name in leaves)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_odd_numbers_as_spikes(engine):
    """Denormals, NaN and infinities neither crash nor spread to other samples."""
    odd = sparse()
    odd[1, 0] = torch.tensor([1e-42, math.nan, math.inf, -math.inf, -0.0])
    with use_engine(engine):
        out, voltage, *_ = dense(spikes=odd)
        _, clean, *_ = dense(spikes=sparse())
    assert torch.isfinite(out).all()
    assert torch.equal(voltage[:, 1], clean[:, 1])


class _NoGradient(torch.autograd.Function):
    """Returns no gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return None


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "loss",
    [
        lambda output: operators.spike_time(output, torch.zeros_like(output), 0.6, 2, 100)[0],
        lambda output: operators.window_loss(output, LABELS, 3, "softmax", 0.0, 0.0),
        lambda output: dense(output)[0].sum(),
    ],
)
def test_a_missing_gradient_counts_as_zero(engine, loss):
    output = sparse().requires_grad_()
    with use_engine(engine):
        (_NoGradient.apply(loss(output)) + output.sum()).backward()
    assert torch.equal(output.grad, torch.ones_like(output))
