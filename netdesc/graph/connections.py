"""Counts connections: how many each value of a layer's input has, and how many a neuron has."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models import layers
from netdesc.graph.nodes import Graph, LayerNode, SynapticNode

Rates = Mapping[str, NDArray[Any]]
"""Name of a layer, or INPUT -> events of its values, [values] a step or in all."""


def fan_out(layer: SynapticNode, weight: NDArray[Any] | None = None) -> NDArray[np.int64]:
    """Returns the number of connections of each value of the input, [inputs].

    ``weight`` has ``layer.weight_shape``: connections whose weight is 0 do not count then. The
    weights from the layer's own outputs are not among them.
    """
    exists = np.ones(layer.weight_shape, bool) if weight is None else weight != 0
    section: Any = layer.section
    if section.is_elementwise:
        return np.full(math.prod(layer.input_shape), int(exists.flat[0]))
    if len(layer.weight_shape) == 2:
        return exists.sum(axis=0)
    channels, *sizes = layer.input_shape
    groups, outputs = section.groups_of(channels), layer.output_shape
    kernel = exists
    if len(layer.weight_shape) == 1:  # one weight for all synapses of a pool
        kernel = np.broadcast_to(exists, (channels, 1, *section.kernel_size))
    count_CYX = kernel.reshape(groups, -1, *kernel.shape[1:]).sum(axis=1)
    count_CYX = count_CYX.reshape(channels, *section.kernel_size)
    taps = [_taps(section, axis, sizes[axis], outputs[1 + axis]) for axis in (0, 1)]
    return np.einsum("cyx,hy,wx->chw", count_CYX, *taps).reshape(-1)


def fan_in(layer: SynapticNode) -> int:
    """Returns the largest number of connections of a neuron of the layer, its own included."""
    section: Any = layer.section
    own = layer.neurons if section.feeds_back else 0
    if section.is_elementwise or len(layer.weight_shape) == 2:
        return math.prod(layer.weight_shape[1:]) + own
    channels, *sizes = layer.input_shape
    taps = (
        _taps(section, axis, layer.output_shape[1 + axis], sizes[axis], is_output=True)
        for axis in (0, 1)
    )
    return channels // section.groups_of(channels) * math.prod(int(t.sum(1).max()) for t in taps)


def _taps(
    section: Any, axis: int, count: int, others: int, *, is_output: bool = False
) -> NDArray[Any]:
    """Returns whether each row (column) of the input, or of the output, has each row of the kernel,
    0 or 1 [count, taps]. ``others`` is the number of rows on the other side.
    """
    stride, at_NK = int(section.strides[axis]), np.arange(count)[:, None]
    offset_K = np.arange(int(section.kernel_size[axis])) * int(section.dilations[axis])
    offset_K = offset_K - int(section.paddings[axis])
    if section.is_transposed != is_output:  # this side strides
        at_NK = at_NK * stride + offset_K
        return np.where((at_NK >= 0) & (at_NK < others), 1, 0)
    at_NK = at_NK - offset_K
    return np.where((at_NK % stride == 0) & (at_NK >= 0) & (at_NK < others * stride), 1, 0)


def events_into(graph: Graph, events: Rates) -> dict[str, NDArray[Any]]:
    """Returns the events that reach each layer with synapses, [inputs], by its name.

    ``events`` are those of the input and of layers with neurons. Where several layers are summed,
    their events add up. A layer is missing if what it reads is not known, as behind a pool.
    """
    known, reached = dict(events), dict[str, NDArray[Any]]()
    for layer in graph.layers:
        parts = [known[name] for name in layer.inputs if name in known]
        if len(parts) < len(layer.inputs):
            continue
        joined = np.sum(parts, axis=0) if layer.section.sums_inputs else _join(layer, parts)
        if isinstance(layer, SynapticNode):
            reached[layer.name] = joined
        elif type(layer.section) in KEEP_EVENTS:
            known[layer.name] = joined
    return reached


KEEP_EVENTS = (layers.Flatten, layers.Reshape, layers.Delay, layers.Concat)
"""Classes of sections whose output has the events of their input."""


def _join(layer: LayerNode, parts: list[NDArray[Any]]) -> NDArray[Any]:
    section: Any = layer.section
    before = math.prod(layer.input_shape[: section.axis])
    rows = [part.reshape(before, -1) for part in parts]
    return np.concatenate(rows, axis=1).reshape(-1)
