"""Synapses with a kernel, without neurons: their output and gradients on every engine."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from support.kernel_layers import TRANSPOSED, Case, both, geometry, kernel_layers
from support.thread_counts import check_thread_counts
from torch.nn import functional

from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine
from netdesc.kernels.kernel_shape import KernelShape
from netdesc.kernels.packing import holds_spikes

ENGINES = ("reference", "cpu")


@dataclass(frozen=True)
class Problem:
    layer: dict[str, Any]
    shape: tuple[int, int, int]
    steps: int = 7
    batch: int = 2
    density: float = 0.05
    graded: bool = False
    bits: int | None = 8
    seed: int = 0

    @property
    def kernel_shape(self) -> KernelShape:
        pairs = {name: (rows, columns) for name, (rows, columns) in geometry(self.layer).items()}
        del pairs["kernel"]
        has_channels = "channels" in self.layer
        groups = self.layer.get("groups", 1) if has_channels else self.shape[0]
        return KernelShape(**pairs, groups=groups, is_transposed=TRANSPOSED[self.layer["type"]])

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        random = torch.Generator().manual_seed(self.seed)
        size = self.steps, self.batch, *self.shape
        signal = (torch.rand(size, generator=random) < self.density).float()
        if self.graded:
            signal *= torch.rand(size, generator=random)
        groups = self.kernel_shape.groups
        channels = self.layer.get("channels", self.shape[0])
        kernel = channels, self.shape[0] // groups, *both(self.layer["kernel"])
        weight = torch.randn(kernel, generator=random)
        if self.bits is not None:
            weight = operators.quantize_weight(weight, self.bits)
        return signal, weight


PROBLEMS = st.builds(
    lambda case, **more: Problem(*case, **more),
    kernel_layers(),
    steps=st.integers(1, 20),
    batch=st.integers(1, 3),
    density=st.sampled_from([0.0, 0.02, 0.05, 0.2, 1.0]),
    graded=st.sampled_from([False, False, True]),
    bits=st.sampled_from([None, 8, 3]),
    seed=st.integers(0, 99),
)


def oracle(problem: Problem, signal: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The convolution by torch, [steps, batch, neurons]."""
    shape, images = problem.kernel_shape, signal.flatten(0, 1)
    if shape.is_transposed:
        turned = weight.unflatten(0, (shape.groups, -1)).transpose(1, 2).flatten(0, 1)
        more = shape.output_padding, shape.groups, shape.dilation
        out = functional.conv_transpose2d(images, turned, None, shape.stride, shape.padding, *more)
    else:
        more = shape.padding, shape.dilation, shape.groups
        out = functional.conv2d(images, weight, None, shape.stride, *more)
    return out.reshape(*signal.shape[:2], -1)


def run(problem: Problem, engine: str | None) -> list[torch.Tensor]:
    """Output, gradient of the input and gradient of the weight; without engine the oracle's."""
    signal, weight = problem.tensors()
    if engine is None:
        signal, weight = signal.double(), weight.double()
    signal.requires_grad_()
    weight.requires_grad_()
    if engine is None:
        z = oracle(problem, signal, weight)
    else:
        with use_engine(engine):
            z, _ = operators.convolution(signal, weight, problem.kernel_shape.to_numbers())
    random = torch.Generator().manual_seed(problem.seed + 1)
    z.backward(torch.randn(z.shape, generator=random).to(z.dtype))
    return [z.detach(), signal.grad, weight.grad]


@pytest.mark.parametrize("engine", ENGINES)
@given(PROBLEMS)
@example(Problem({"type": "conv", "kernel": 5, "padding": 2, "channels": 40}, (3, 12, 11), 40))
@example(Problem({"type": "conv", "kernel": 3, "channels": 33}, (70, 4, 5), 30, density=0.02))
def test_convolutions_equal_those_of_torch(engine: str, problem: Problem) -> None:
    found, exact = run(problem, engine), run(problem, None)
    if problem.bits is not None and not problem.graded:
        torch.testing.assert_close(found[0], exact[0].float(), rtol=0, atol=0)
    for one, other in zip(found, exact, strict=True):
        size = max(1.0, other.abs().max().item())
        assert (one.double() - other).abs().max() <= 2e-5 * size


@given(kernel_layers(("conv", "conv_transpose")))
def test_no_program_setting_rounds_factors(case: Case) -> None:
    """Products of payloads need all bits of a float32."""
    problem, before = Problem(*case, graded=True), torch.get_float32_matmul_precision()
    expected = [run(problem, engine)[0] for engine in ENGINES]
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found = [run(problem, engine)[0] for engine in ENGINES]
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


CONV = Problem({"type": "conv", "kernel": 3, "channels": 4}, (2, 6, 7))


@pytest.mark.parametrize(
    ("signal", "weight", "groups"),
    [
        ((3, 1, 2, 6), (4, 2, 3, 3), 1),
        ((3, 1, 2, 6, 7), (4, 3, 3, 3), 1),
        ((3, 1, 2, 2, 7), (4, 2, 3, 3), 1),
        ((3, 1, 4, 6, 7), (3, 2, 3, 3), 2),
        ((0, 1, 2, 6, 7), (4, 2, 3, 3), 1),
    ],
)
def test_a_kernel_that_does_not_fit_is_refused(signal, weight, groups) -> None:
    numbers = CONV.kernel_shape._replace(groups=groups).to_numbers()
    with pytest.raises(ValueError, match="do not fit an input of shape"):
        operators.convolution(torch.zeros(signal), torch.zeros(weight), numbers)


@pytest.mark.parametrize(("density", "graded", "is_listed"), [
    (0.0, False, True), (0.05, False, True), (0.6, False, False), (0.05, True, False),
])  # fmt: skip
def test_events_are_read_if_the_input_is_sparse(density, graded, is_listed) -> None:
    """Then the input itself is not saved for the backward pass."""
    problem = Problem(CONV.layer, CONV.shape, density=density, graded=graded)
    signal, weight = problem.tensors()
    numbers = problem.kernel_shape.to_numbers()
    z, packed = operators.convolution(signal, weight.requires_grad_(), numbers)
    assert holds_spikes(packed) == is_listed
    assert (z.grad_fn.saved_tensors[0] is None) == is_listed


@pytest.mark.parametrize("density", [0.05, 0.6])
def test_the_number_of_threads_changes_nothing(density) -> None:
    layer = {"type": "conv", "kernel": 3, "channels": 9}
    problem = Problem(layer, (3, 9, 9), steps=200, batch=3, density=density)
    check_thread_counts(lambda: run(problem, "cpu"))
