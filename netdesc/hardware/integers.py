"""Converts a layer's parameters to the integers that the device stores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from netdesc.caller import UserError
from netdesc.graph import Graph, SynapticNode, layers
from netdesc.hardware.integer_neurons import RecurrentIntegers
from netdesc.kernels.fixed_point import (
    BIAS_BITS,
    DECAY_ONE,
    MAX_BIAS,
    STATE_UNIT,
    WEIGHT_UNIT,
    weight_limits,
)
from netdesc.neurons.definition import Definition, ParameterKind
from netdesc.neurons.models.fields import MAX_LEVEL

Integers = NDArray[np.int32]
Weights = Mapping[str, NDArray[np.float32]]
"""Maps a name in the state dict to the parameter. Weight norms are folded into the weights."""

BIAS_LIMIT = int(MAX_BIAS * WEIGHT_UNIT)
"""Largest magnitude of a bias, in units of 1/64."""

WEIGHT_BITS = 6
"""The unit of weights, biases and thresholds is 2⁻⁶ of a threshold unit."""

MAX_EXPONENT, EPSILON = 3, np.float32(1e-5)
"""Limit and summand of the norm ``mean_variance``, as in training."""

MAX_EXACT_FLOAT64 = 1 << 53
"""float64 holds every integer up to this magnitude."""


class FoldedModel(Protocol):
    """A model with its graph and its weights, such as the ``model`` that ``netdesc.compile`` makes.

    ``folded_state()`` returns the weights, with weight norms folded into them.
    """

    @property
    def graph(self) -> Graph: ...

    def folded_state(self) -> Weights: ...


class HardwareError(UserError):
    """The device cannot store a layer; the message names the layer."""

    exit_code = 1


@dataclass(frozen=True, eq=False)
class LayerIntegers:
    """Parameters of a layer's synapses and neurons, in the device's integers.

    ``weights`` are those of the layer, one for each input of the neuron, in units of 1/64.
    ``parameters`` are those of the definition, [channels], or [] if all neurons share one value:
    decays, factors and levels (``grid``) in units of 1/4096, thresholds in units of 1/64.
    ``bias`` [channels] is in units of 1/64. What arrives, and the bias, are divided by
    2^``exponent``. ``delays`` [channels] are the steps of the output beside the axonal step.
    """

    definition: Definition
    weights: tuple[Integers, ...]
    parameters: dict[str, NDArray[Any]]
    bias: Integers | None = None
    exponent: int = 0
    delays: Integers | None = None

    def on_grid(self) -> dict[str, NDArray[Any]]:
        """Returns the parameters and the bias as the equations compute with them."""
        kinds, bits = dict(self.definition.parameters), self.definition.unit_bits
        values = {name: _ON_GRID[kinds[name]](v, bits) for name, v in self.parameters.items()}
        bias = np.zeros(1, np.int64) if self.bias is None else self.bias.astype(np.int64)
        return values | {"bias": _ON_GRID["threshold"](bias, bits - self.exponent)}


def layer_integers(layer: SynapticNode, weights: Weights) -> LayerIntegers:
    """Converts the parameters of ``layer`` to integers.

    Raises HardwareError if the layer's weights are not quantised, or a parameter is NaN.
    """
    neuron = layer.neuron
    if layer.bits is None:
        way = 'which the device needs: train with "quantization": {"bits": 8}'
        raise HardwareError(f'layer "{layer.name}" has weights that are not quantised, {way}')
    read, definition = partial(read_values, layer, weights), neuron.definition()
    values: dict[str, Any] = dict(neuron.values())
    for name in values:
        if f"layers.{layer.name}.neuron.{name}" in weights:
            values[name] = read(f"neuron.{name}").astype(np.float64)
    derived = neuron.derive(np, values)
    bias, norm = None, neuron.norm
    if layer.section.learns_bias:
        bias = np.clip(read("neuron.bias"), -MAX_BIAS, MAX_BIAS) * np.float32(WEIGHT_UNIT)
        bias = np.rint(bias).astype(np.int32)
    if norm is not None:
        mean = quantize(read("neuron.norm.running_mean"), BIAS_BITS)
        bias = np.clip((0 if bias is None else bias) - mean, -BIAS_LIMIT, BIAS_LIMIT)
    integers = LayerIntegers(
        definition=definition,
        weights=tuple(quantize_weights(layer, read(name)) for name in layer.weight_names),
        parameters=integer_parameters(definition, derived),
        bias=bias,
        delays=_delays(layer, read),
    )
    if norm != "mean_variance":
        return integers
    if neuron.type_name() == "equations":
        way = 'which the device does not have: train with "norm": "mean"'
        raise HardwareError(f'layer "{layer.name}" has equations with the norm "{norm}", {way}')
    # The norm divides by the deviation, rounded up to a power of two.
    variance = read("neuron.norm.running_var") + EPSILON
    squares = 4.0 ** np.arange(-MAX_EXPONENT, MAX_EXPONENT, dtype=np.float32)
    return fold_scale(integers, int(np.count_nonzero(variance > squares)) - MAX_EXPONENT)


def read_values(layer: SynapticNode, weights: Weights, name: str) -> NDArray[np.float32]:
    """Returns a tensor of a layer's state dict. Raises HardwareError if a value is NaN."""
    values = weights[f"layers.{layer.name}.{name}"]
    if np.isnan(np.min(values, initial=0)):
        raise HardwareError(f'layer "{layer.name}" has a {name} that is NaN')
    return values


