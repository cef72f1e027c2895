"""Layers with a kernel: shapes, numbers of synapses, and inputs that do not fit."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from support.damaged_samples import slips
from support.exchange_samples import document as sample_document
from support.kernel_layers import TRANSPOSED, Case, expected_shape, geometry, kernel_layers

from netdesc.description.models import layers

SECTIONS = {
    each.type_name(): each
    for each in (layers.Conv, layers.ConvTranspose, layers.SumPool, layers.Upsample)
}


def section(layer: dict[str, Any]) -> layers.KernelSection:
    full = {"name": "a", "neuron": "cuba", **layer}
    return SECTIONS[layer["type"]].model_validate_json(json.dumps(full))


@given(kernel_layers())
def test_shapes_and_synapses(case: Case) -> None:
    layer, shape = case
    found, output = section(layer), expected_shape(layer, shape)
    assert found.output_shape(shape) == output
    pairs = output[0] * shape[0] // found.groups_of(shape[0])
    for axis in (0, 1):
        kernel, stride, padding, dilation, _ = (pair[axis] for pair in geometry(layer).values())
        near, far = output[1 + axis], shape[1 + axis]
        if TRANSPOSED[layer["type"]]:
            near, far = far, near
        at = np.add.outer(np.arange(near) * stride - padding, np.arange(kernel) * dilation)
        pairs *= int(((at >= 0) & (at < far)).sum())
    assert found.synapses(shape) == pairs


CONV = '"type": "conv", "channels": 4, "neuron": "cuba", "kernel": 3'
POOL = '"type": "sum_pool", "neuron": "cuba", "kernel": 2'
WRONG = {
    # the layer, the shape of its input -> the field, a part of the message
    (CONV, "[6]"): ("type", "needs an input of three dimensions"),
    (CONV, "[8, 8, 2]"): ("kernel", "[channels, height, width]"),
    (CONV + ', "dilation": [1, 5], "padding": 1', "[2, 9, 8]"): ("kernel",
     "kernel of 3×3, which its dilation makes 3×11, larger than its padded input of 11×10"),
    (CONV + ', "groups": 3', "[3, 9, 9]"): ("groups", "3 groups, which do not divide the 4"),
    (CONV.replace("conv", "conv_transpose") + ', "output_padding": 1', "[2, 9, 9]"): (
     "output_padding", "output padding that is not smaller than its stride or dilation"),
    (CONV.replace("conv", "conv_transpose") + ', "padding": [1, 9]', "[2, 3, 3]"): ("padding",
     "cuts off every column"),
    (POOL, "[2, 8, 9]"): ("kernel", "would not read the last 1 column"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_shape_that_does_not_fit_is_one_diagnostic(case, tmp_path) -> None:
    (layer, shape), (field, message) = case, WRONG[case]
    neurons = {"cuba": {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0}}
    layers = [{"name": "a", **json.loads("{" + layer + "}")}]
    document = sample_document(json.loads(shape), layers, data=None, neurons=neurons)
    (diagnostic,) = slips(json.dumps(document, indent=1), tmp_path)
    assert (diagnostic.code, diagnostic.pointer) == ("ND207", f"/layers/0/{field}")
    assert message in f"{diagnostic.message}; {diagnostic.hint}"
    assert diagnostic.hint
    assert "a conv" in diagnostic.notes[0] or "a sum_pool" in diagnostic.notes[0]
