"""Finds scales of initial weights with which neurons are active, but not saturated.

Layer after layer, in the order in which they run, the layer itself runs on what the layers before
it send for a few samples. The activity of a layer is what its input changes of its output: the
share of the values that spike, or the root mean square of graded levels. The scale is the smallest
of a geometric grid with which the activity reaches a target. The reference engine computes, so that
every device finds the same scales, and no kernels are compiled. Of many trainings in one process,
all but the first find the kernels compiled, so another engine may compute what has the same bits.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from netdesc.graph import INPUT, Graph, SynapticNode
from netdesc.kernels.engines import torch_on_one_thread, use_engine
from netdesc.kernels.fixed_point import WEIGHT_UNIT
from netdesc.modules.block import SynapticBlock
from netdesc.modules.network import Network
from netdesc.modules.plain import Block
from netdesc.modules.synapse import Synapse

TARGET_RATE = 0.025
"""Spikes of a neuron in a step."""

TARGET_LEVEL = 1.0
"""Root mean square of what neurons without spikes send."""

SATURATED_SHARE = 0.3
"""Largest share of the activity with ``MAX_EXPONENT`` that is a target, for neurons that cannot
reach the others."""

RECURRENT_SHARE = 0.1
"""Standard deviation of what neurons get from one another, in that of what they get from the
input."""

STEPS_PER_OCTAVE, MIN_EXPONENT, MAX_EXPONENT = 4, -24, 32
"""Scales are 2^(exponent / 4)."""

_NEARLY_NONE = 2.0**-20
"""A factor that leaves nothing of weights, and that can be taken back exactly."""

MAX_SAMPLES = 32
MAX_VALUES = 1 << 20
"""Bounds of the samples that are computed: their number, and the values of their largest layer."""

ASSUMED_RATE = 0.05
"""Spikes of an input in a step, where there are no samples."""


@dataclass(frozen=True)
class FoundScale:
    """The scales of a layer by their fields; ``activity`` is that of the layer's neurons.

    ``zeros`` and ``clamped`` are the shares of the weights that the grid makes 0, or limits.
    """

    scales: Mapping[str, float]
    activity: float
    zeros: float
    clamped: float


def searched_fields(layer: SynapticNode) -> list[str]:
    """Returns the fields of a layer that are "auto"."""
    fields = ("weight_scale", "recurrent_weight_scale")
    return [name for name in fields if isinstance(getattr(layer.section, name, None), str)]


def assumed_input(graph: Graph, seed: int) -> Tensor:
    """Returns random spikes for a network without data, float32 [steps, samples, *input shape]."""
    generator = torch.Generator().manual_seed(seed)
    shape = (graph.steps, sample_count(graph), *graph.input_shape)
    return (torch.rand(shape, generator=generator) < ASSUMED_RATE).float()


def sample_count(graph: Graph) -> int:
    """Returns the number of samples with which scales are found."""
    sizes = [math.prod(graph.input_shape), *(layer.neurons for layer in graph.neuron_layers)]
    return max(1, min(MAX_SAMPLES, MAX_VALUES // (graph.steps * max(sizes))))


@torch.no_grad()
def find_scales(
    network: Network, input_TBN: Tensor, fast_engine: str = "reference"
) -> dict[str, FoundScale]:
    """Returns the scales of the layers whose fields are "auto", by the names of the layers.

    ``network`` has the weights as they are drawn, and is changed: its weights get the scales.
    ``input_TBN`` are samples, float32 [steps, samples, *input shape], on the CPU. ``fast_engine``
    computes the layers whose sums are exact: those of quantised weights and whole numbers.
    """
    values, scales = {INPUT: input_TBN}, dict[str, FoundScale]()
    with torch_on_one_thread():
        for layer in network.graph.layers:
            block = cast(Block, network.layers[layer.name])
            signals = [values[name] for name in layer.inputs]
            signal = signals[0] if len(signals) == 1 else block.join(signals)
            is_exact = isinstance(layer, SynapticNode) and layer.section.quantization is not None
            is_exact = is_exact and torch.equal(signal, signal.round())
            with use_engine(fast_engine if is_exact else "reference"):
                if isinstance(layer, SynapticNode):
                    block = cast(SynapticBlock, block)
                    block.neuron.dropout = 0.0
                    if searched_fields(layer):
                        scales[layer.name] = _search(layer, block, signal)
                if layer is not network.graph.layers[-1]:
                    values[layer.name] = block(signal)
    return scales


def _search(layer: SynapticNode, block: SynapticBlock, signal: Tensor) -> FoundScale:
    """Finds the scales of a layer, and multiplies its weights by them."""
    fields, scales, neuron = searched_fields(layer), dict[str, float](), layer.neuron
    spikes = neuron.definition().spike is not None

    def levels(input: Tensor) -> Tensor:
        output = block(input)
        return output.cumsum(0) if neuron.sends_changes else output

    silent = levels(torch.zeros_like(signal))

    tried: dict[float, float] = {}

    def activity(factor: float = 1.0) -> float:
        _multiply(block.synapse.parts, factor)
        output = levels(signal)
        _multiply(block.synapse.parts, 1 / factor)
        if spikes:
            tried[factor] = (output != silent).count_nonzero().item() / output.numel()
        else:
            tried[factor] = (output - silent).double().square().mean().item() ** 0.5
        return tried[factor]

    recurrent = block.recurrent if "recurrent_weight_scale" in fields else None
    own = [] if recurrent is None else recurrent.parts
    _multiply(own, _NEARLY_NONE)
    if "weight_scale" in fields:
        is_idle = neuron.norm == "mean_variance"  # it divides by the deviation of what arrives
        target = TARGET_RATE if spikes else TARGET_LEVEL
        scales["weight_scale"] = 1.0 if is_idle else _smallest(activity, target)
        _multiply(block.synapse.parts, scales["weight_scale"])
    if recurrent is not None:
        out_TBN = block(signal).flatten(2)
        _multiply(own, 1 / _NEARLY_NONE)
        arrived = [out_TBN @ weight_NN.T for weight_NN in recurrent.weights()]
        scales["recurrent_weight_scale"] = _recurrent_scale(block.arrive(signal)[0], arrived)
        _multiply(own, scales["recurrent_weight_scale"])
    at_scale = None if recurrent else tried.get(scales["weight_scale"])
    at_scale = activity() if at_scale is None else at_scale
    return FoundScale(scales, at_scale, *_grid_shares(layer, block))


def _multiply(parts: Sequence[Synapse], factor: float) -> None:
    for part in parts:
        part.multiply(factor)


def _scale(exponent: int) -> float:
    """Returns a scale of three digits, which a document shows as it is."""
    return float(f"{2 ** (exponent / STEPS_PER_OCTAVE):.3g}")


def _smallest(activity: Callable[[float], float], target: float) -> float:
    """Returns the smallest scale whose activity reaches the target; 1 if none has any."""
    if not (most := activity(_scale(MAX_EXPONENT))):
        return 1.0
    low, high, target = MIN_EXPONENT - 1, MAX_EXPONENT, min(target, SATURATED_SHARE * most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if activity(_scale(middle)) >= target else (middle, high)
    return _scale(high)


def _recurrent_scale(from_input: Sequence[Tensor], from_neurons: Sequence[Tensor]) -> float:
    """Returns the scale by which neurons get ``RECURRENT_SHARE`` from one another; 1 if either is
    constant."""
    arrived, own = (torch.stack(list(inputs)).std().item() for inputs in (from_input, from_neurons))
    if not arrived or not own:
        return 1.0
    exponent = round(STEPS_PER_OCTAVE * math.log2(RECURRENT_SHARE * arrived / own))
    return _scale(min(max(exponent, MIN_EXPONENT), MAX_EXPONENT))


def _grid_shares(layer: SynapticNode, block: SynapticBlock) -> tuple[float, float]:
    """Returns the shares of the weights that are 0 on the grid, and beyond its ends."""
    grid, weights = layer.section.quantization, block.synapse.parts[0].folded()
    sizes = weights[weights != 0].abs()
    if grid is None or not sizes.numel():
        return 0.0, 0.0
    zeros, clamped = sizes <= grid.scale / WEIGHT_UNIT, sizes > grid.range
    return zeros.double().mean().item(), clamped.double().mean().item()