def _delays(layer: SynapticNode, read: Callable[[str], NDArray[np.float32]]) -> Integers | None:
    section = layer.section.delay
    if section is None:
        return None
    if section.steps is None:
        delays = np.clip(read("neuron.axonal.delay"), 0, section.most).astype(np.int32)
    else:
        delays = np.full(layer.channels, section.steps, np.int32)
    return delays if delays.any() else None


def integer_parameters(
    definition: Definition, values: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Converts the parameters of equations, real numbers or arrays, as ``LayerIntegers`` says."""
    return {name: INTEGERS[kind](values[name]) for name, kind in definition.parameters}


def fold_scale(integers: LayerIntegers, exponent: int) -> LayerIntegers:
    """Returns a layer without the division by 2^exponent that the norm makes.

    What the norm divides is compared with larger thresholds instead, if it is not handed on and all
    thresholds stay on the grid; else what arrives is divided (see ``fold_into_weights``). States
    are rounded to 1/4096 elsewhere than with the norm.
    """
    kinds = dict(integers.definition.parameters)
    thresholds = {
        name: _scaled(value, exponent)
        for name, value in integers.parameters.items()
        if kinds[name] == "threshold"
    }
    limit, values = MAX_LEVEL * WEIGHT_UNIT, thresholds.values()
    stay_on_grid = all(value is not None and (value <= limit).all() for value in values)
    if integers.definition.output is None and stay_on_grid:
        return replace(integers, parameters=integers.parameters | thresholds)
    return replace(integers, exponent=exponent)


def fold_into_weights(integers: LayerIntegers) -> LayerIntegers | None:
    """Returns a layer whose weights and bias are divided, in place of what arrives.

    None if they leave the grid of weights.
    """
    if not integers.exponent:
        return integers
    low, high = weight_limits(8)
    bias = None if integers.bias is None else _scaled(integers.bias, -integers.exponent)
    if bias is None and integers.bias is not None:
        return None
    weights = [_scaled(weight, -integers.exponent) for weight in integers.weights]
    for weight in weights:
        if weight is None or (weight % 2).any() or weight.min() < low or weight.max() > high:
            return None
    return replace(integers, weights=tuple(weights), bias=bias, exponent=0)


def _scaled(values: NDArray[Any], exponent: int) -> NDArray[Any] | None:
    if exponent >= 0:
        return values << exponent
    return None if (values % (1 << -exponent)).any() else values >> -exponent


def quantize_weights(layer: SynapticNode, values: NDArray[np.float32]) -> Integers:
    """Returns weights of a layer, which has quantised ones, as integers."""
    assert layer.bits is not None
    step = int(layer.weight_step)
    return quantize(values / np.float32(step) if step > 1 else values, layer.bits) * step


def quantize(values: NDArray[np.float32], bits: int) -> Integers:
    low, high = weight_limits(bits)
    numbers = np.array(np.clip(values, low / WEIGHT_UNIT, high / WEIGHT_UNIT))  # none overflows
    numbers *= WEIGHT_UNIT / 2
    np.rint(numbers, out=numbers)  # in place, for layers of many weights
    numbers *= 2
    return np.clip(numbers, low, high, out=numbers).astype(np.int32)


def _share(lowest: int, value: Any) -> NDArray[Any]:
    # The engines of training read float32.
    clipped = np.clip(np.asarray(value, np.float32), lowest, 1)
    return np.rint(clipped * np.float32(DECAY_ONE)).astype(np.int64)


def _level(unit: int, value: Any) -> NDArray[Any]:
    return np.trunc(np.clip(value, -MAX_LEVEL, MAX_LEVEL) * float(unit)).astype(np.int64)


INTEGERS: dict[ParameterKind, Callable[[Any], NDArray[Any]]] = {
    "decay": partial(_share, 0),
    "factor": partial(_share, -1),
    "threshold": partial(_level, WEIGHT_UNIT),
    "grid": partial(_level, STATE_UNIT),
    "real": lambda value: np.asarray(value, np.float32),
}
"""Kind -> the integer of a parameter, from its real value; real numbers stay as they are."""

_ON_GRID: dict[ParameterKind, Callable[[NDArray[Any], int], NDArray[Any]]] = {
    "decay": lambda decay, _: DECAY_ONE - decay,
    "factor": lambda factor, _: factor,
    "threshold": lambda mantissa, unit_bits: mantissa << (unit_bits - WEIGHT_BITS),
    "grid": lambda level, unit_bits: level << (unit_bits - 12),
    "real": lambda value, _: value,
}
"""Kind -> the number that equations compute with, from that of ``INTEGERS``."""


def _inhibition(layer: SynapticNode, weights: Weights) -> RecurrentIntegers:
    section, count = cast("layers.WinnerTakeAll", layer.section), layer.neurons
    matrix = np.full((count, count), -section.inhibition, np.float32)
    np.fill_diagonal(matrix, section.self_excitation)
    name, threshold = "neuron.threshold", layer.neuron.values()["threshold"]
    if f"layers.{layer.name}.{name}" in weights:
        threshold = read_values(layer, weights, name)
    # The engines of training compute in float32.
    share = np.float32(section.drive_share)
    drive = quantize(np.asarray(np.float32(threshold) * share), BIAS_BITS)
    return RecurrentIntegers([quantize_weights(layer, matrix)], drive)


_UNTRAINED: dict[type, Callable[..., RecurrentIntegers]] = {layers.WinnerTakeAll: _inhibition}
"""Class of a section -> its integers that are not learnt, from the layer and the state dict."""


def recurrent_integers(layer: SynapticNode, weights: Weights) -> RecurrentIntegers | None:
    """Returns the integers of a recurrent layer, which ``layer_integers`` accepts; else None.

    Raises HardwareError if a weight is NaN.
    """
    if layer.recurrent is None:
        find = _UNTRAINED.get(type(layer.section))
        return None if find is None else find(layer, weights)
    values = [read_values(layer, weights, name) for name in layer.recurrent.weight_names]
    grid = [quantize_weights(layer, matrix) for matrix in values]
    return RecurrentIntegers(grid, np.array(0, np.int32))
