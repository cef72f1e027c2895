"""What arrives at neurons in the integer run, compiled and in Python, against torch's sums."""

from typing import Any
from unittest import mock

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernel_layers import TRANSPOSED, Case, geometry, kernel_layers
from support.modules_samples import dense, graph, neuron
from torch.nn import functional

from netdesc.hardware import synaptic_sums
from netdesc.hardware.synaptic_sums import SynapticSums

DENSE = st.tuples(st.integers(1, 9), st.integers(1, 40)).map(lambda n: (dense("a", n[0]), (n[1],)))


def torch_sums(layer: dict[str, Any], images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Sums in float64, which are exact here, [steps, neurons]."""
    if layer["type"] == "dense":
        return images @ weight.T
    shape = {name: values for name, values in geometry(layer).items() if name != "kernel"}
    shape["groups"] = groups = images.shape[1] // weight.shape[1]
    if not TRANSPOSED[layer["type"]]:
        del shape["output_padding"]
        return functional.conv2d(images, weight, None, **shape).flatten(1)
    by_input = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    return functional.conv_transpose2d(images, by_input, None, **shape).flatten(1)


@settings(max_examples=100, deadline=None)
@given(
    kernel_layers() | DENSE,
    st.sampled_from([1, 900, 1 << 35]),
    st.sampled_from([0.05, 0.9]),
    st.booleans(),
    st.integers(0, 99),
)
def test_sums_are_exact(
    case: Case, largest: int, density: float, is_small: bool, seed: int
) -> None:
    layer, shape = case
    node: Any = graph({"name": "a", "neuron": neuron(), **layer}, shape=shape).layers[0]
    random = np.random.default_rng(seed)
    weight = random.integers(-128, 128, node.weight_shape).astype(np.int32)
    full = weight
    if weight.ndim == 1:  # for all synapses
        full = np.full((shape[0], 1, *node.section.kernel_size), weight)
    input_TI = random.integers(-largest, largest + 1, (5, int(np.prod(shape))))
    input_TI *= random.random(input_TI.shape) < density
    images = torch.from_numpy(input_TI.astype(float).reshape(5, *shape))
    expected_TN = torch_sums(layer, images, torch.from_numpy(full.astype(float)))
    sums = SynapticSums(node, weight)
    with (
        mock.patch.object(synaptic_sums, "MIN_PRODUCT", 1 << 24 if is_small else 0),
        mock.patch.object(synaptic_sums, "MAX_EXACT_FLOAT64", (1 << 53) * is_small),
    ):
        for is_compiled in (False, True):
            np.testing.assert_array_equal(sums(input_TI, is_compiled), expected_TN)
            assert sums(input_TI[:0], is_compiled).shape == (0, node.neurons)
