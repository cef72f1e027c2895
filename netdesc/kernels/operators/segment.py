"""The operator ``segment``: consecutive dense layers with quantised weights."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from netdesc.kernels.engine import assumed_engine, engine_for, engine_name
from netdesc.kernels.operators.parameters import check_saved, gradients_of_parameters
from netdesc.kernels.packing import holds_spikes
from netdesc.kernels.registration import fake, gradient, operator
from netdesc.kernels.segments import (
    NUMBERS_PER_LAYER,
    check_segment,
    learnable_places,
    segment_layers,
    segment_saved,
)

_Forward = tuple[Tensor, list[Tensor], list[Tensor]]
_Backward = tuple[Tensor, list[Tensor], list[Tensor]]


@operator
def segment(
    input_TBI: Tensor,
    weights: list[Tensor],
    parameters: list[Tensor],
    definitions: str,
    numbers: list[int],
    keep: bool,
) -> _Forward:
    """Returns the last layer's output [steps, batch, outputs], notes of layers, saved tensors.

    ``kernels.segments`` explains the lists, which describe the layers. A layer computes ``z = W s``
    with weights quantised by ``quantize_weight``. ``keep`` says whether a backward pass follows;
    otherwise no tensors are saved.
    """
    layers = segment_layers(weights, parameters, definitions, numbers)
    check_segment(input_TBI, layers)
    return tuple(engine_for(input_TBI.device).segment(input_TBI, layers, keep))


@operator
def segment_backward(
    grad_out_TBN: Tensor,
    input_TBI: Tensor | None,
    weights: list[Tensor],
    parameters: list[Tensor],
    definitions: str,
    numbers: list[int],
    saved_tensors: list[Tensor],
    want_input: bool,
) -> _Backward:
    """Returns the gradients of the input, of the weights, and of learnable parameters.

    The input's gradient is empty unless ``want_input``. The input may be None if ``saved_tensors``
    hold its spikes. Raises EngineError if another engine saved these tensors.
    """
    device = grad_out_TBN.device
    layers = segment_layers(weights, parameters, definitions, numbers)
    shape = *grad_out_TBN.shape[:2], weights[0].shape[1]
    expected = [each for each, _ in segment_saved(layers, shape, engine_name(device))]
    check_saved(saved_tensors, expected)
    engine = engine_for(device)
    gradients = engine.segment_backward(grad_out_TBN, input_TBI, layers, saved_tensors, want_input)
    return tuple(gradients)


@fake("segment")
def _(
    input_TBI: Tensor,
    weights: list[Tensor],
    parameters: list[Tensor],
    definitions: str,
    numbers: list[int],
    keep: bool,
) -> _Forward:
    layers = segment_layers(weights, parameters, definitions, numbers)
    steps, batch, _ = input_TBI.shape
    engine = assumed_engine(input_TBI.device)
    saved = segment_saved(layers, input_TBI.shape, engine) if keep else []
    return (
        input_TBI.new_empty(steps, batch, len(weights[-1])),
        [
            input_TBI.new_empty(len(each.neurons.program.states) + 2, dtype=torch.int64)
            for each in layers
        ],
        [input_TBI.new_empty(shape, dtype=dtype) for shape, dtype in saved],
    )


@fake("segment_backward")
def _(
    grad_out_TBN: Tensor,
    input_TBI: Tensor | None,
    weights: list[Tensor],
    parameters: list[Tensor],
    definitions: str,
    numbers: list[int],
    saved_tensors: list[Tensor],
    want_input: bool,
) -> _Backward:
    layers = segment_layers(weights, parameters, definitions, numbers)
    steps, batch, _ = grad_out_TBN.shape
    return (
        grad_out_TBN.new_empty((steps, batch, weights[0].shape[1]) if want_input else (0,)),
        [weight_OI.new_empty(weight_OI.shape) for weight_OI in weights],
        [
            grad_out_TBN.new_empty(layer.neurons.count)
            for layer in layers
            for _ in layer.neurons.learnable
        ],
    )


def _segment_context(ctx: Any, inputs: tuple[Any, ...], output: _Forward) -> None:
    input_TBI, weights, parameters, ctx.definitions, ctx.numbers, ctx.keep = inputs
    saved_tensors = output[2]
    needed = None if saved_tensors and holds_spikes(saved_tensors[0]) else input_TBI
    ctx.parameters = len(parameters)
    ctx.save_for_backward(*parameters, needed, *weights, *saved_tensors)


def _segment_gradient(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
    if not ctx.keep:
        raise RuntimeError("a segment ran without keep, so that it has no backward pass")
    count, want_input = len(ctx.numbers) // NUMBERS_PER_LAYER, ctx.needs_input_grad[0]
    kept = iter(ctx.saved_tensors)
    parameters, input_TBI = list(itertools.islice(kept, ctx.parameters)), next(kept)
    weights, saved_tensors = list(itertools.islice(kept, count)), list(kept)
    layers = ctx.definitions, ctx.numbers
    grad_input, grad_weights, found = segment_backward(
        grad_out, input_TBI, weights, parameters, *layers, saved_tensors, want_input
    )
    grads = gradients_of_parameters(parameters, learnable_places(*layers), found)
    return grad_input if want_input else None, grad_weights, grads, None, None, None


gradient("segment", _segment_gradient, _segment_context)
