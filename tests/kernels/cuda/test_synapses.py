"""Dense synapses and segments on the CUDA engine, against the reference.

Without a GPU, Triton interprets the kernels (see ``conftest``). That takes about ten milliseconds
for each step and block of columns, so layers are small here.
"""

import importlib.util
import math

import pytest
import torch
from support.cuba_cases import CUBA, GPU, Layer, layers, plain_layer
from support.cuba_gradients import LEARNT
from support.grids import check_examples, examples, grid

from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine
from netdesc.kernels.grid import quantize

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None, reason="Triton is not installed"
    ),
    # Tests overflow on purpose, of which numpy warns.
    pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter"),
]


def check(layer: Layer) -> None:
    """Compares all bits of output and counts with the reference."""
    for ours, theirs in zip(layer.forward("cuda"), layer.forward("reference"), strict=True):
        assert (ours.dtype, ours.device.type) == (theirs.dtype, GPU.type)
        assert torch.equal(ours.cpu(), theirs)


@examples(2, 40)
def test_layers_equal_the_reference(number: int) -> None:
    def check_layer(layer: Layer) -> None:
        check(layer)
        results = []
        for engine in ("cuda", "reference"):
            tensors = layer.tensors(*LEARNT, engine=engine)
            out, _ = layer.forward(engine, tensors)
            grad_out = torch.randn(out.shape, generator=torch.Generator().manual_seed(0))
            out.backward(grad_out.to(out.device))
            results.append([tensors[name].grad for name in LEARNT])
        largest = max(float(each.abs().max()) for each in results[1])
        for ours, theirs in zip(*results, strict=True):
            assert ours.shape == theirs.shape
            assert (ours.cpu() - theirs).abs().max() <= 2e-5 * largest

    unsaturated = layers(max_steps=12).filter(lambda layer: abs(layer.exact().v).max() < 1 << 29)
    check_examples(number, check_layer, unsaturated)


def test_a_segment_of_several_layers_equals_the_reference() -> None:
    """Weights may be strided, and the input's gradient may not be needed."""
    random = torch.Generator().manual_seed(0)
    spikes = (torch.rand(9, 2, 20, generator=random) < 0.3).float()
    weights = [torch.randn(30, 20, generator=random), torch.randn(30, 12, generator=random).T]
    grad_out = torch.randn(9, 2, 12, generator=random)
    results = []
    for engine, device in (("cuda", GPU), ("reference", torch.device("cpu"))):
        real = [each.detach().to(device).requires_grad_() for each in weights]
        parameters = [torch.tensor(x, device=device) for x in (0.5, 0.3, 0.1, 0.0, 0.1, 0.5)] * 2
        arguments = f"{CUBA}\n{CUBA}", [1, 0] * 2, True
        with use_engine(engine):
            out, counts, _ = operators.segment(spikes.to(device), real, parameters, *arguments)
            out.backward(grad_out.to(device))
        results.append(([out, *counts], [each.grad for each in real]))
    (found, grads), (expected, expected_grads) = results
    assert all(torch.equal(a.cpu(), b) for a, b in zip(found, expected, strict=True))
    assert expected[0].sum() > 0
    for ours, theirs in zip(grads, expected_grads, strict=True):
        assert (ours.cpu() - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_nan_and_infinite_weights_count_alike_on_engines():
    for density in (0.05, 1.0):
        layer = plain_layer(4, steps=5, density=density)
        layer.weight[0, :3] = math.nan, math.inf, -math.inf
        check(layer)


@pytest.mark.parametrize("value", grid([0.5, 3.0, 1 / 3, 2049.0, 1e-7, -1.0], [1 / 3, 2049.0]))
def test_graded_spikes_among_others(value):
    """Several tiles of rows and inputs, one of which holds a value that is not binary."""
    layer = plain_layer(5, steps=35, batch=3, inputs=70, neurons=6, density=0.1)
    layer.spikes[30, 2, 69] = value
    layer.weight[:, 69] = 0.5  # so that the sum is exact whatever the value
    assert 35 * 3 > 64
    check(layer)


@pytest.mark.parametrize("value", [math.nan, math.inf, 3.4e38])
@pytest.mark.parametrize("count", grid([1, 5], [5]))
def test_nan_and_infinite_inputs_count_as_in_the_reference(value, count):
    layer = plain_layer(6, steps=5, batch=3, density=0.3)
    layer.spikes[2, 1, :count] = value
    layer.weight[:, 1:5] = layer.weight[:, :1]  # sums overflow in whatever order they are taken
    check(layer)


@pytest.mark.parametrize(
    ("rows", "outputs", "inputs"), [(1, 1, 1), (300, 3, 5), (2000, 70, 65), (65, 130, 33)]
)
def test_gradients_of_the_product(rows, outputs, inputs):
    """Many rows are added up in parts; weights that are clamped or NaN get a gradient of 0."""
    from netdesc.kernels.cuda import synapses

    random = torch.Generator().manual_seed(0)
    grad_z = torch.randn(rows, 1, outputs, generator=random)
    signal = torch.randn(rows, 1, inputs, generator=random)
    signal *= torch.rand(signal.shape, generator=random) < 0.2
    weight = torch.randn(outputs, inputs, generator=random) * 4
    weight.view(-1)[7:8] = math.nan
    inside = ((weight * 32).round() >= -128) & ((weight * 32).round() <= 127)
    of_weight = torch.einsum("rbo,rbi->oi", grad_z.double(), signal.double()) * inside
    of_signal = grad_z.double() @ quantize(weight, 8).double()
    ours = grad_z.to(GPU), signal.to(GPU), weight.to(GPU)
    for found, expected in (
        (synapses.weight_gradient(*ours), of_weight),
        (synapses.input_gradient(ours[0], ours[2]), of_signal),
    ):
        size = expected.abs().max().item()
        torch.testing.assert_close(found.cpu().double(), expected, rtol=0, atol=1e-5 * size)
