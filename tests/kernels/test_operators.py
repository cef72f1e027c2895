"""The operators in torch: registration, engines, and errors."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.cuba_cases import CUBA, ENGINES
from support.grids import grid

from netdesc.kernels import operators
from netdesc.kernels.engines import EngineError, engine_name, requested_engine, use_engine

SIGNAL = torch.rand(6, 2, 7, generator=torch.Generator().manual_seed(0))
DECAY = torch.tensor(0.3)


def sparse() -> torch.Tensor:
    spikes = torch.zeros(6, 2, 5)
    spikes[2, 1, 3] = spikes[4, 0, 1] = 1
    return spikes


WEIGHT = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))

IMAGES = sparse().repeat(1, 1, 3)[..., :12].reshape(6, 2, 2, 2, 3).contiguous()
KERNEL = torch.randn(2, 2, 2, 2, generator=torch.Generator().manual_seed(2))
SLIDE = [1, 1, 0, 0, 1, 1, 0, 0, 1, 0]
"""Numbers of a ``KernelShape``: a stride of 1, and no padding."""


def leaf(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.clone().requires_grad_()


def two_layers(learnt: bool = False) -> list[Any]:
    """Weights, parameters, definitions and numbers of a segment. The first layer's decay learns."""
    weights = [WEIGHT, WEIGHT[:4].T.contiguous().T @ torch.ones(5, 7)]
    first, second = ([torch.tensor(each) for each in (0.5, 0.3, 0.3, 0.0, 0.1, 0.5)],) * 2
    if learnt:
        weights, first = [leaf(each) for each in weights], [first[0], leaf(DECAY), *first[2:]]
    return [weights, [*first, *second], f"{CUBA}\n{CUBA}", [1, 1, 1, 0]]


def saved_by_segment() -> list[torch.Tensor]:
    """The tensors that the engine in use saves in the forward pass of a segment."""
    return operators.segment(sparse(), *two_layers(), True)[2]


CALLS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "class_labels": lambda: (torch.tensor([0, 3, 1], dtype=torch.int32), 4),
    "convolution": lambda: (leaf(IMAGES), leaf(KERNEL), SLIDE),
    "convolution_backward": lambda: (
        SIGNAL[..., :4].contiguous(), IMAGES, torch.empty(0, dtype=torch.int32), KERNEL, SLIDE,
        [2, 2, 3], True
    ),
    "linear": lambda: (leaf(sparse()), leaf(WEIGHT)),
    "linear_backward": lambda: (
        SIGNAL, sparse(), torch.empty(0, dtype=torch.int32), WEIGHT, True
    ),
    "quantize_weight": lambda: (leaf(WEIGHT), 8),
    "segment": lambda: (leaf(sparse()), *two_layers(learnt=True), True),
    "segment_backward": lambda: (
        SIGNAL[:, :, :4].contiguous(), sparse(), *two_layers(), saved_by_segment(), True
    ),
    "spike_time": lambda: (leaf(SIGNAL), torch.zeros_like(SIGNAL), 0.6, 2, 100, True),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("engine", grid(ENGINES, ["cpu"]))
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


def dense(spikes: torch.Tensor | None = None, weight: torch.Tensor = WEIGHT) -> torch.Tensor:
    """The output of a layer."""
    spikes, (_, parameters, *_) = sparse() if spikes is None else spikes, two_layers()
    return operators.segment(spikes, [weight], parameters[:6], CUBA, [1, 0], True)[0]


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
    "target of another shape": (
        lambda: operators.spike_time(SIGNAL, SIGNAL[:, :1], 0.6, 2, 100, True),
        r"output has shape \[6, 2, 7\], its target \[6, 1, 7\]",
    ),
    "target of another type": (
        lambda: operators.spike_time(SIGNAL, SIGNAL.double(), 0.6, 2, 100, True),
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


def test_tensors_that_another_engine_saved_are_refused():
    """As in compiled code, which does not record the engine of the forward pass."""
    with use_engine("reference"):
        saved = saved_by_segment()
    gradient, backward = SIGNAL[:, :, :4].contiguous(), torch.ops.netdesc.segment_backward
    with use_engine("cpu"), pytest.raises(EngineError, match="another engine"):
        backward(gradient, sparse(), *two_layers(), saved, True)


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
        lambda output: operators.spike_time(output, torch.zeros_like(output), 0.6, 2, 100, True)[0],
        lambda output: dense(output).sum(),
    ],
)
def test_a_missing_gradient_counts_as_zero(engine, loss):
    output = sparse().requires_grad_()
    with use_engine(engine):
        (_NoGradient.apply(loss(output)) + output.sum()).backward()
    assert torch.equal(output.grad, torch.ones_like(output))
